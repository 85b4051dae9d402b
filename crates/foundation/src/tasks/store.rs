//! All SQL for tasks.

use chrono::{DateTime, Utc};
use sea_query::{Cond, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query, SelectStatement};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;

use super::{Pool, Task};
use crate::db::{Conn, DbResult, Unsignalled, keyset};
use crate::tasks::tables::Tasks;

const QUEUED: &str = "queued";
const RUNNING: &str = "running";
const FAILED: &str = "failed";

/// Each state that a task may be in.
pub const STATES: [&str; 3] = [QUEUED, RUNNING, FAILED];

/// A task that a worker has taken.
#[derive(Debug, FromRow)]
pub struct Taken {
    /// Its number.
    pub id: i64,
    /// [`Task::NAME`]
    pub name: String,
    /// Its fields, as JSON.
    pub payload: String,
    /// How often it was taken, this time included.
    pub attempts: i64,
    /// Who has taken it.
    worker: String,
    /// Its name, if it is the one that runs by itself.
    key: Option<String>,
}

impl Taken {
    /// Whether it is the one that runs by itself; somebody may have asked for another, which runs once.
    pub fn runs_by_itself(&self) -> bool {
        self.key.is_some()
    }
}

/// A task as people see it.
#[derive(Debug, Serialize, FromRow)]
pub struct Seen {
    /// Its number.
    pub id: i64,
    /// [`Task::NAME`]
    pub name: String,
    /// `queued`, `running` or `failed`
    pub state: String,
    /// When it is due, or was.
    pub run_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i64,
    /// Who runs it.
    pub worker: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// Tasks of one name in one state.
#[derive(Debug, FromRow)]
pub struct Waiting {
    /// [`Task::NAME`]
    pub name: String,
    /// One of [`STATES`]
    pub state: String,
    /// How many there are.
    pub number: i64,
    /// When the first of them is due, or was.
    first: DateTime<Utc>,
}

impl Waiting {
    /// Since when they wait for a worker, if they do and that is past.
    pub fn due_since(&self) -> Option<DateTime<Utc>> {
        (self.state == QUEUED).then_some(self.first)
    }
}

/// Enqueues a job in the open transaction: it is due at `run_at`, and runs once the transaction is committed.
pub async fn enqueue<T: Task>(tx: &mut Conn, task: &T, run_at: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<i64> {
    let payload = serde_json::to_value(task).expect("a task is plain data");
    insert(tx, T::NAME, T::POOL, &payload, run_at, now).await
}

/// [`enqueue`] by name.
pub async fn insert(
    tx: &mut Conn,
    name: &str,
    pool: Pool,
    payload: &Value,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    if run_at <= now {
        tx.when_durable(move || pool.due().notify_one());
    }
    let columns =
        [Tasks::Name, Tasks::Pool, Tasks::Payload, Tasks::State, Tasks::RunAt, Tasks::CreatedAt, Tasks::UpdatedAt];
    let statement = Query::insert()
        .into_table(Tasks::Table)
        .columns(columns)
        .values_panic([
            name.into(),
            pool.as_str().into(),
            payload.to_string().into(),
            QUEUED.into(),
            run_at.into(),
            now.into(),
            now.into(),
        ])
        .returning(Query::returning().column(Tasks::Id))
        .take();
    Ok(tx.write_one::<(i64,)>(Tasks::FREE, &statement).await?.0)
}

/// Makes the one task that runs by itself, unless it is there. One that would be due later than now and its interval
/// was planned with a longer one.
pub async fn plan(tx: &mut Conn, name: &str, pool: Pool, latest: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<()> {
    let insert = Query::insert()
        .into_table(Tasks::Table)
        .columns([
            Tasks::Name,
            Tasks::Pool,
            Tasks::Payload,
            Tasks::Key,
            Tasks::State,
            Tasks::RunAt,
            Tasks::CreatedAt,
            Tasks::UpdatedAt,
        ])
        .values_panic([
            name.into(),
            pool.as_str().into(),
            "{}".into(),
            name.into(),
            QUEUED.into(),
            now.into(),
            now.into(),
            now.into(),
        ])
        .on_conflict(OnConflict::column(Tasks::Key).do_nothing().to_owned())
        .take();
    tx.write(Tasks::FREE, &insert).await?;
    let earlier = Query::update()
        .table(Tasks::Table)
        .value(Tasks::RunAt, latest)
        .and_where(Expr::col(Tasks::Key).eq(name))
        .and_where(Expr::col(Tasks::State).eq(QUEUED))
        .and_where(Expr::col(Tasks::RunAt).gt(latest))
        .take();
    tx.write(Tasks::FREE, &earlier).await?;
    Ok(())
}

/// Takes a task away that no longer runs by itself.
pub async fn unplan(tx: &mut Conn, name: &str) -> DbResult<()> {
    let statement = Query::delete()
        .from_table(Tasks::Table)
        .and_where(Expr::col(Tasks::Key).eq(name))
        .and_where(Expr::col(Tasks::State).ne(RUNNING))
        .take();
    tx.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// The jobs that a worker may claim.
#[derive(Debug, Clone, Copy)]
pub struct Queue<'a> {
    /// Only jobs of this pool.
    pub pool: Pool,
    /// Only jobs of these names: the jobs of a newer release wait for a worker that knows them.
    pub names: &'a [&'a str],
}

/// The ids of the queued jobs that are due, by the time since which they are. The index has this order, so the
/// statement reads `limit` entries, however many jobs are queued.
fn due(queue: Queue<'_>, limit: u64, now: DateTime<Utc>) -> SelectStatement {
    claimable(queue, QUEUED, limit).and_where(Expr::col(Tasks::RunAt).lte(now)).take()
}

/// The ids of the jobs whose worker has not renewed its lease. Only as many jobs are running as there are workers, so
/// the statement reads few entries.
fn abandoned(queue: Queue<'_>, limit: u64, now: DateTime<Utc>) -> SelectStatement {
    claimable(queue, RUNNING, limit).and_where(Expr::col(Tasks::LeaseUntil).lte(now)).take()
}

fn claimable(queue: Queue<'_>, state: &str, limit: u64) -> SelectStatement {
    Query::select()
        .column(Tasks::Id)
        .from(Tasks::Table)
        .and_where(Expr::col(Tasks::Pool).eq(queue.pool.as_str()))
        .and_where(Expr::col(Tasks::State).eq(state))
        .and_where(Expr::col(Tasks::Name).is_in(queue.names.iter().copied()))
        .order_by(Tasks::RunAt, Order::Asc)
        .order_by(Tasks::Id, Order::Asc)
        .limit(limit)
        .take()
}

/// Returns whether there is a job to claim. Locks nothing.
pub async fn is_due(conn: &mut Conn, queue: Queue<'_>, now: DateTime<Utc>) -> DbResult<bool> {
    Ok(conn.maybe::<(i64,)>(&due(queue, 1, now)).await?.is_some()
        || conn.maybe::<(i64,)>(&abandoned(queue, 1, now)).await?.is_some())
}

/// Claims jobs for a worker, at most `limit`, until `until`. Concurrent workers claim different jobs.
pub async fn claim(
    tx: &mut Conn,
    worker: &str,
    queue: Queue<'_>,
    limit: u64,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<Vec<Taken>> {
    let skipping_locked =
        |mut select: SelectStatement| select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).take();
    // as a subquery PostgreSQL might run it more than once, and lock more than the limit
    let mut ids: Vec<(i64,)> = tx.all(&skipping_locked(abandoned(queue, limit, now))).await?;
    let rest = limit.saturating_sub(ids.len() as u64);
    ids.extend(tx.all::<(i64,)>(&skipping_locked(due(queue, rest, now))).await?);
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let statement = Query::update()
        .table(Tasks::Table)
        .values([
            (Tasks::State, RUNNING.into()),
            (Tasks::Worker, worker.into()),
            (Tasks::LeaseUntil, until.into()),
            (Tasks::Attempts, Expr::col(Tasks::Attempts).add(1)),
            (Tasks::UpdatedAt, now.into()),
        ])
        .and_where(Expr::col(Tasks::Id).is_in(ids.into_iter().map(|(id,)| id)))
        .returning(Query::returning().columns([
            Tasks::Id,
            Tasks::Name,
            Tasks::Payload,
            Tasks::Attempts,
            Tasks::Worker,
            Tasks::Key,
        ]))
        .take();
    tx.write_all(Tasks::FREE, &statement).await
}

/// Only while it is still this worker's, from this try.
fn still_held(task: &Taken) -> Cond {
    Cond::all()
        .add(Expr::col(Tasks::Id).eq(task.id))
        .add(Expr::col(Tasks::State).eq(RUNNING))
        .add(Expr::col(Tasks::Worker).eq(task.worker.as_str()))
        .add(Expr::col(Tasks::Attempts).eq(task.attempts))
}

/// Keeps a task for longer; false if it is somebody else's by now, or was cancelled.
pub async fn renew(conn: &mut Conn, task: &Taken, until: DateTime<Utc>) -> DbResult<bool> {
    let statement =
        Query::update().table(Tasks::Table).value(Tasks::LeaseUntil, until).cond_where(still_held(task)).take();
    Ok(conn.write(Tasks::FREE, &statement).await? > 0)
}

/// Deletes jobs that have succeeded, but no recurring ones.
pub async fn remove(conn: &mut Conn, tasks: &[&Taken]) -> DbResult<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let held = tasks.iter().fold(Cond::any(), |held, task| held.add(still_held(task)));
    let statement = Query::delete().from_table(Tasks::Table).cond_where(held).take();
    conn.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// The next state of a job that is kept after a run.
#[derive(Debug)]
pub enum Next {
    /// It is due again then, as if it had never run.
    Anew(DateTime<Utc>),
    /// It is tried again then.
    Again(DateTime<Utc>, String),
    /// It stays, for a person to look at.
    Failed(String),
    /// It was not finished, and not for a fault of its own: that try does not count.
    Back(DateTime<Utc>),
}

/// Gives a task up, for what is next.
pub async fn release(conn: &mut Conn, task: &Taken, next: &Next, now: DateTime<Utc>) -> DbResult<()> {
    let (state, run_at, attempts, error) = match next {
        Next::Anew(at) => (QUEUED, Some(*at), 0, None),
        Next::Again(at, error) => (QUEUED, Some(*at), task.attempts, Some(error.as_str())),
        Next::Failed(error) => (FAILED, None, task.attempts, Some(error.as_str())),
        Next::Back(at) => (QUEUED, Some(*at), task.attempts - 1, None),
    };
    // what a mail server says may hold U+0000, which PostgreSQL cannot store
    let error = error.map(|error| error.replace('\0', "\u{fffd}"));
    let mut statement = Query::update()
        .table(Tasks::Table)
        .values([
            (Tasks::State, state.into()),
            (Tasks::Attempts, attempts.into()),
            (Tasks::Error, error.into()),
            (Tasks::Worker, Option::<String>::None.into()),
            (Tasks::LeaseUntil, Option::<DateTime<Utc>>::None.into()),
            (Tasks::UpdatedAt, now.into()),
        ])
        .cond_where(still_held(task))
        .take();
    if let Some(run_at) = run_at {
        statement.value(Tasks::RunAt, run_at);
    }
    conn.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// Tasks page by page, the newest first; only those that have failed, if wanted.
pub async fn list(conn: &mut Conn, failed: bool, before: Option<i64>, limit: u64) -> DbResult<Vec<Seen>> {
    let mut statement = Query::select()
        .columns([
            Tasks::Id,
            Tasks::Name,
            Tasks::State,
            Tasks::RunAt,
            Tasks::Attempts,
            Tasks::Worker,
            Tasks::Error,
            Tasks::CreatedAt,
        ])
        .from(Tasks::Table)
        .take();
    if failed {
        statement.and_where(Expr::col(Tasks::State).eq(FAILED));
    }
    keyset::newest(&mut statement, Tasks::Id, before, limit);
    conn.all(&statement).await
}

/// How many tasks there are of each name in each state.
pub async fn waiting(conn: &mut Conn) -> DbResult<Vec<Waiting>> {
    let statement = Query::select()
        .columns([Tasks::Name, Tasks::State])
        .expr_as(Expr::col(Tasks::Id).count(), "number")
        .expr_as(Expr::col(Tasks::RunAt).min(), "first")
        .from(Tasks::Table)
        .group_by_columns([Tasks::Name, Tasks::State])
        .take();
    conn.all(&statement).await
}

/// Puts a task that has failed, or waits, back to be run now; false if there is none, or it runs.
pub async fn retry(tx: &mut Conn, id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    let statement = Query::update()
        .table(Tasks::Table)
        .values([
            (Tasks::State, QUEUED.into()),
            (Tasks::Attempts, 0_i64.into()),
            (Tasks::RunAt, now.into()),
            (Tasks::UpdatedAt, now.into()),
        ])
        .and_where(Expr::col(Tasks::Id).eq(id))
        .and_where(Expr::col(Tasks::State).ne(RUNNING))
        .take();
    Ok(tx.write(Tasks::FREE, &statement).await? > 0)
}

/// Takes a task out; one that runs is stopped when its worker renews the lease. False if there is none.
pub async fn cancel(tx: &mut Conn, id: i64) -> DbResult<bool> {
    let statement = Query::delete().from_table(Tasks::Table).and_where(Expr::col(Tasks::Id).eq(id)).take();
    Ok(tx.write(Tasks::FREE, &statement).await? > 0)
}
