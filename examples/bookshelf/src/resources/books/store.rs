//! All SQL for books.

use accord_foundation::db::keyset::newest;
use accord_foundation::db::versioned::Versioned;
use accord_foundation::db::{Conn, Constraint, DbResult};
use sea_query::{Expr, ExprTrait, Func, LikeExpr, LockType, Query, ReturningClause, SelectStatement};

use super::model::{BookId, BookValues, StoredBook};
use super::tables::Books;
use crate::resources::authors::model::AuthorId;
use crate::resources::authors::tables::Authors;

/// The ISBN is unique.
pub const ISBN_KEY: Constraint = Constraint::unique("books_isbn_key", "books.isbn");

const COLUMNS: [Books; 7] =
    [Books::Id, Books::Isbn, Books::Title, Books::AuthorId, Books::Version, Books::CreatedAt, Books::UpdatedAt];

/// The books that a list shows.
#[derive(Default)]
pub struct Filter {
    /// Text to find in the title, in any case.
    pub search: Option<String>,
    /// Only books of this author.
    pub author_id: Option<AuthorId>,
}

impl Versioned for StoredBook {
    type Table = Books;
    type Values = BookValues;

    fn identity(&self) -> (i64, i64) {
        (self.book.id.0, self.version)
    }

    fn columns(book: BookValues) -> Vec<(Books, Expr)> {
        vec![
            (Books::Isbn, book.isbn.into()),
            (Books::Title, book.title.into()),
            (Books::AuthorId, book.author_id.into()),
        ]
    }

    fn returning() -> ReturningClause {
        Query::returning().columns(COLUMNS)
    }
}

/// The book of this identifier.
pub async fn find(conn: &mut Conn, id: BookId) -> DbResult<Option<StoredBook>> {
    conn.maybe(&by_id(id)).await
}

/// The book of this identifier, locked until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: BookId) -> DbResult<Option<StoredBook>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

fn by_id(id: BookId) -> SelectStatement {
    Query::select().columns(COLUMNS).from(Books::Table).and_where(Expr::col(Books::Id).eq(id)).take()
}

/// Returns whether the author exists. In a transaction the author stays until its end.
pub async fn has_author(conn: &mut Conn, id: AuthorId) -> DbResult<bool> {
    let statement = Query::select()
        .column(Authors::Id)
        .from(Authors::Table)
        .and_where(Expr::col(Authors::Id).eq(id))
        .lock(LockType::KeyShare)
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
}

/// Returns whether there are books of an author.
pub async fn is_any_of(conn: &mut Conn, id: AuthorId) -> DbResult<bool> {
    let filter = Filter { author_id: Some(id), ..Filter::default() };
    let statement = matching(&filter).column(Books::Id).limit(1).take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
}

/// One page, the newest first.
pub async fn list(conn: &mut Conn, filter: &Filter, before: Option<i64>, limit: u64) -> DbResult<Vec<StoredBook>> {
    let mut statement = matching(filter);
    statement.columns(COLUMNS);
    newest(&mut statement, Books::Id, before, limit);
    conn.all(&statement).await
}

/// The number of books that match.
pub async fn count(conn: &mut Conn, filter: &Filter) -> DbResult<i64> {
    let statement = matching(filter).expr(Expr::col(Books::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(filter: &Filter) -> SelectStatement {
    let like = |search: &String| {
        let escaped = search.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        Expr::expr(Func::lower(Expr::col(Books::Title))).like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
    };
    Query::select()
        .from(Books::Table)
        .and_where_option(filter.search.as_ref().map(like))
        .and_where_option(filter.author_id.map(|id| Expr::col(Books::AuthorId).eq(id)))
        .take()
}
