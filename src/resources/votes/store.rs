//! All SQL for votes. Each function keeps the count of the post in the same transaction.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, LockType, OnConflict, Query};

use crate::db::tables::{Posts, Users, Votes};
use crate::db::{Conn, DbResult};

/// Adds a vote; answers the new count, or none if there is one already.
pub async fn add(conn: &mut Conn, post_id: i64, user_id: i64, now: DateTime<Utc>) -> DbResult<Option<i64>> {
    let statement = Query::insert()
        .into_table(Votes::Table)
        .columns([Votes::PostId, Votes::UserId, Votes::CreatedAt])
        .values_panic([post_id.into(), user_id.into(), now.into()])
        .on_conflict(OnConflict::columns([Votes::PostId, Votes::UserId]).do_nothing().to_owned())
        .take();
    if conn.execute(&statement).await? == 0 {
        return Ok(None);
    }
    count(conn, post_id, 1).await
}

/// Keeps the voter's account until the transaction ends: its deletion would count the same vote down again.
///
/// Who removes a vote locks first the account, then the post, then the vote, as whoever deletes an account or a post
/// does; in another order two of them would wait for each other. Adding one locks the account by the foreign key.
pub async fn hold(conn: &mut Conn, user_id: i64) -> DbResult<()> {
    let statement = Query::select()
        .column(Users::Id)
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).eq(user_id))
        .lock(LockType::KeyShare)
        .take();
    conn.maybe::<(i64,)>(&statement).await?;
    Ok(())
}

/// Removes a vote; answers the new count, or none if there was none.
pub async fn remove(conn: &mut Conn, post_id: i64, user_id: i64) -> DbResult<Option<i64>> {
    let statement = Query::delete()
        .from_table(Votes::Table)
        .and_where(Expr::col(Votes::PostId).eq(post_id))
        .and_where(Expr::col(Votes::UserId).eq(user_id))
        .take();
    if conn.execute(&statement).await? == 0 {
        return Ok(None);
    }
    count(conn, post_id, -1).await
}

async fn count(conn: &mut Conn, post_id: i64, change: i64) -> DbResult<Option<i64>> {
    let statement = Query::update()
        .table(Posts::Table)
        .value(Posts::Votes, Expr::col(Posts::Votes).add(change))
        .and_where(Expr::col(Posts::Id).eq(post_id))
        .returning(Query::returning().column(Posts::Votes))
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(votes,)| votes))
}
