//! Migrations: applied and undone, each in a transaction, by one process at a time.
//!
//! The headers name the parents ([`header`], [`set`]), and [`plan`] finds the steps to a target. The database records
//! the applied migrations with their down files ([`history`]), so that a release can undo a migration that it does not
//! know. Statements run one by one ([`script`](mod@script)): an error names its statement, and a long one reports its
//! progress.

pub mod header;
pub mod history;
pub mod plan;
pub mod script;
pub mod set;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use tokio::time::{MissedTickBehavior, interval};

use self::header::Header;
pub use self::history::Applied;
use self::history::Connected;
pub use self::plan::{Direction, Step, Target};
use self::script::Statement;
pub use self::set::{Embedded, Revision, Script, Set, files};
use crate::{Dialect, connect};

/// The interval at which a long step reports its progress.
const TICK: Duration = Duration::from_secs(1);

static PROGRAM: OnceLock<&'static str> = OnceLock::new();

/// Sets the name of the program whose command `migrate` the messages recommend. A second call changes nothing.
pub fn set_program(name: &'static str) {
    let _ = PROGRAM.set(name);
}

/// The name of the program and a space. Empty if the name is not set.
fn program() -> String {
    PROGRAM.get().map_or_else(String::new, |name| format!("{name} "))
}

/// The reason why a migration failed. The schema has the revision before it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The files are not a valid set.
    #[error("the migrations are at fault:\n  {}", .0.join("\n  "))]
    Set(Vec<String>),
    /// The target does not exist, or a step to it is not allowed.
    #[error("{0}")]
    Target(String),
    /// Two branches have each written a migration: the names and the parents.
    #[error("two heads: {}; `cargo xtask migrate merge` joins them", .0.iter().map(|(id, parent)| format!("{id} (parent {parent})")).collect::<Vec<_>>().join(", "))]
    Heads(Vec<(String, String)>),
    /// The file of an applied migration was edited.
    #[error("migration {0} was edited after it had been applied: restore the file, and write a new migration")]
    Edited(String),
    /// The database was migrated by a newer release.
    #[error(
        "the database has migration {id}, which this binary does not know: it was made by a newer release. Start that one, \
         or go back with `{}migrate to {}`: the database has kept how",
        program(), .newest.as_deref().unwrap_or(header::BASE)
    )]
    Newer {
        /// The first unknown migration.
        id: String,
        /// The newest known migration.
        newest: Option<String>,
    },
    /// A statement failed, and its migration was rolled back.
    #[error(transparent)]
    Statement(Box<Failed>),
    /// The database does not answer, or cannot be locked or written.
    #[error("{}", cause(.0))]
    Database(#[from] sqlx::Error),
}

impl From<MigrateError> for MigrationError {
    fn from(error: MigrateError) -> Self {
        Self::Database(match error {
            MigrateError::Execute(error) => error,
            other => sqlx::Error::Migrate(Box::new(other)),
        })
    }
}

/// Returns the message of the database, without the line of PostgreSQL's source code that sqlx adds.
fn cause(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// A statement that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {file}, line {line}: `{statement}`: {cause}. It was undone: the database is at {at}")]
pub struct Failed {
    /// The step, such as `up 0003_books`.
    pub step: String,
    /// The name of the file.
    pub file: String,
    /// The line of the file.
    pub line: usize,
    /// The beginning of the statement.
    pub statement: String,
    /// The message of the database.
    pub cause: String,
    /// The revision that the database has now.
    pub at: String,
}

/// The state of a database.
#[derive(Debug, Clone)]
pub struct Status {
    /// The known migrations.
    pub set: Set,
    /// The applied migrations in order.
    pub applied: Vec<Applied>,
}

impl Status {
    /// Returns the known migrations that are not applied.
    pub fn pending(&self) -> Vec<&Revision> {
        let is_applied = |revision: &Revision| self.applied.iter().any(|row| row.id() == revision.id);
        self.set.revisions().iter().filter(|revision| !is_applied(revision)).collect()
    }

    /// Returns the applied migrations that are not known.
    pub fn unknown(&self) -> Vec<&Applied> {
        self.applied.iter().filter(|row| self.set.find(&row.id()).is_none()).collect()
    }

    /// Returns the known migrations whose checksum differs from the applied one.
    pub fn edited(&self) -> Vec<&Revision> {
        let was_another =
            |row: &Applied, revision: &Revision| row.id() == revision.id && row.checksum != revision.checksum;
        let is_edited = |revision: &&Revision| self.applied.iter().any(|row| was_another(row, revision));
        self.set.revisions().iter().filter(is_edited).collect()
    }

    /// Returns the newest applied migration, or `base`.
    pub fn current(&self) -> String {
        self.applied.last().map_or_else(|| header::BASE.to_owned(), Applied::id)
    }
}

/// The compatibility of a server with the schema of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fitness {
    /// The database has everything that the server needs.
    Fits,
    /// Migrations are missing.
    Behind,
    /// A newer release has removed something that the server needs.
    Ahead {
        /// The migration that removed it.
        id: String,
        /// The newest migration before it.
        before: String,
    },
}

impl Fitness {
    /// Compares the migrations that a server knows with those that are applied.
    pub fn of(set: &Set, applied: &[Applied]) -> Self {
        let has = |revision: &Revision| {
            applied.iter().any(|row| row.id() == revision.id && row.checksum == revision.checksum)
        };
        if !set.revisions().iter().all(has) {
            return Self::Behind;
        }
        let Some(at) = applied.iter().position(|row| set.find(&row.id()).is_none() && !row.suits(set)) else {
            return Self::Fits;
        };
        let before = applied[..at].last().map_or_else(|| header::BASE.to_owned(), Applied::id);
        Self::Ahead { id: applied[at].id(), before }
    }
}

impl std::fmt::Display for Fitness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fits => f.write_str("the database has the schema that this binary needs"),
            Self::Behind => write!(f, "the database needs another schema: {}migrate up", program()),
            Self::Ahead { id, before } => write!(
                f,
                "migration {id} of a newer release took away what this binary needs: start that release, or go back with \
                 `{}migrate to {before}`",
                program()
            ),
        }
    }
}

/// Reads the state of a database; writes nothing and creates no file.
///
/// # Errors
/// The database does not answer.
pub async fn status(url: &str, set: Set) -> Result<Status, MigrationError> {
    if connect::sqlite_file(url)?.is_some_and(|file| !file.exists()) {
        return Ok(Status { set, applied: vec![] });
    }
    let applied = Connected::open(url, false).await?.applied().await?;
    Ok(Status { set, applied })
}

/// Migrates a database to the target. Returns the steps taken. `tell` receives a line of progress every second while a
/// step takes long. Two processes run one after the other: the second one finds nothing to do.
///
/// # Errors
/// The target is rejected, or the database does not answer. If a statement fails, its migration is rolled back; the
/// migrations before it stay.
pub async fn run(
    url: &str,
    set: &Set,
    direction: Direction,
    target: &Target,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<Step>, MigrationError> {
    let mut connected = Connected::open(url, true).await?;
    let waiting = |took: Duration| format!("another process migrates this database: waiting for {} s", took.as_secs());
    while_telling(tell, waiting, connected.lock()).await?;
    let applied = connected.prepare(set).await?;
    let mut taken = vec![];
    let mut failure = None;
    let mut last = applied.last().map_or(0, |row| row.version);
    // refused as a whole, before anything is done
    let mut steps = plan::plan(set, &applied, direction, target)?.into_iter();
    let mut at: Vec<String> = applied.iter().map(Applied::id).collect();
    let newest = |at: &[String]| at.last().map_or(header::BASE, String::as_str).to_owned();
    let first = newest(&at);
    while let (None, Some(step)) = (&failure, steps.next()) {
        connected.begin().await?;
        match perform(&mut connected, &step, &mut last, tell).await {
            Ok(()) => {
                match &step {
                    Step::Up(revision) => at.push(revision.id.clone()),
                    Step::Down { .. } => drop(at.pop()),
                }
                taken.push(step);
            }
            Err(fault) => {
                let undone = connected.rollback().await.is_ok();
                // what leaves SQLite nothing to roll back has ended the transaction around all steps; a lost connection
                // to PostgreSQL has undone this one
                let alone = undone || connected.dialect() == Dialect::Postgres;
                failure = Some(fault.at(&step, if alone { newest(&at) } else { first.clone() }));
            }
        }
    }
    let unlocked = connected.unlock().await;
    if let Some(failure) = failure {
        return Err(failure);
    }
    unlocked?;
    Ok(taken)
}

/// A failure, before the revision of the database is known.
struct Fault {
    line: usize,
    statement: String,
    cause: String,
}

impl Fault {
    fn at(self, step: &Step, at: String) -> MigrationError {
        let file = match step {
            Step::Up(revision) => format!("{revision}.up.sql"),
            Step::Down { applied, .. } => format!("{}.down.sql", applied.id()),
        };
        let Self { line, statement, cause } = self;
        MigrationError::Statement(Box::new(Failed { step: step.to_string(), file, line, statement, cause, at }))
    }
}

/// Runs all statements of a step, and commits it.
async fn perform(
    connected: &mut Connected,
    step: &Step,
    last: &mut i64,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), Fault> {
    let began = Instant::now();
    let (sql, before) = match step {
        Step::Up(revision) => (revision.up.as_str(), revision.up_line - 1),
        Step::Down { sql, .. } => (sql.as_str(), 0),
    };
    let statements = script::statements(sql, connected.dialect());
    for (index, statement) in statements.iter().enumerate() {
        let place = format!("{step}, statement {} of {}", index + 1, statements.len());
        execute(connected, statement, &place, tell).await.map_err(|error| Fault {
            line: before + statement.line,
            statement: statement.summary(),
            cause: cause(&error),
        })?;
    }
    let whole = |cause: String| Fault { line: before + 1, statement: step.to_string(), cause };
    match connected.dangling().await {
        Ok(None) => {}
        Ok(Some(sentence)) => return Err(whole(sentence)),
        Err(error) => return Err(whole(cause(&error))),
    }
    let kept = match step {
        Step::Up(revision) => connected.remember(revision, *last, began.elapsed()).await.map(|row| *last = row.version),
        Step::Down { applied, .. } => connected.forget(applied.version).await,
    };
    kept.map_err(|error| whole(cause(&error)))?;
    // here PostgreSQL looks at constraints that are deferred
    connected.commit().await.map_err(|error| whole(cause(&error)))
}

/// Runs a statement. A repeated one reports the number of changed rows.
async fn execute(
    connected: &mut Connected,
    statement: &Statement,
    place: &str,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), sqlx::Error> {
    let (began, summary) = (Instant::now(), statement.summary());
    let mut total = 0;
    let mut told: Option<Instant> = None;
    loop {
        let goes_on = |took: Duration| {
            let rows = if statement.repeat { format!("{total} rows, ") } else { String::new() };
            format!("{place} (`{summary}`): {rows}{} s", (began.elapsed().max(took)).as_secs())
        };
        let rows = while_telling(tell, goes_on, connected.execute(&statement.sql)).await?;
        if !statement.repeat {
            return Ok(());
        }
        total += rows;
        // the first, the last, and between them one a second
        if rows == 0 || told.is_none_or(|told| told.elapsed() >= TICK) {
            told = Some(Instant::now());
            let end = if rows == 0 { ", done" } else { "" };
            tell(&format!("{place} (`{summary}`): {total} rows in {:.1} s{end}", began.elapsed().as_secs_f64()));
        }
        if rows == 0 {
            return Ok(());
        }
    }
}

/// Waits for `work`, and reports every second that it still runs.
async fn while_telling<T>(
    tell: &mut (dyn FnMut(&str) + Send),
    line: impl Fn(Duration) -> String,
    work: impl Future<Output = T>,
) -> T {
    let began = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // the first comes at once
    ticks.tick().await;
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => tell(&line(began.elapsed())),
        }
    }
}

/// Returns the SQL that [`run`] would run, each step under a comment that names it.
///
/// # Errors
/// The target is rejected.
pub fn script(status: &Status, direction: Direction, target: &Target) -> Result<String, MigrationError> {
    let mut text = String::new();
    for step in plan::plan(&status.set, &status.applied, direction, target)? {
        let sql = match &step {
            Step::Up(revision) => revision.up.clone(),
            // it was read when it was planned
            Step::Down { sql, .. } => Header::split(sql).map_or(sql.clone(), |(_, sql)| sql.to_owned()),
        };
        text += &format!("-- {step}\n{}\n\n", sql.trim_end());
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
