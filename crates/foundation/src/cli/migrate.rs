//! `migrate`

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, print};
use crate::config::{Config, mask};
use crate::db::Dialect;
use crate::db::migrate::{self, Direction, MigrationError, Revision, Set, Status, Target, status};

/// What to do, and with which migrations.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    step: Step,
    /// Take the migrations of this folder (with sqlite/ and postgres/ in it) instead of those built in
    #[arg(long, global = true, value_name = "FOLDER")]
    migrations: Option<PathBuf>,
}

/// One subcommand.
#[derive(Subcommand)]
enum Step {
    /// Apply migrations: up to head, or to a revision, or +N
    Up {
        /// head, +N, a number such as 0003, or a name such as 0003_books
        #[arg(default_value = "head", allow_hyphen_values = true)]
        target: Target,
        #[command(flatten)]
        dry: Dry,
    },
    /// Undo migrations: down to base, or to a revision, or -N
    Down {
        /// base, -N, or the revision that stays the newest
        #[arg(allow_hyphen_values = true)]
        target: Target,
        #[command(flatten)]
        dry: Dry,
    },
    /// Go to a revision, whichever way it lies
    To {
        /// head, base, +N, -N, or a revision
        #[arg(allow_hyphen_values = true)]
        target: Target,
        #[command(flatten)]
        dry: Dry,
    },
    /// Print the newest applied migration
    Current,
    /// List all migrations, the applied ones marked
    History,
    /// Print the migrations that no other builds on: one, unless two branches have each written one
    Heads,
    /// Say where the database stands, and what is to be done
    Status,
}

#[derive(Args)]
struct Dry {
    /// Print the SQL, and run none of it
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub async fn run(config: &Config, Arguments { step, migrations }: Arguments) -> Result<(), Failure> {
    let url = &config.database.database_url;
    let failed = |error| failed(url, &error);
    let dialect = Dialect::of(url);
    let set = match migrations {
        Some(folder) => Set::read(&folder, dialect),
        None => migrate::built_in(dialect).cloned(),
    };
    let set = set.map_err(failed)?;
    let (direction, target, dry) = match step {
        Step::Up { target, dry } => (Direction::Up, target, dry),
        Step::Down { target, dry } => (Direction::Down, target, dry),
        Step::To { target, dry } => (Direction::Either, target, dry),
        Step::Heads => return print(&heads(&set)),
        Step::Current => return print(&current(&status(url, set).await.map_err(failed)?)),
        Step::History => return print(&history(&status(url, set).await.map_err(failed)?)),
        Step::Status => return print(&standing(&mask(url), &status(url, set).await.map_err(failed)?)),
    };
    if dry.dry_run {
        let sql = migrate::script(&status(url, set).await.map_err(failed)?, direction, &target).map_err(failed)?;
        return print(if sql.is_empty() { "-- nothing to do\n" } else { &sql });
    }
    config.database.make_file()?;
    let mut tell = |line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let steps = migrate::run(url, &set, direction, &target, &mut tell).await.map_err(failed)?;
    if steps.is_empty() {
        return print("nothing to do\n");
    }
    print(&steps.iter().map(|step| format!("{step}\n")).collect::<String>())
}

/// `0012_identities (head)`, `0010_sessions (2 pending)`, `0013_x (unknown to this binary)`
fn current(status: &Status) -> String {
    let note = match (status.pending().len(), status.unknown().is_empty()) {
        (0, true) => "head".to_owned(),
        (0, false) => "unknown to this binary".to_owned(),
        (pending, _) => format!("{pending} pending"),
    };
    format!("{} ({note})\n", status.current())
}

fn history(status: &Status) -> String {
    let pending = status.pending();
    let mut lines = String::new();
    for revision in status.set.revisions() {
        let mark = if pending.contains(&revision) { ' ' } else { 'x' };
        let Revision { id, header, .. } = revision;
        let joins =
            if header.parents.len() > 1 { format!(" (joins {})", header.parents.join(", ")) } else { String::new() };
        lines += &format!("[{mark}] {id:<24} {}  {}{joins}\n", header.created, header.message);
    }
    for row in status.unknown() {
        lines += &format!("[?] {:<24} applied by a newer release\n", row.id());
    }
    lines
}

fn heads(set: &Set) -> String {
    let parents = |head: &Revision| match &head.header.parents[..] {
        [] => migrate::header::BASE.to_owned(),
        parents => parents.join(", "),
    };
    set.heads().into_iter().map(|head| format!("{head} (parent {})\n", parents(head))).collect()
}

fn standing(url: &str, status: &Status) -> String {
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let pending = status.pending().into_iter().map(Revision::to_string).collect();
    let mut lines = format!(
        "database  {url}\ncurrent   {}\nheads     {}\npending   {}\n",
        status.current(),
        list(status.set.heads().into_iter().map(Revision::to_string).collect()),
        list(pending),
    );
    for revision in status.edited() {
        lines += &format!("edited    {revision}: restore its file, and write a new migration\n");
    }
    for row in status.unknown() {
        let fits = if row.suits(&status.set) { "this binary goes on" } else { "this binary needs what it took away" };
        lines += &format!("unknown   {}: a newer release applied it; {fits}\n", row.id());
    }
    lines
}

/// The failure as one sentence.
pub fn failed(url: &str, error: &MigrationError) -> Failure {
    Failure::Other(match error {
        MigrationError::Database(_) => {
            let url = mask(url);
            format!("cannot migrate {url}: {error}; check DATABASE_URL, and that the place exists and can be written")
        }
        other => other.to_string(),
    })
}
