//! The one seam to the database.
//!
//! A store builds a sea-query statement; only this folder renders it for SQLite or PostgreSQL and runs
//! it with sqlx. `AssertSqlSafe` and `sqlx::query*` stand nowhere else.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the seam")]

pub mod connect;
mod constraint;
pub mod keyset;
pub mod migrate;
pub mod permit;
pub mod search;
pub mod signals;
pub mod tables;
pub mod versioned;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_query::{Expr, PostgresQueryBuilder, Query, SelectStatement, SqliteQueryBuilder};
use sea_query_sqlx::SqlxBinder;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, Sqlite, SqlitePool};
use sqlx_core::transaction::TransactionManager;

pub use accord_migrate::Dialect;
pub use constraint::{Constraint, Violated};
pub use permit::{DerivedColumn, Permit, Unsignalled};

use self::permit::Covers;
use self::signals::Hooks;
use crate::admission::{Gate, Patience, Refused, Slot};
use crate::declared;

/// Result of a statement.
pub type DbResult<T> = Result<T, DbError>;

/// Why a statement failed, as far as callers can act on it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database is away, shutting down, full of connections, or locked for too long: a retry may help.
    #[error("database unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// More requests than the database can take: this one would have waited for about so long.
    #[error("database overloaded")]
    Overloaded(Duration),
    /// A unique constraint or a foreign key rejected the row.
    #[error("{0:?}")]
    Violation(Violated, #[source] sqlx::Error),
    /// The database answers and can be read, but stores nothing: its disk is full or broken, or a failover has made it
    /// a standby. A retry may help once somebody has made room.
    #[error("the database cannot be written")]
    Unwritable(#[source] sqlx::Error),
    /// A table is missing: `migrate up` was not run.
    #[error("the database needs `{} migrate up`", declared::name())]
    Unmigrated(#[source] sqlx::Error),
    /// A fault of ours.
    #[error(transparent)]
    Other(sqlx::Error),
}

impl DbError {
    /// Returns whether this constraint rejected the row.
    pub fn violates(&self, constraint: Constraint) -> bool {
        matches!(self, Self::Violation(violated, _) if violated.is(constraint))
    }

    /// Returns whether the row of this table was not deleted because other rows refer to it.
    pub fn is_reference_to(&self, table: &str) -> bool {
        matches!(self, Self::Violation(violated, _) if violated.is_reference_to(table))
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match Violated::of(&error) {
            Some(violated) => Self::Violation(violated, error),
            None if connect::is_unwritable(&error) => Self::Unwritable(error),
            None if connect::is_unavailable(&error) => Self::Unavailable(error),
            None if connect::is_unmigrated(&error) => Self::Unmigrated(error),
            None => Self::Other(error),
        }
    }
}

impl From<Refused> for DbError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Overloaded(wait) => Self::Overloaded(wait),
            Refused::TimedOut => Self::Unavailable(sqlx::Error::PoolTimedOut),
        }
    }
}

/// A row type that both databases can be read into; `#[derive(FromRow)]` gives it.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// The pools, and what is called when rows change. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    hooks: Hooks,
    limits: Limits,
    unwritable: Unwritable,
    gates: Gates,
    patience: Patience,
    /// Set for requests that change something.
    for_changes: bool,
}

/// The time of the last failure to store a change; `None` after a change that is durable.
type Unwritable = Arc<Mutex<Option<Instant>>>;

/// The time after a failure to store a change in which the server is not ready. Then readiness writes a row itself. That
/// row is small and may fit where the changes of requests do not: without the pause, each failure would end readiness
/// for one probe only.
const UNWRITABLE_PAUSE: Duration = Duration::from_secs(5);

/// The queues before the pools.
#[derive(Clone)]
struct Gates {
    /// On PostgreSQL every connection has a slot of this gate.
    readers: Arc<Gate>,
    /// SQLite's one writer. On PostgreSQL a share of the connections, so that readers find one beside many changes.
    writers: Arc<Gate>,
    /// A share of the readers for expensive requests, so that cheap ones find a connection beside them.
    expensive: Arc<Gate>,
}

/// Time-outs for a silent PostgreSQL. A server that has failed over, or a network that drops packets, closes no
/// connection: without these limits every connection of the pool would wait for ever.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// For one statement, BEGIN or COMMIT; above the `statement_timeout` of the server.
    statement: Duration,
    /// For what is left of a transaction when its connection goes back to the pool.
    release: Duration,
}

#[derive(Clone)]
enum Pools {
    /// Read-only connections beside the one writer: a second writer waits its turn instead of failing.
    Sqlite {
        /// Read-only connections.
        readers: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
    },
    /// One pool for everything.
    Postgres(PgPool),
}

/// One pooled connection: each statement stands alone until [`Conn::begin`].
///
/// Dropping it inside a transaction rolls back. After a failed BEGIN or COMMIT, or a statement that the database did
/// not answer, the connection is closed rather than pooled: sqlx's SQLite connection is unusable after a failed COMMIT.
pub struct Conn {
    inner: Inner,
    /// Its places in the gates.
    _slots: [Option<Slot>; 2],
    transaction: Transaction,
    hooks: Hooks,
    limits: Limits,
    unwritable: Unwritable,
    /// Set by the first write of the transaction.
    has_written: bool,
    /// What the signals of this transaction have to say once it is durable.
    after_commit: Vec<Box<dyn FnOnce() + Send + Sync>>,
}

enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

#[derive(Clone, Copy, PartialEq)]
enum Transaction {
    None,
    Open,
    /// A hook has refused a change: nothing of the transaction may stay.
    Refused,
    Broken,
}

/// Renders `$statement` for the database behind `$conn`, has `$permit` look at it, and runs `$call` on it.
macro_rules! run {
    ($conn:expr, $permit:expr, $statement:expr, |$sql:ident, $values:ident, $on:ident| $call:expr) => {{
        let result = match &mut $conn.inner {
            Inner::Sqlite(connection) => {
                let (text, $values) = $statement.build_sqlx(SqliteQueryBuilder);
                permit::covers(&$permit, &text)?;
                let ($sql, $on) = (AssertSqlSafe(text), &mut **connection);
                $call.await
            }
            Inner::Postgres(connection) => {
                let (text, $values) = $statement.build_sqlx(PostgresQueryBuilder);
                permit::covers(&$permit, &text)?;
                let ($sql, $on) = (AssertSqlSafe(text), &mut **connection);
                connect::within($conn.limits.statement, $call).await
            }
        };
        result.map_err(|error| $conn.failed(error))
    }};
}

impl Db {
    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Of each pool its name, how many connections it has, and how many of them nobody uses.
    pub fn connections(&self) -> Vec<(&'static str, u32, usize)> {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                vec![("readers", readers.size(), readers.num_idle()), ("writer", writer.size(), writer.num_idle())]
            }
            Pools::Postgres(pool) => vec![("all", pool.size(), pool.num_idle())],
        }
    }

    /// Of each pool its name, and how many requests wait for one of its connections.
    pub fn queues(&self) -> Vec<(&'static str, u32)> {
        let (readers, writers) = (self.gates.readers.waiting(), self.gates.writers.waiting());
        match &self.pools {
            Pools::Sqlite { .. } => vec![("readers", readers), ("writer", writers)],
            Pools::Postgres(_) => vec![("all", readers + writers)],
        }
    }

    /// Returns a handle for workers and probes: they wait where a request would be refused.
    pub fn in_background(&self) -> Self {
        Self { patience: Patience::Background, ..self.clone() }
    }

    /// Returns a handle for requests that change something: on PostgreSQL, also the connections that they first read with
    /// count for the share of the writers.
    pub fn for_changes(&self) -> Self {
        Self { for_changes: true, ..self.clone() }
    }

    /// Tests whether a new request would be admitted, before any work is done for it.
    ///
    /// # Errors
    /// [`DbError::Overloaded`]
    pub fn check_load(&self, changes: bool) -> DbResult<()> {
        if changes {
            self.gates.writers.check()?;
        }
        if self.reads_from_pool(changes) {
            self.gates.readers.check()?;
        }
        Ok(())
    }

    /// Returns whether a connection for reading, or for a change, comes from the pool that readers use.
    fn reads_from_pool(&self, for_change: bool) -> bool {
        !for_change || matches!(self.pools, Pools::Postgres(_))
    }

    /// Waits for the places of a connection.
    async fn enter(&self, for_change: bool) -> DbResult<[Option<Slot>; 2]> {
        let writer = if for_change { Some(self.gates.writers.enter(self.patience).await?) } else { None };
        let reader =
            if self.reads_from_pool(for_change) { Some(self.gates.readers.enter(self.patience).await?) } else { None };
        Ok([writer, reader])
    }

    /// A place among the requests that read many rows. It must be held before a connection is taken.
    ///
    /// # Errors
    /// [`DbError::Overloaded`], or no place became free in time.
    pub async fn admit_expensive(&self) -> DbResult<Slot> {
        Ok(self.gates.expensive.enter(self.patience).await?)
    }

    /// A connection for reading.
    pub async fn read(&self) -> DbResult<Conn> {
        let (inner, slots) = match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let slots = self.enter(false).await?;
                (Inner::Sqlite(readers.acquire().await?), slots)
            }
            Pools::Postgres(pool) => {
                let slots = self.enter(self.for_changes).await?;
                (Inner::Postgres(pool.acquire().await?), slots)
            }
        };
        Ok(self.conn(inner, slots))
    }

    /// A transaction for writing.
    pub async fn begin(&self) -> DbResult<Conn> {
        let slots = self.enter(true).await?;
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(writer.acquire().await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        };
        let mut conn = self.conn(inner, slots);
        conn.begin().await?;
        Ok(conn)
    }

    /// Turns a reading connection into a writing transaction: on PostgreSQL the same connection, so that
    /// a request never holds two; on SQLite the writer.
    pub async fn begin_on(&self, conn: Option<Conn>) -> DbResult<Conn> {
        match (&self.pools, conn) {
            (Pools::Postgres(_), Some(mut conn)) => {
                conn.begin().await?;
                Ok(conn)
            }
            (_, conn) => {
                drop(conn);
                self.begin().await
            }
        }
    }

    /// Tests whether changes can be stored. After a failed change this function writes one itself: otherwise a server that
    /// is taken out of service for its full disk would never come back.
    ///
    /// # Errors
    /// Changes cannot be stored, or the database is away.
    pub async fn check_writable(&self) -> DbResult<()> {
        let Some(failed) = *lock(&self.unwritable) else { return Ok(()) };
        if failed.elapsed() < UNWRITABLE_PAUSE {
            let text = format!("a change could not be stored {} s ago", failed.elapsed().as_secs());
            return Err(DbError::Unwritable(std::io::Error::new(std::io::ErrorKind::StorageFull, text).into()));
        }
        let mut conn = self.begin().await?;
        let written = match &mut conn.inner {
            // writes the first page, whatever it holds
            Inner::Sqlite(connection) => {
                sqlx::raw_sql("PRAGMA user_version = 0").execute(&mut **connection).await.map(|_| ())
            }
            // extends a file in the place where the tables are
            Inner::Postgres(connection) => {
                let table = "CREATE TEMPORARY TABLE write_check ON COMMIT DROP AS SELECT repeat('x', 1000)";
                let work = sqlx::raw_sql(table).execute(&mut **connection);
                connect::within(self.limits.statement, work).await.map(|_| ())
            }
        };
        written.map_err(|error| conn.failed(error))?;
        conn.has_written = true;
        conn.commit().await
    }

    fn conn(&self, inner: Inner, slots: [Option<Slot>; 2]) -> Conn {
        Conn {
            inner,
            _slots: slots,
            transaction: Transaction::None,
            hooks: self.hooks.clone(),
            limits: self.limits,
            unwritable: self.unwritable.clone(),
            has_written: false,
            after_commit: vec![],
        }
    }
}

impl Conn {
    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// SQLite takes its write lock here: a deferred transaction that turns to writing fails at once
    /// with "database is locked" when another wrote in between.
    async fn begin(&mut self) -> DbResult<()> {
        // before the await: a statement that fails half-way must not leave an open transaction in the pool
        self.transaction = Transaction::Broken;
        let begun = match &mut self.inner {
            Inner::Sqlite(connection) => {
                let begin = sqlx::SqlStr::from_static("BEGIN IMMEDIATE");
                <Sqlite as sqlx::Database>::TransactionManager::begin(connection, Some(begin)).await
            }
            Inner::Postgres(connection) => {
                let begin = <Postgres as sqlx::Database>::TransactionManager::begin(connection, None);
                connect::within(self.limits.statement, begin).await
            }
        };
        begun.map_err(|error| self.failed(error))?;
        (self.transaction, self.has_written) = (Transaction::Open, false);
        Ok(())
    }

    /// Marks the connection and the database after a failed statement, and converts the error.
    fn failed(&mut self, error: sqlx::Error) -> DbError {
        // what the database itself refuses leaves a transaction that can be rolled back
        let undecided = error.as_database_error().is_none() && self.transaction != Transaction::None;
        let is_unwritable = connect::is_unwritable(&error);
        if is_unwritable {
            *lock(&self.unwritable) = Some(Instant::now());
        }
        // SQLite has rolled back by itself; a PostgreSQL that became a standby must be asked for by a new connection
        if undecided || is_unwritable || connect::is_disconnected(&error) {
            self.transaction = Transaction::Broken;
        }
        error.into()
    }

    /// Makes other transactions that lock the same name wait until this one ends. A limit on the number of rows needs
    /// it: row locks do not cover rows that a concurrent transaction is about to insert. SQLite has one writer anyway.
    ///
    /// # Errors
    /// The database is away, or the lock was not free within `lock_timeout`.
    pub async fn lock(&mut self, name: &str) -> DbResult<()> {
        if self.dialect() == Dialect::Postgres {
            let lock = Expr::cust_with_values("pg_advisory_xact_lock(hashtextextended($1, 0))::text", [name]);
            self.one::<(String,)>(&Query::select().expr(lock).take()).await?;
        }
        Ok(())
    }

    /// Makes the transaction durable; only after this may success be told.
    ///
    /// # Errors
    /// Nothing is kept: the database is away, or a hook has refused a change.
    pub async fn commit(mut self) -> DbResult<()> {
        match self.transaction {
            Transaction::None => return Ok(()),
            Transaction::Refused | Transaction::Broken => {
                return Err(DbError::Other(sqlx::Error::Protocol(
                    "what was refused or broken was to be committed".into(),
                )));
            }
            Transaction::Open => self.transaction = Transaction::Broken,
        }
        let committed = match &mut self.inner {
            Inner::Sqlite(connection) => <Sqlite as sqlx::Database>::TransactionManager::commit(connection).await,
            Inner::Postgres(connection) => {
                let commit = <Postgres as sqlx::Database>::TransactionManager::commit(connection);
                connect::within(self.limits.statement, commit).await
            }
        };
        committed.map_err(|error| self.failed(error))?;
        self.transaction = Transaction::None;
        if self.has_written {
            *lock(&self.unwritable) = None;
        }
        for tell in std::mem::take(&mut self.after_commit) {
            tell();
        }
        Ok(())
    }

    /// Says something once the transaction is durable, and nothing if it never is.
    pub fn when_durable(&mut self, tell: impl FnOnce() + Send + Sync + 'static) {
        self.after_commit.push(Box::new(tell));
    }

    /// Exactly one row.
    pub async fn one<R: Row>(&mut self, statement: &SelectStatement) -> DbResult<R> {
        run!(self, permit::Reading, statement, |sql, values, on| sqlx::query_as_with(sql, values).fetch_one(on))
    }

    /// One row or none.
    pub async fn maybe<R: Row>(&mut self, statement: &SelectStatement) -> DbResult<Option<R>> {
        run!(self, permit::Reading, statement, |sql, values, on| sqlx::query_as_with(sql, values).fetch_optional(on))
    }

    /// All rows; the statement carries its own limit.
    pub async fn all<R: Row>(&mut self, statement: &SelectStatement) -> DbResult<Vec<R>> {
        run!(self, permit::Reading, statement, |sql, values, on| sqlx::query_as_with(sql, values).fetch_all(on))
    }

    /// Else what a hook refuses would stay.
    fn is_in_transaction(&mut self) -> DbResult<()> {
        match self.transaction {
            Transaction::None => Err(DbError::Other(sqlx::Error::Protocol("a write outside a transaction".into()))),
            _ => {
                self.has_written = true;
                Ok(())
            }
        }
    }

    /// Writes into the table of the permit; answers how many rows it changed.
    pub async fn write(&mut self, permit: impl Covers, statement: &impl SqlxBinder) -> DbResult<u64> {
        self.is_in_transaction()?;
        run!(self, permit, statement, |sql, values, on| async {
            sqlx::query_with(sql, values).execute(on).await.map(|done| done.rows_affected())
        })
    }

    /// The same with `RETURNING`: exactly one row.
    pub async fn write_one<R: Row>(&mut self, permit: impl Covers, write: &impl SqlxBinder) -> DbResult<R> {
        self.is_in_transaction()?;
        run!(self, permit, write, |sql, values, on| sqlx::query_as_with(sql, values).fetch_one(on))
    }

    /// The same with `RETURNING`: one row or none.
    pub async fn write_maybe<R: Row>(&mut self, permit: impl Covers, write: &impl SqlxBinder) -> DbResult<Option<R>> {
        self.is_in_transaction()?;
        run!(self, permit, write, |sql, values, on| sqlx::query_as_with(sql, values).fetch_optional(on))
    }

    /// The same with `RETURNING`: every row that it changed.
    pub async fn write_all<R: Row>(&mut self, permit: impl Covers, write: &impl SqlxBinder) -> DbResult<Vec<R>> {
        self.is_in_transaction()?;
        run!(self, permit, write, |sql, values, on| sqlx::query_as_with(sql, values).fetch_all(on))
    }
}

fn lock(unwritable: &Unwritable) -> MutexGuard<'_, Option<Instant>> {
    unwritable.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Conn {
    fn drop(&mut self) {
        let unfinished = matches!(self.transaction, Transaction::Open | Transaction::Refused);
        match &mut self.inner {
            Inner::Sqlite(connection) if unfinished => {
                <Sqlite as sqlx::Database>::TransactionManager::start_rollback(connection);
            }
            Inner::Sqlite(connection) if self.transaction == Transaction::Broken => connection.close_on_drop(),
            Inner::Sqlite(_) => {}
            // The future owns the connection and its place in the pool. Dropped without a poll it closes the socket at
            // once; `close_on_drop` would first write to a server that may not read.
            Inner::Postgres(connection) if self.transaction == Transaction::Broken => drop(connection.return_to_pool()),
            Inner::Postgres(connection) => {
                if unfinished {
                    <Postgres as sqlx::Database>::TransactionManager::start_rollback(connection);
                }
                // sqlx rolls back and pings here, without a limit of its own
                tokio::spawn(tokio::time::timeout(self.limits.release, connection.return_to_pool()));
            }
        }
    }
}
