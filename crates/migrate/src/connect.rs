//! Connections: the options of SQLite, and the errors after which a retry may help.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::Dialect;

/// The number of prepared statements that a connection keeps.
pub const STATEMENTS: usize = 256;

/// Returns the SQLite options for one file. WAL allows reads during a write. FULL makes a committed write survive a
/// power loss; NORMAL would lose everything since the last checkpoint.
///
/// # Errors
/// The URL is invalid.
pub fn sqlite_options(url: &str, timeout: Duration) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(timeout)
        // 8 MiB a connection
        .pragma("cache_size", "-8192")
        .statement_cache_capacity(STATEMENTS)
        .optimize_on_close(true, 400))
}

/// Returns the file that a URL names, as sqlx reads it; `None` for PostgreSQL and for a database in memory.
///
/// # Errors
/// The URL of a SQLite database has an unknown parameter.
pub fn sqlite_file(url: &str) -> Result<Option<PathBuf>, sqlx::Error> {
    if Dialect::of(url) != Dialect::Sqlite {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url)?;
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let in_memory = |(key, value)| key == "mode" && value == "memory";
    if place.ends_with(":memory:") || url::form_urlencoded::parse(query.as_bytes()).any(in_memory) {
        return Ok(None);
    }
    let file = options.get_filename();
    Ok((!file.as_os_str().is_empty()).then(|| file.to_owned()))
}

/// Returns SQLite's primary result code; `None` for PostgreSQL's codes, which have five characters.
pub fn sqlite_code(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|code| code & 0xff)
}

/// Returns whether a retry may succeed without any other change.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // PostgreSQL: class 08 connection, 53 resources, 57P shutdown, 57014 and 55P03 timeouts, 40001 and 40P01
            // races. SQLite: 5 BUSY, 6 LOCKED and their extended forms.
            code.starts_with("08")
                || code.starts_with("53")
                || code.starts_with("57P")
                || ["57014", "55P03", "40001", "40P01", "25P03"].contains(&&*code)
                || matches!(sqlite_code(&code), Some(5 | 6))
        }),
        _ => false,
    }
}
