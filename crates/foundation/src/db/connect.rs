//! Pools: SQLite's pragmas, PostgreSQL's timeouts, and what counts as "the database is away".

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use accord_migrate::connect::{STATEMENTS, sqlite_code};
pub use accord_migrate::connect::{is_unavailable, sqlite_file, sqlite_options};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions, Connection};

use super::signals::Hooks;
use super::{Db, DbError, Dialect, Gates, Limits, Pools};
use crate::admission::{Gate, Patience};
use crate::declared;

/// A statement may run this many times as long as a request waits for a connection.
const STATEMENT_FACTOR: u32 = 2;

/// The delay of the client's time-out after the server's own `statement_timeout`.
const STATEMENT_MARGIN: Duration = Duration::from_secs(1);

/// Expensive requests get one connection in this many.
const EXPENSIVE_SHARE: u32 = 4;

/// One connection to PostgreSQL in this many is kept for readers.
const READERS_SHARE: u32 = 4;

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `sqlite:path` or `postgres://…`.
    pub url: String,
    /// How long a request waits for a connection or a lock.
    pub timeout: Duration,
    /// How many connections at most (PostgreSQL) or readers (SQLite).
    pub connections: u32,
    /// The expected wait for a connection above which a request is refused at once; zero for none.
    pub queue: Duration,
}

impl Db {
    /// Opens the pools and proves that the database answers. The hooks are called when rows change.
    ///
    /// # Errors
    /// The URL is not one of ours, the file cannot be opened, or the server does not answer.
    pub async fn connect(settings: &Settings, hooks: Hooks) -> Result<Self, DbError> {
        let Settings { url, timeout, connections, queue } = settings;
        let pools = match Dialect::of(url) {
            Dialect::Sqlite => {
                let options = sqlite_options(url, *timeout)?;
                let pool = || {
                    SqlitePoolOptions::new()
                        .acquire_timeout(*timeout)
                        // a file does not go away: the ping would be a round trip for nothing
                        .test_before_acquire(false)
                        .idle_timeout(None)
                        .max_lifetime(None)
                        .min_connections(1)
                };
                // the writer first: it makes the file that the readers open
                let writer = pool().max_connections(1).connect_with(options.clone()).await?;
                let readers = options.read_only(true).create_if_missing(false);
                let readers = pool().max_connections(*connections).connect_with(readers).await?;
                Pools::Sqlite { readers, writer }
            }
            Dialect::Postgres => {
                let options = PgConnectOptions::from_str(url)?
                    .application_name(declared::name())
                    .statement_cache_capacity(STATEMENTS)
                    .options([
                        ("statement_timeout", format!("{}ms", (*timeout * STATEMENT_FACTOR).as_millis())),
                        ("lock_timeout", format!("{}ms", timeout.as_millis())),
                        ("idle_in_transaction_session_timeout", "30s".to_owned()),
                        // The driver cannot set keep-alive on its sockets, so the server does: it ends the sessions of
                        // clients that have vanished, and firewalls between do not forget idle connections.
                        ("tcp_keepalives_idle", "30".to_owned()),
                        ("tcp_keepalives_interval", "10".to_owned()),
                        ("tcp_keepalives_count", "3".to_owned()),
                    ]);
                // once without the pool, which would only say that it timed out, not why
                let first = tokio::time::timeout(*timeout, options.connect()).await;
                first.map_err(|_| sqlx::Error::PoolTimedOut)??.close().await?;
                // The ping on acquire is what heals the pool after a restart of the server. sqlx's own has no limit, and
                // would take up the whole time that a request waits for a connection.
                let patience = *timeout / 2;
                let pool = PgPoolOptions::new()
                    .max_connections(*connections)
                    .acquire_timeout(*timeout)
                    .test_before_acquire(false)
                    .before_acquire(move |connection, _| {
                        Box::pin(async move { within(patience, connection.ping()).await.map(|()| true) })
                    })
                    .connect_with(options)
                    .await?;
                Pools::Postgres(pool)
            }
        };
        let limits = Limits { statement: *timeout * STATEMENT_FACTOR + STATEMENT_MARGIN, release: *timeout };
        let gate = |slots| Gate::new(slots, *queue, *timeout);
        let readers = gate(*connections);
        let writers = match pools {
            Pools::Sqlite { .. } => gate(1),
            Pools::Postgres(_) => gate((*connections - *connections / READERS_SHARE).max(1)),
        };
        let expensive = gate((*connections / EXPENSIVE_SHARE).max(1));
        let gates = Gates { readers, writers, expensive };
        Ok(Self {
            pools,
            hooks,
            limits,
            unwritable: Arc::default(),
            gates,
            patience: Patience::Request,
            for_changes: false,
        })
    }

    /// [`Db::connect`], again and again until `wait` is over: the database may start after us.
    ///
    /// # Errors
    /// The last failure, when the time is up or when waiting cannot help (bad URL, unwritable file).
    pub async fn connect_within(settings: &Settings, hooks: Hooks, wait: Duration) -> Result<Self, DbError> {
        let (start, mut pause) = (Instant::now(), Duration::from_millis(250));
        loop {
            match Self::connect(settings, hooks.clone()).await {
                Err(DbError::Unavailable(error)) if start.elapsed() + pause < wait => {
                    tracing::warn!(%error, "waiting for the database");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                result => return result,
            }
        }
    }
}

/// The result of `work`, or an I/O error if the server is silent for longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let text = format!("the database server was silent for {} s", limit.as_secs_f32());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
    })
}

/// Returns whether the connection itself is lost, so that nothing else can be sent on it.
pub(super) fn is_disconnected(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed)
}

/// Whether a table or a column is missing: PostgreSQL's codes 42P01 and 42703, SQLite's message.
pub fn is_unmigrated(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.code().is_some_and(|code| ["42P01", "42703"].contains(&&*code))
            || ["no such table", "no such column"].iter().any(|start| error.message().starts_with(start))
    })
}

/// Returns whether the database can be read, but not be written: its disk is full or broken, or it has become a standby.
pub fn is_unwritable(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| {
        // PostgreSQL: 53100 disk_full, 58030 io_error, 25006 read_only_sql_transaction.
        // SQLite: 8 READONLY, 10 IOERR, 13 FULL and their extended forms.
        ["53100", "58030", "25006"].contains(&&*code) || matches!(sqlite_code(&code), Some(8 | 10 | 13))
    })
}
