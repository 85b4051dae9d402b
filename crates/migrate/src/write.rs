//! New migrations: what the declared tables and rows require, and the migration that merges two heads.

use std::path::PathBuf;

use anyhow::Context;

use crate::Dialect;
use crate::difference::{self, Decisions, Outcome};
use crate::folder::{Folder, Scripts};
use crate::migrations::header::Header;
use crate::migrations::{self, Direction, Set, Target};
use crate::rows::DeclaredRows;
use crate::tables::Table;

/// A developer must decide something, or change the declaration, before a migration can be written.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Undecided(
    /// One sentence for each decision, which says how to make it.
    pub Vec<String>,
);

/// The content of a new migration.
#[derive(Debug)]
pub struct Found {
    /// The scripts of each database.
    pub scripts: [(Dialect, Scripts); 2],
    /// One sentence for each change.
    pub changes: Vec<String>,
    /// One sentence for each loss of rows, values or names.
    pub destructive: Vec<String>,
}

/// Compares the declared tables and rows with databases at head, and writes the scripts of the difference. Returns
/// `None` if there is none. `scratch` are the URLs of empty databases, SQLite's first; they are migrated to head.
///
/// # Errors
/// [`Undecided`] if a decision is missing; a migration of the folder fails; or a database does not answer.
pub async fn difference(
    folder: &Folder,
    tables: &[Table],
    rows: &[DeclaredRows],
    decisions: &Decisions,
    scratch: [&str; 2],
) -> anyhow::Result<Option<Found>> {
    let mut found = vec![];
    for url in scratch {
        found.push(of(folder, tables, rows, decisions, url).await?);
    }
    if found.iter().all(Option::is_none) {
        return Ok(None);
    }
    let (mut changes, mut destructive) = (vec![], vec![]);
    let mut scripts = vec![];
    for (dialect, found) in Dialect::ALL.into_iter().zip(found) {
        let nothing = || "-- Nothing to do here: this is about the other database.\n".to_owned();
        let found = found.unwrap_or_else(|| One { up: nothing(), down: nothing(), ..One::default() });
        scripts.push((dialect, Scripts { up: found.up, down: found.down }));
        changes.extend(found.changes);
        destructive.extend(found.destructive);
    }
    for sentences in [&mut changes, &mut destructive] {
        sentences.sort();
        sentences.dedup();
    }
    let scripts = scripts.try_into().ok().context("there are two databases")?;
    Ok(Some(Found { scripts, changes, destructive }))
}

/// The difference of one database.
#[derive(Default)]
struct One {
    up: String,
    down: String,
    changes: Vec<String>,
    destructive: Vec<String>,
}

async fn of(
    folder: &Folder,
    tables: &[Table],
    rows: &[DeclaredRows],
    decisions: &Decisions,
    url: &str,
) -> anyhow::Result<Option<One>> {
    migrations::run(url, &folder.set(Dialect::of(url))?, Direction::Up, &Target::Head, &mut |_| {}).await?;
    let mut one = match difference::difference(tables, url, decisions).await? {
        Outcome::NoChange => One::default(),
        Outcome::Ask(sentences) | Outcome::Refused(sentences) => return Err(Undecided(sentences).into()),
        Outcome::Scripts(scripts) => {
            let difference::Scripts { up, down, changes, destructive } = scripts;
            One { up, down, changes, destructive }
        }
    };
    for rows in rows {
        if let Some(rows) = rows.difference(url).await? {
            let joined =
                |parts: [&str; 2]| parts.into_iter().filter(|sql| !sql.is_empty()).collect::<Vec<_>>().join("\n");
            // rows are inserted after their table is created, and deleted before it is dropped
            one.up = joined([&one.up, &rows.up]);
            one.down = joined([&rows.down, &one.down]);
            one.changes.extend(rows.changes);
        }
    }
    Ok((!one.changes.is_empty()).then_some(one))
}

/// Returns the header of a new migration on top of the one head. `created` is the day, such as `2026-11-21`.
///
/// # Errors
/// The set has two heads, which must be merged first.
pub fn header(set: &Set, message: &str, created: &str) -> anyhow::Result<Header> {
    let parents: Vec<_> = set.heads().into_iter().map(|head| head.id.clone()).collect();
    anyhow::ensure!(
        parents.len() < 2,
        "two heads: {}; `cargo xtask migrate merge` joins them first",
        parents.join(", ")
    );
    Ok(Header { parents, message: message.to_owned(), created: created.to_owned(), ..Header::default() })
}

/// The files of a migration that merges the heads.
#[derive(Debug)]
pub struct Merged {
    /// The message of the header, which names the heads.
    pub message: String,
    /// The new files.
    pub files: Vec<PathBuf>,
}

/// Writes a migration that changes nothing and has all heads as parents. Returns `None` if there is one head.
///
/// # Errors
/// The folder cannot be read or written, or its files are not a valid set.
pub fn merge(folder: &Folder, created: &str) -> anyhow::Result<Option<Merged>> {
    let set = folder.set(Dialect::Sqlite)?;
    let parents: Vec<_> = set.heads().into_iter().map(|head| head.id.clone()).collect();
    if parents.len() < 2 {
        return Ok(None);
    }
    let message = format!("Merge {}", parents.join(" and "));
    let header = Header { parents, message: message.clone(), created: created.to_owned(), ..Header::default() };
    let files = folder.write("merge", &header, Dialect::ALL.map(|dialect| (dialect, Scripts::default())))?;
    Ok(Some(Merged { message, files }))
}
