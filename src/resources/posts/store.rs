//! All SQL for posts.

use accord_foundation::auth::tables::Users;
use accord_foundation::db::Dialect;
use accord_foundation::db::search::contains;
use accord_foundation::db::versioned::Versioned;
use accord_foundation::http::page::Cursor;
use accord_foundation::prelude::*;
use sea_query::{BinOper, IntoColumnRef, JoinType, Order, Query, ReturningClause, SelectStatement};

use super::model::{Sort, StoredPost};
use super::rules::{Reader, fold, search_text};
use crate::resources::posts::tables::{Posts, PostsSearch};

/// The columns that a [`StoredPost`] is read from. The name of its owner is read from the users.
const COLUMNS: &[Posts] = &[
    Posts::Id,
    Posts::OwnerId,
    Posts::Title,
    Posts::Content,
    Posts::Published,
    Posts::Rating,
    Posts::Votes,
    Posts::Version,
    Posts::CreatedAt,
    Posts::UpdatedAt,
];

/// Which posts a list shows, and in which order.
pub struct Filter {
    /// Drafts of others are left out.
    pub reader: Reader,
    /// Text to find in title or content, in any case.
    pub search: Option<String>,
    /// Only this user's.
    pub owner_id: Option<i64>,
    /// Only published ones, or only drafts.
    pub published: Option<bool>,
    /// The order.
    pub sort: Sort,
}

/// One page; `limit` rows at most, after the cursor, skipping `skip`.
pub async fn list(
    conn: &mut Conn,
    filter: &Filter,
    cursor: Option<Cursor>,
    skip: u64,
    limit: u64,
) -> DbResult<Vec<StoredPost>> {
    let mut page = matching(conn.dialect(), filter);
    let id = id_column(conn.dialect(), filter);
    page.columns(COLUMNS.iter().map(|column| (Posts::Table, *column)));
    match filter.sort {
        Sort::Newest => {
            page.order_by(id.clone(), Order::Desc);
            page.and_where_option(cursor.map(|cursor| Expr::col(id).lt(cursor.id)));
        }
        Sort::Oldest => {
            page.order_by(id.clone(), Order::Asc);
            page.and_where_option(cursor.map(|cursor| Expr::col(id).gt(cursor.id)));
        }
        Sort::MostVotes => {
            page.order_by((Posts::Table, Posts::Votes), Order::Desc).order_by((Posts::Table, Posts::Id), Order::Desc);
            let position = Expr::tuple([Expr::col((Posts::Table, Posts::Votes)), Expr::col((Posts::Table, Posts::Id))]);
            page.and_where_option(
                cursor.map(|cursor| position.lt(Expr::tuple([Expr::val(cursor.key), Expr::val(cursor.id)]))),
            );
        }
    }
    page.limit(limit);
    if skip > 0 {
        page.offset(skip);
    }
    let mut statement = with_owner(page);
    match filter.sort {
        Sort::Newest => statement.order_by((Posts::Table, Posts::Id), Order::Desc),
        Sort::Oldest => statement.order_by((Posts::Table, Posts::Id), Order::Asc),
        Sort::MostVotes => statement
            .order_by((Posts::Table, Posts::Votes), Order::Desc)
            .order_by((Posts::Table, Posts::Id), Order::Desc),
    };
    conn.all(&statement).await
}

/// The posts with exactly this title, the oldest first; of this owner or of none, if that is asked for.
pub async fn find_titled(conn: &mut Conn, owner_id: Option<Option<i64>>, title: &str) -> DbResult<Vec<i64>> {
    let owned = |owner_id: Option<i64>| match owner_id {
        Some(id) => Expr::col(Posts::OwnerId).eq(id),
        None => Expr::col(Posts::OwnerId).is_null(),
    };
    let statement = Query::select()
        .column(Posts::Id)
        .from(Posts::Table)
        .and_where(Expr::col(Posts::Title).eq(title))
        .and_where_option(owner_id.map(owned))
        .order_by(Posts::Id, Order::Asc)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await?.into_iter().map(|(id,)| id).collect())
}

/// How many posts match.
pub async fn count(conn: &mut Conn, filter: &Filter) -> DbResult<i64> {
    let mut statement = matching(conn.dialect(), filter);
    statement.expr(Expr::col((Posts::Table, Posts::Id)).count());
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

/// What is written of a post.
#[derive(Debug)]
#[expect(missing_docs, reason = "model::Post documents them")]
pub struct PostValues {
    pub owner_id: Option<i64>,
    pub title: String,
    pub content: String,
    pub published: bool,
    pub rating: Option<i64>,
}

impl Versioned for StoredPost {
    type Table = Posts;
    type Values = PostValues;

    fn identity(&self) -> (i64, i64) {
        (self.id.0, self.version)
    }

    fn columns(post: PostValues) -> Vec<(Posts, Expr)> {
        vec![
            (Posts::OwnerId, post.owner_id.into()),
            (Posts::SearchText, search_text(&post.title, &post.content).into()),
            (Posts::Title, post.title.into()),
            (Posts::Content, post.content.into()),
            (Posts::Published, post.published.into()),
            (Posts::Rating, post.rating.into()),
        ]
    }

    fn read() -> &'static [Posts] {
        COLUMNS
    }

    fn returning() -> ReturningClause {
        let owner_name = Expr::cust("(SELECT name FROM users WHERE users.id = posts.owner_id) AS owner_name");
        Query::returning().exprs(COLUMNS.iter().copied().map(Expr::col).chain([owner_name]))
    }

    fn complete(rows: SelectStatement) -> SelectStatement {
        with_owner(rows)
    }
}

/// The rows of `page`, each with its owner's name: the page is cut first, so the join costs what the page costs.
fn with_owner(page: SelectStatement) -> SelectStatement {
    let owner = Expr::col((Users::Table, Users::Id)).equals((Posts::Table, Posts::OwnerId));
    Query::select()
        .columns(COLUMNS.iter().map(|column| (Posts::Table, *column)))
        .expr_as(Expr::col((Users::Table, Users::Name)), "owner_name")
        .from_subquery(page, Posts::Table)
        .join(JoinType::LeftJoin, Users::Table, owner)
        .take()
}

/// SQLite's index knows sequences of three characters; shorter searches look at each row on both databases.
fn uses_search_table(dialect: Dialect, filter: &Filter) -> bool {
    dialect == Dialect::Sqlite && filter.search.as_ref().is_some_and(|search| search.chars().count() >= 3)
}

/// The id column that drives the list: that of the search table walks its matches in order instead of sorting them.
fn id_column(dialect: Dialect, filter: &Filter) -> sea_query::ColumnRef {
    if uses_search_table(dialect, filter) {
        (PostsSearch::Table, PostsSearch::Rowid).into_column_ref()
    } else {
        (Posts::Table, Posts::Id).into_column_ref()
    }
}

/// `FROM … WHERE …` of the posts that match.
fn matching(dialect: Dialect, filter: &Filter) -> SelectStatement {
    let mut statement = Query::select();
    let post = |column| Expr::col((Posts::Table, column));
    if let Some(search) = filter.search.as_deref().map(fold) {
        match dialect {
            Dialect::Sqlite if uses_search_table(dialect, filter) => {
                let same = Expr::col((PostsSearch::Table, PostsSearch::Rowid)).equals((Posts::Table, Posts::Id));
                // a phrase in quotation marks is taken literally; doubled, a mark stands for itself
                let phrase = format!("\"{}\"", search.replace('"', "\"\""));
                statement
                    .from(PostsSearch::Table)
                    .join(JoinType::InnerJoin, Posts::Table, same)
                    .and_where(Expr::col(PostsSearch::Table).binary(BinOper::Custom("MATCH"), phrase));
            }
            _ => {
                statement.from(Posts::Table);
                statement.and_where(contains(post(Posts::SearchText), &search));
            }
        }
    } else {
        statement.from(Posts::Table);
    }
    if !filter.reader.is_admin() {
        statement.cond_where(
            Condition::any().add(post(Posts::Published).eq(true)).add(post(Posts::OwnerId).eq(filter.reader.id)),
        );
    }
    statement.and_where_option(filter.owner_id.map(|id| post(Posts::OwnerId).eq(id)));
    statement.and_where_option(filter.published.map(|published| post(Posts::Published).eq(published)));
    statement
}

#[cfg(test)]
mod tests {
    use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};

    use super::*;
    use accord_foundation::auth::Role;

    fn filter(search: Option<&str>) -> Filter {
        Filter {
            reader: Reader { id: 1, role: Role::Active },
            search: search.map(Into::into),
            owner_id: None,
            published: None,
            sort: Sort::Newest,
        }
    }

    /// The statement of a list's first page on both databases.
    fn sql(dialect: Dialect, search: &str) -> String {
        let mut statement = matching(dialect, &filter(Some(search)));
        statement.column((Posts::Table, Posts::Id));
        match dialect {
            Dialect::Sqlite => statement.to_string(SqliteQueryBuilder),
            Dialect::Postgres => statement.to_string(PostgresQueryBuilder),
        }
    }

    #[test]
    fn search_takes_wildcards_and_quotation_marks_literally() {
        insta::assert_snapshot!(sql(Dialect::Postgres, "50%_\\Ä"), @r#"SELECT "posts"."id" FROM "posts" WHERE "posts"."search_text" LIKE E'%50\\%\\_\\\\ä%' ESCAPE E'\\' AND ("posts"."published" = TRUE OR "posts"."owner_id" = 1)"#);
        insta::assert_snapshot!(sql(Dialect::Sqlite, "say \"Hi\""), @r#"SELECT "posts"."id" FROM "posts_search" INNER JOIN "posts" ON "posts_search"."rowid" = "posts"."id" WHERE ("posts_search" MATCH '"say ""hi"""') AND ("posts"."published" = TRUE OR "posts"."owner_id" = 1)"#);
        insta::assert_snapshot!(sql(Dialect::Sqlite, "A_"), @r#"SELECT "posts"."id" FROM "posts" WHERE "posts"."search_text" LIKE '%a\_%' ESCAPE '\' AND ("posts"."published" = TRUE OR "posts"."owner_id" = 1)"#);
    }
}
