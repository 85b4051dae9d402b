//! All SQL for keys of requests.

use chrono::{DateTime, Utc};
use sea_query::{Cond, Expr, ExprTrait, OnConflict, Order, Query};
use sqlx::FromRow;

use super::{Claim, hash};
use crate::db::{Conn, DbResult, Unsignalled};
use crate::resources::idempotency::tables::IdempotencyKeys;

/// A key that was claimed before.
#[derive(FromRow)]
pub struct Entry {
    /// The hash of the request.
    pub request_hash: String,
    /// The status of the answer; `None` while the request runs.
    pub status: Option<i64>,
    /// Its headers, as JSON.
    pub headers: Option<String>,
    /// Its body, encrypted.
    pub body: Option<String>,
}

fn of(claim: &Claim) -> Cond {
    Cond::all()
        .add(Expr::col(IdempotencyKeys::UserId).eq(claim.user_id))
        .add(Expr::col(IdempotencyKeys::KeyHash).eq(hash(&claim.key)))
}

/// Claims a key that nobody has, whose answer is older than `oldest`, or whose run has died. Returns whether it did: of two
/// requests at once one does.
pub async fn insert(
    tx: &mut Conn,
    claim: &Claim,
    request_hash: &str,
    now: DateTime<Utc>,
    claimed_until: DateTime<Utc>,
    oldest: DateTime<Utc>,
) -> DbResult<bool> {
    let columns = [
        IdempotencyKeys::UserId,
        IdempotencyKeys::KeyHash,
        IdempotencyKeys::RequestHash,
        IdempotencyKeys::Run,
        IdempotencyKeys::Status,
        IdempotencyKeys::Headers,
        IdempotencyKeys::Body,
        IdempotencyKeys::ClaimedUntil,
        IdempotencyKeys::CreatedAt,
    ];
    let column = |column: IdempotencyKeys| Expr::col((IdempotencyKeys::Table, column));
    let died = column(IdempotencyKeys::Status).is_null().and(column(IdempotencyKeys::ClaimedUntil).lte(now));
    let over = OnConflict::columns([IdempotencyKeys::UserId, IdempotencyKeys::KeyHash])
        .update_columns([columns[2], columns[3], columns[4], columns[5], columns[6], columns[7], columns[8]])
        .action_and_where(died.or(column(IdempotencyKeys::CreatedAt).lte(oldest)))
        .to_owned();
    let statement = Query::insert()
        .into_table(IdempotencyKeys::Table)
        .columns(columns)
        .values_panic([
            claim.user_id.into(),
            hash(&claim.key).into(),
            request_hash.into(),
            claim.run.as_str().into(),
            Option::<i64>::None.into(),
            Option::<String>::None.into(),
            Option::<String>::None.into(),
            claimed_until.into(),
            now.into(),
        ])
        .on_conflict(over)
        .take();
    Ok(tx.write(IdempotencyKeys::FREE, &statement).await? == 1)
}

/// Returns what is stored of a key.
pub async fn find(conn: &mut Conn, claim: &Claim) -> DbResult<Option<Entry>> {
    let statement = Query::select()
        .columns([
            IdempotencyKeys::RequestHash,
            IdempotencyKeys::Status,
            IdempotencyKeys::Headers,
            IdempotencyKeys::Body,
        ])
        .from(IdempotencyKeys::Table)
        .cond_where(of(claim))
        .take();
    conn.maybe(&statement).await
}

/// Stores the answer of a run. Returns whether the run still has the key.
pub async fn finish(tx: &mut Conn, claim: &Claim, status: i64, headers: String, body: String) -> DbResult<bool> {
    let statement = Query::update()
        .table(IdempotencyKeys::Table)
        .value(IdempotencyKeys::Status, status)
        .value(IdempotencyKeys::Headers, headers)
        .value(IdempotencyKeys::Body, body)
        .cond_where(of(claim).add(Expr::col(IdempotencyKeys::Run).eq(claim.run.as_str())))
        .take();
    Ok(tx.write(IdempotencyKeys::FREE, &statement).await? == 1)
}

/// Gives a key up that this run has claimed and not finished.
pub async fn delete(tx: &mut Conn, claim: &Claim) -> DbResult<()> {
    let unfinished = Expr::col(IdempotencyKeys::Status).is_null();
    let statement = Query::delete()
        .from_table(IdempotencyKeys::Table)
        .cond_where(of(claim).add(Expr::col(IdempotencyKeys::Run).eq(claim.run.as_str())).add(unfinished))
        .take();
    tx.write(IdempotencyKeys::FREE, &statement).await?;
    Ok(())
}

/// The runs of keys that were claimed before that time.
pub async fn expired(conn: &mut Conn, before: DateTime<Utc>, limit: u64) -> DbResult<Vec<String>> {
    let statement = Query::select()
        .column(IdempotencyKeys::Run)
        .from(IdempotencyKeys::Table)
        .and_where(Expr::col(IdempotencyKeys::CreatedAt).lte(before))
        .order_by(IdempotencyKeys::CreatedAt, Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(String,)>(&statement).await?.into_iter().map(|(run,)| run).collect())
}

/// Deletes keys by their runs: one that was claimed again since has another.
pub async fn purge(tx: &mut Conn, runs: Vec<String>) -> DbResult<u64> {
    let statement = Query::delete()
        .from_table(IdempotencyKeys::Table)
        .and_where(Expr::col(IdempotencyKeys::Run).is_in(runs))
        .take();
    tx.write(IdempotencyKeys::FREE, &statement).await
}
