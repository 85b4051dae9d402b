//! All SQL for tasks.

use chrono::{DateTime, Utc};
use sea_query::{
    Alias, Cond, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query, SelectStatement, UpdateStatement,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;

use super::{Pool, Task};
use crate::db::tables::Tasks;
use crate::db::{Conn, DbResult, Unsignalled, keyset};

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

/// Asks for a task, in the transaction that is open: it runs once that is committed, at this time or later.
pub async fn enqueue<T: Task>(tx: &mut Conn, task: &T, run_at: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<i64> {
    add(tx, T::NAME, T::POOL, None, &payload(task), run_at, now).await
}

/// The same in a lane, whose tasks run one after the other: it waits until those that were asked for earlier have ended,
/// or have failed for good.
pub async fn enqueue_in<T: Task>(
    tx: &mut Conn,
    lane: &str,
    task: &T,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    add(tx, T::NAME, T::POOL, Some(lane), &payload(task), run_at, now).await
}

/// [`enqueue`] by name.
pub async fn insert(
    tx: &mut Conn,
    name: &str,
    payload: &Value,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    // the command line, whose process has no workers to notify
    add(tx, name, Pool::General, None, payload, run_at, now).await
}

fn payload(task: &impl Task) -> Value {
    serde_json::to_value(task).expect("a task is plain data")
}

async fn add(
    tx: &mut Conn,
    name: &str,
    pool: Pool,
    lane: Option<&str>,
    payload: &Value,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    if run_at <= now {
        tx.when_durable(move || pool.due().notify_one());
    }
    let columns =
        [Tasks::Name, Tasks::Lane, Tasks::Payload, Tasks::State, Tasks::RunAt, Tasks::CreatedAt, Tasks::UpdatedAt];
    let statement = Query::insert()
        .into_table(Tasks::Table)
        .columns(columns)
        .values_panic([
            name.into(),
            lane.map(str::to_owned).into(),
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
pub async fn plan(tx: &mut Conn, name: &str, latest: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<()> {
    let columns =
        [Tasks::Name, Tasks::Payload, Tasks::Key, Tasks::State, Tasks::RunAt, Tasks::CreatedAt, Tasks::UpdatedAt];
    let insert = Query::insert()
        .into_table(Tasks::Table)
        .columns(columns)
        .values_panic([name.into(), "{}".into(), name.into(), QUEUED.into(), now.into(), now.into(), now.into()])
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

/// What is due, the longest first: queued, or left behind by a worker that has died; of a lane only its first.
fn due(names: &[&str], limit: u64, now: DateTime<Utc>) -> SelectStatement {
    let queued = Expr::col(Tasks::State).eq(QUEUED).and(Expr::col(Tasks::RunAt).lte(now));
    let left = Expr::col(Tasks::State).eq(RUNNING).and(Expr::col(Tasks::LeaseUntil).lte(now));
    Query::select()
        .column(Tasks::Id)
        .from(Tasks::Table)
        // what another build has asked for waits for a worker that knows it
        .and_where(Expr::col(Tasks::Name).is_in(names.iter().copied()))
        .cond_where(Cond::any().add(queued).add(left))
        .and_where(Expr::exists(earlier_of_the_lane()).not())
        .order_by(Tasks::RunAt, Order::Asc)
        .order_by(Tasks::Id, Order::Asc)
        .limit(limit)
        .take()
}

/// What a task of a lane waits for. A task without a lane finds nothing: null is equal to nothing.
///
/// Of two workers at once none gets the second of a lane while the other has the first: that is there, queued or
/// running, until what deletes or parks it is committed. So the lane of an object has the order of its ids, which are
/// given while whoever changes the object keeps others from it.
fn earlier_of_the_lane() -> SelectStatement {
    let earlier = || Alias::new("earlier");
    Query::select()
        .expr(Expr::val(1))
        .from_as(Tasks::Table, earlier())
        .and_where(Expr::col((earlier(), Tasks::Lane)).equals((Tasks::Table, Tasks::Lane)))
        .and_where(Expr::col((earlier(), Tasks::Id)).lt(Expr::col((Tasks::Table, Tasks::Id))))
        .and_where(Expr::col((earlier(), Tasks::State)).ne(FAILED))
        // asked of what is due, by the index: without the offset PostgreSQL would join the table with the whole of itself
        .limit(1)
        .offset(0)
        .take()
}

/// Whether there is something to take: a look that locks nothing.
pub async fn is_due(conn: &mut Conn, names: &[&str], now: DateTime<Utc>) -> DbResult<bool> {
    Ok(conn.maybe::<(i64,)>(&due(names, 1, now)).await?.is_some())
}

/// Takes what is due for a worker; of several workers at once each gets others.
pub async fn take(
    tx: &mut Conn,
    worker: &str,
    names: &[&str],
    limit: u64,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<Vec<Taken>> {
    let due = due(names, limit, now).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).take();
    // as a subquery PostgreSQL might run it more than once, and lock more than the limit
    let ids: Vec<(i64,)> = tx.all(&due).await?;
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

/// It has ended well, and does not run by itself.
pub async fn remove(conn: &mut Conn, task: &Taken) -> DbResult<()> {
    let statement = Query::delete().from_table(Tasks::Table).cond_where(still_held(task)).take();
    conn.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// What becomes of a task that is kept.
pub enum Next<'a> {
    /// It is due again then, as if it had never run.
    Anew(DateTime<Utc>),
    /// It is tried again then.
    Again(DateTime<Utc>, &'a str),
    /// It stays, for a person to look at.
    Failed(&'a str),
    /// It was not finished, and not for a fault of its own: that try does not count.
    Back(DateTime<Utc>),
}

/// Gives a task up, for what is next.
pub async fn release(conn: &mut Conn, task: &Taken, next: Next<'_>, now: DateTime<Utc>) -> DbResult<()> {
    let (state, run_at, attempts, error) = match next {
        Next::Anew(at) => (QUEUED, Some(at), 0, None),
        Next::Again(at, error) => (QUEUED, Some(at), task.attempts, Some(error)),
        Next::Failed(error) => (FAILED, None, task.attempts, Some(error)),
        Next::Back(at) => (QUEUED, Some(at), task.attempts - 1, None),
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

/// Postpones the queued tasks in the lanes whose names begin like this: none is due before `until`.
pub async fn postpone_lanes(tx: &mut Conn, beginning: &str, until: DateTime<Utc>) -> DbResult<()> {
    let statement =
        queued_in_lanes(beginning).value(Tasks::RunAt, until).and_where(Expr::col(Tasks::RunAt).lt(until)).take();
    tx.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// Makes the queued tasks due now that were never tried, as [`postpone_lanes`] leaves them. A task that has failed keeps
/// its own pause before the next try.
pub async fn resume_lanes(tx: &mut Conn, beginning: &str, now: DateTime<Utc>) -> DbResult<()> {
    let statement = queued_in_lanes(beginning)
        .value(Tasks::RunAt, now)
        .and_where(Expr::col(Tasks::Attempts).eq(0))
        .and_where(Expr::col(Tasks::RunAt).gt(now))
        .take();
    tx.write(Tasks::FREE, &statement).await?;
    tx.when_durable(|| Pool::General.due().notify_one());
    Ok(())
}

fn queued_in_lanes(beginning: &str) -> UpdateStatement {
    Query::update()
        .table(Tasks::Table)
        .and_where(Expr::col(Tasks::Lane).like(format!("{beginning}%")))
        .and_where(Expr::col(Tasks::State).eq(QUEUED))
        .take()
}

/// Takes out what waits in the lanes whose names begin like this; what runs goes on.
pub async fn cancel_lanes(tx: &mut Conn, beginning: &str) -> DbResult<()> {
    let statement = Query::delete()
        .from_table(Tasks::Table)
        .and_where(Expr::col(Tasks::Lane).like(format!("{beginning}%")))
        .and_where(Expr::col(Tasks::State).eq(QUEUED))
        .take();
    tx.write(Tasks::FREE, &statement).await?;
    Ok(())
}

/// Takes a task out; one that runs is stopped when its worker renews the lease. False if there is none.
pub async fn cancel(tx: &mut Conn, id: i64) -> DbResult<bool> {
    let statement = Query::delete().from_table(Tasks::Table).and_where(Expr::col(Tasks::Id).eq(id)).take();
    Ok(tx.write(Tasks::FREE, &statement).await? > 0)
}
