//! All SQL for the statistics of posts.

use std::collections::BTreeMap;

use accord_foundation::db::{Dialect, Unsignalled};
use accord_foundation::prelude::*;
use sea_query::{Alias, Func, JoinType, LockType, OnConflict, Order, Query};

use super::model::PostStatistics as Numbers;
use crate::resources::posts::model::PostId;
use crate::resources::posts::tables::Posts;
use crate::resources::statistics::tables::PostStatistics;

/// What is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// `view_number`
    Views,
    /// `shared_number`
    Shares,
}

/// Adds to the number of each post, in one statement; answers how many posts there were. One that is gone is left out.
pub async fn add(conn: &mut Conn, count: Count, posts: &[(PostId, i64)], now: DateTime<Utc>) -> DbResult<u64> {
    // the numbers as one value: the statement is the same for any number of posts, and stays prepared
    let numbers: BTreeMap<_, _> = posts.iter().copied().collect();
    let numbers = Expr::val(serde_json::to_string(&numbers).expect("numbers"));
    let pairs = match conn.dialect() {
        Dialect::Sqlite => Func::cust("json_each").arg(numbers),
        Dialect::Postgres => Func::cust("json_each_text").arg(numbers.cast_as("json")),
    };
    let pair = |column| Expr::col((Alias::new("pairs"), Alias::new(column))).cast_as("bigint");
    let number_of = |column| if column == count { pair("value") } else { Expr::val(0_i64) };
    let select = Query::select()
        .column((Posts::Table, Posts::Id))
        .exprs([number_of(Count::Views), number_of(Count::Shares), now.into(), now.into()])
        .from_function(pairs, Alias::new("pairs"))
        .join(JoinType::InnerJoin, Posts::Table, Expr::col((Posts::Table, Posts::Id)).eq(pair("key")))
        // SQLite would read the ON of the conflict as that of the join
        .and_where(Expr::val(true))
        // by id, like everyone who locks several posts; the lock keeps a post from going away half-way
        .order_by((Posts::Table, Posts::Id), Order::Asc)
        .lock_with_tables(LockType::KeyShare, [Posts::Table])
        .take();
    let sum = |column| {
        let own = Expr::col((PostStatistics::Table, column));
        (column, own.add(Expr::col((Alias::new("excluded"), column))))
    };
    let added = OnConflict::column(PostStatistics::PostId)
        .values([sum(PostStatistics::ViewNumber), sum(PostStatistics::SharedNumber)])
        .update_column(PostStatistics::UpdatedAt)
        .to_owned();
    let statement = Query::insert()
        .into_table(PostStatistics::Table)
        .columns([
            PostStatistics::PostId,
            PostStatistics::ViewNumber,
            PostStatistics::SharedNumber,
            PostStatistics::CreatedAt,
            PostStatistics::UpdatedAt,
        ])
        .select_from(select)
        .expect("as many values as columns")
        .on_conflict(added)
        .take();
    conn.write(PostStatistics::FREE, &statement).await
}

/// What is counted of a post.
#[derive(Debug, FromRow)]
#[expect(missing_docs, reason = "model::PostStatistics documents them")]
pub struct Counted {
    pub post_id: PostId,
    pub view_number: i64,
    pub shared_number: i64,
}

/// The numbers of the posts behind one of them.
pub async fn list(conn: &mut Conn, after: Option<PostId>, limit: u64) -> DbResult<Vec<Counted>> {
    let statement = Query::select()
        .columns([PostStatistics::PostId, PostStatistics::ViewNumber, PostStatistics::SharedNumber])
        .from(PostStatistics::Table)
        .and_where_option(after.map(|after| Expr::col(PostStatistics::PostId).gt(after)))
        .order_by(PostStatistics::PostId, Order::Asc)
        .limit(limit)
        .take();
    conn.all(&statement).await
}

/// The statistics of a post; none if there is no such post.
pub async fn find(conn: &mut Conn, post_id: PostId) -> DbResult<Option<Numbers>> {
    let own = Expr::col((PostStatistics::Table, PostStatistics::PostId)).equals((Posts::Table, Posts::Id));
    let number = |column| Expr::col((PostStatistics::Table, column)).if_null(0_i64);
    let statement = Query::select()
        .expr_as(number(PostStatistics::ViewNumber), "view_number")
        .expr_as(number(PostStatistics::SharedNumber), "shared_number")
        .column((Posts::Table, Posts::Votes))
        .from(Posts::Table)
        .join(JoinType::LeftJoin, PostStatistics::Table, own)
        .and_where(Expr::col((Posts::Table, Posts::Id)).eq(post_id))
        .take();
    conn.maybe(&statement).await
}
