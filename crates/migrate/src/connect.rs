//! Connections: the options of SQLite, and the errors after which a retry may help.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::Dialect;

/// Statements kept prepared per connection; more than the product has.
pub const STATEMENTS: usize = 256;

/// SQLite options for one file. WAL lets readers go on while one writes; FULL makes an acknowledged
/// write survive a power loss (NORMAL loses everything since the last checkpoint).
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

/// The file that a URL names, as sqlx reads it; none for PostgreSQL, and for a database in memory.
///
/// # Errors
/// It is a URL of SQLite, and says what is unknown.
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

/// SQLite's primary result code; `None` for the five characters of PostgreSQL.
pub fn sqlite_code(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|code| code & 0xff)
}

/// Whether a later try may succeed without anyone changing anything.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // PostgreSQL: class 08 connection, 53 resources, 57P shutdown, 57014 and 55P03 timeouts, 40001 and 40P01 races.
            // SQLite: 5 BUSY, 6 LOCKED and their extended forms.
            code.starts_with("08")
                || code.starts_with("53")
                || code.starts_with("57P")
                || ["57014", "55P03", "40001", "40P01", "25P03"].contains(&&*code)
                || matches!(sqlite_code(&code), Some(5 | 6))
        }),
        _ => false,
    }
}
