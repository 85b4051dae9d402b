//! The embedded migrations of both databases, applied and undone by sqlx.
//!
//! Same files and same `_sqlx_migrations` table as plain sqlx, but: SQLite runs them under one write lock
//! (sqlx takes none there), the connection is our own and is closed afterwards (sqlx leaks PostgreSQL's
//! advisory lock into the pool on failure), and a missing or foreign revision is refused instead of skipped.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sea_query::{Alias, Order, Query};
use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::{Conn, DbError, DbResult, Dialect, connect};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// sqlx's own table, so that its tools see the same history.
const TABLE: &str = "_sqlx_migrations";

/// Why a migration did not happen. The schema is at the revision before it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A migration failed, or the history in the database is not ours.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The command asks for something that is not there.
    #[error("{0}")]
    Target(String),
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The newest revision.
    Head,
    /// The empty database.
    Base,
    /// So many steps, signed.
    Relative(i64),
    /// This revision.
    Version(i64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse::<i64>()
                .map_err(|_| format!("`{text}` is no revision: use head, base, +1, -2 or a version such as 0003"))
        };
        match text {
            "head" => Ok(Self::Head),
            "base" => Ok(Self::Base),
            _ if text.starts_with(['+', '-']) => number(text).map(Self::Relative),
            _ => number(text).map(Self::Version),
        }
    }
}

/// Which ways a command may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Only forward.
    Up,
    /// Only back.
    Down,
    /// Whichever leads there.
    Either,
}

/// One migration of this binary.
#[derive(Clone)]
pub struct Revision {
    /// Its number, from the file name.
    pub version: i64,
    /// Its name, from the file name.
    pub name: String,
    up: &'static Migration,
    down: &'static Migration,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{}", self.version, self.name.replace(' ', "_"))
    }
}

/// Where a database stands.
pub struct Status {
    /// Every revision of this binary, oldest first.
    pub revisions: Vec<Revision>,
    /// How many of them are applied.
    pub applied: usize,
}

impl Status {
    /// No revision is missing.
    pub fn is_head(&self) -> bool {
        self.applied == self.revisions.len()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.applied.checked_sub(1).map_or("base".into(), |i| self.revisions[i].to_string());
        match self.revisions.len() - self.applied {
            0 => write!(f, "{at} (head)"),
            pending => write!(f, "{at} ({pending} pending)"),
        }
    }
}

/// The revisions of this binary for one database, oldest first.
pub fn revisions(dialect: Dialect) -> Vec<Revision> {
    let migrator = match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    };
    let (downs, ups): (Vec<_>, Vec<_>) =
        migrator.iter().partition(|migration| migration.migration_type.is_down_migration());
    let revision = |up: &'static Migration| {
        let down = downs.iter().find(|down| down.version == up.version);
        let down = *down.expect("every up file has a down file, `every_revision_can_be_undone` says so");
        Revision { version: up.version, name: up.description.to_string(), up, down }
    };
    ups.into_iter().map(revision).collect()
}

/// A connection of our own, closed when dropped, without the pools' timeouts: a migration may take long.
enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

async fn open(url: &str) -> Result<Connected, MigrationError> {
    Ok(match Dialect::of(url) {
        Dialect::Sqlite => {
            // long enough for another starter to finish; foreign keys off so that tables can be rebuilt
            let options = connect::sqlite_options(url, Duration::from_secs(60))?.foreign_keys(false);
            Connected::Sqlite(SqliteConnection::connect_with(&options).await?)
        }
        Dialect::Postgres => Connected::Postgres(PgConnection::connect(url).await?),
    })
}

/// Where the database stands.
///
/// # Errors
/// The database does not answer, or its history is not that of this binary.
pub async fn status(url: &str) -> Result<Status, MigrationError> {
    let revisions = revisions(Dialect::of(url));
    let applied = match open(url).await? {
        Connected::Sqlite(mut connection) => applied(&mut connection, &revisions).await?,
        Connected::Postgres(mut connection) => applied(&mut connection, &revisions).await?,
    };
    Ok(Status { revisions, applied })
}

/// Whether the database has exactly the schema this binary needs. Only reads, on a connection that is there already.
///
/// # Errors
/// The database does not answer.
pub async fn is_head(conn: &mut Conn) -> DbResult<bool> {
    let statement = Query::select()
        .columns(["version", "checksum"].map(Alias::new))
        .from(Alias::new(TABLE))
        .order_by(Alias::new("version"), Order::Asc)
        .take();
    let applied = match conn.all::<(i64, Vec<u8>)>(&statement).await {
        // there is no such table: nothing was ever applied
        Err(DbError::Unmigrated(_)) => return Ok(false),
        applied => applied?,
    };
    let revisions = revisions(conn.dialect());
    let needed = revisions.iter().map(|revision| (revision.version, revision.up.checksum.as_ref()));
    Ok(needed.eq(applied.iter().map(|(version, checksum)| (*version, checksum.as_slice()))))
}

/// Goes to the target; answers the steps taken, e.g. `up 0003_posts`.
///
/// # Errors
/// As [`status`]; a failing migration is rolled back and names itself.
pub async fn run(url: &str, direction: Direction, target: Target) -> Result<Vec<String>, MigrationError> {
    let revisions = revisions(Dialect::of(url));
    match open(url).await? {
        Connected::Sqlite(mut connection) => {
            // one lock around all of it: of two starters one applies, the other finds nothing to do
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let steps = walk(&mut *transaction, &revisions, direction, target).await?;
            transaction.commit().await?;
            Ok(steps)
        }
        Connected::Postgres(mut connection) => {
            connection.lock().await?;
            // closing the connection, at the end of this scope, releases the lock whatever happened
            walk(&mut connection, &revisions, direction, target).await
        }
    }
}

async fn applied<C: Migrate>(connection: &mut C, revisions: &[Revision]) -> Result<usize, MigrationError> {
    connection.ensure_migrations_table(TABLE).await?;
    let found = connection.list_applied_migrations(TABLE).await?;
    for (index, applied) in found.iter().enumerate() {
        let Some(revision) = revisions.get(index).filter(|r| r.version == applied.version) else {
            return Err(MigrateError::VersionMissing(applied.version).into());
        };
        if revision.up.checksum != applied.checksum {
            return Err(MigrateError::VersionMismatch(applied.version).into());
        }
    }
    Ok(found.len())
}

async fn walk<C: Migrate>(
    connection: &mut C,
    revisions: &[Revision],
    direction: Direction,
    target: Target,
) -> Result<Vec<String>, MigrationError> {
    let from = applied(connection, revisions).await?;
    let to = position(revisions, from, target)?;
    if (direction == Direction::Up && to < from) || (direction == Direction::Down && to > from) {
        let other = if direction == Direction::Up { "down" } else { "up" };
        return Err(MigrationError::Target(format!(
            "the target lies the other way: use `migrate {other}` or `migrate to`"
        )));
    }
    let mut steps = vec![];
    for revision in &revisions[from.min(to)..to] {
        connection.apply(TABLE, revision.up).await?;
        steps.push(format!("up {revision}"));
    }
    for revision in revisions[to..from.max(to)].iter().rev() {
        connection.revert(TABLE, revision.down).await?;
        steps.push(format!("down {revision}"));
    }
    Ok(steps)
}

/// How many revisions are applied when the target is reached.
fn position(revisions: &[Revision], from: usize, target: Target) -> Result<usize, MigrationError> {
    let head = revisions.len();
    let known = |version| revisions.iter().position(|revision| revision.version == version);
    let to = match target {
        Target::Head => Some(head),
        Target::Base => Some(0),
        Target::Relative(steps) => usize::try_from(from as i64 + steps).ok().filter(|to| *to <= head),
        Target::Version(version) => known(version).map(|index| index + 1),
    };
    to.ok_or_else(|| MigrationError::Target(format!("there is no such revision: {head} are known, {from} are applied")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_revision_can_be_undone_and_both_databases_have_the_same() {
        let names = |dialect| revisions(dialect).iter().map(Revision::to_string).collect::<Vec<_>>();
        assert_eq!(names(Dialect::Sqlite), names(Dialect::Postgres));
        assert!(!names(Dialect::Sqlite).is_empty());
    }

    #[tokio::test]
    async fn up_down_and_to_reach_their_targets() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        let head = revisions(Dialect::Sqlite).len();
        let at = async || status(&url).await.expect("status").applied;
        let go = async |direction, target: &str| {
            let target = target.parse().expect("a target");
            run(&url, direction, target).await.map_err(|error| error.to_string())
        };

        assert_eq!(go(Direction::Up, "head").await.expect("up").len(), head);
        assert!(go(Direction::Up, "head").await.expect("again").is_empty());
        assert_eq!(go(Direction::Down, "-2").await.expect("down").len(), 2);
        assert_eq!(at().await, head - 2);
        go(Direction::Either, "1").await.expect("to, backwards");
        assert_eq!(at().await, 1);
        go(Direction::Either, "3").await.expect("to, forwards");
        assert_eq!(at().await, 3);
        assert!(go(Direction::Up, "1").await.expect_err("the other way").contains("migrate down"));
        assert!(go(Direction::Up, "99").await.expect_err("unknown").contains("no such revision"));
        go(Direction::Down, "base").await.expect("base");
        assert_eq!(at().await, 0);
    }
}
