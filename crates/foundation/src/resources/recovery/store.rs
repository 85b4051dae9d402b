//! All SQL for one-time codes.

use chrono::{DateTime, Utc};
use sea_query::{Cond, Expr, ExprTrait, OnConflict, Order, Query};

use super::Purpose;
use crate::db::{Conn, DbResult, Unsignalled};
use crate::resources::recovery::tables::OneTimeCodes;

fn valid(code_hash: &str, purpose: Purpose, now: DateTime<Utc>) -> Cond {
    Cond::all()
        .add(Expr::col(OneTimeCodes::CodeHash).eq(code_hash))
        .add(Expr::col(OneTimeCodes::Purpose).eq(purpose.as_str()))
        .add(Expr::col(OneTimeCodes::ExpiresAt).gt(now))
}

/// The account that a code is for, if it is good.
pub async fn find(conn: &mut Conn, code_hash: &str, purpose: Purpose, now: DateTime<Utc>) -> DbResult<Option<i64>> {
    let statement = Query::select()
        .column(OneTimeCodes::UserId)
        .from(OneTimeCodes::Table)
        .cond_where(valid(code_hash, purpose, now))
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(id,)| id))
}

/// Uses a code up; false if it was not good any more. Of two at once one gets it.
pub async fn take(tx: &mut Conn, code_hash: &str, purpose: Purpose, now: DateTime<Utc>) -> DbResult<bool> {
    let statement = Query::delete().from_table(OneTimeCodes::Table).cond_where(valid(code_hash, purpose, now)).take();
    Ok(tx.write(OneTimeCodes::FREE, &statement).await? == 1)
}

/// Gives an account a code in place of the one it has.
pub async fn replace(
    tx: &mut Conn,
    user_id: i64,
    purpose: Purpose,
    code_hash: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let columns = [
        OneTimeCodes::UserId,
        OneTimeCodes::Purpose,
        OneTimeCodes::CodeHash,
        OneTimeCodes::CreatedAt,
        OneTimeCodes::ExpiresAt,
    ];
    let over = OnConflict::columns([OneTimeCodes::UserId, OneTimeCodes::Purpose])
        .update_columns([OneTimeCodes::CodeHash, OneTimeCodes::CreatedAt, OneTimeCodes::ExpiresAt])
        .to_owned();
    let statement = Query::insert()
        .into_table(OneTimeCodes::Table)
        .columns(columns)
        .values_panic([user_id.into(), purpose.as_str().into(), code_hash.into(), now.into(), expires_at.into()])
        .on_conflict(over)
        .take();
    tx.write(OneTimeCodes::FREE, &statement).await?;
    Ok(())
}

/// Ends the code that an account has for a purpose, or for any if none is given.
pub async fn end(tx: &mut Conn, user_id: i64, purpose: Option<Purpose>) -> DbResult<()> {
    let statement = Query::delete()
        .from_table(OneTimeCodes::Table)
        .and_where(Expr::col(OneTimeCodes::UserId).eq(user_id))
        .and_where_option(purpose.map(|purpose| Expr::col(OneTimeCodes::Purpose).eq(purpose.as_str())))
        .take();
    tx.write(OneTimeCodes::FREE, &statement).await?;
    Ok(())
}

/// The hashes of codes that have expired.
pub async fn expired(conn: &mut Conn, now: DateTime<Utc>, limit: u64) -> DbResult<Vec<String>> {
    let statement = Query::select()
        .column(OneTimeCodes::CodeHash)
        .from(OneTimeCodes::Table)
        .and_where(Expr::col(OneTimeCodes::ExpiresAt).lte(now))
        .order_by(OneTimeCodes::ExpiresAt, Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(String,)>(&statement).await?.into_iter().map(|(hash,)| hash).collect())
}

/// Deletes codes by their hashes: one that was given anew since has another.
pub async fn delete(tx: &mut Conn, hashes: Vec<String>) -> DbResult<u64> {
    let statement = Query::delete()
        .from_table(OneTimeCodes::Table)
        .and_where(Expr::col(OneTimeCodes::CodeHash).is_in(hashes))
        .take();
    tx.write(OneTimeCodes::FREE, &statement).await
}
