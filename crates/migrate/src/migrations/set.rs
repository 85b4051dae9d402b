//! A set of migrations: its files, their parents, and the order of application.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha384};
use sqlx::migrate::{Migration, Migrator};

use super::MigrationError;
use super::header::Header;
use crate::Dialect;

/// The migrations of an application that are part of its binary.
pub struct Embedded {
    /// For SQLite.
    pub sqlite: Migrator,
    /// For PostgreSQL.
    pub postgres: Migrator,
}

impl Embedded {
    /// Returns the names and texts of the files for a database.
    pub fn files(&self, dialect: Dialect) -> Vec<(String, String)> {
        let migrator = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        let file = |file: &Migration| {
            let end = if file.migration_type.is_down_migration() { "down" } else { "up" };
            let name = format!("{:04}_{}.{end}.sql", file.version, file.description.replace(' ', "_"));
            (name, file.sql.as_str().to_owned())
        };
        migrator.iter().map(file).collect()
    }
}

/// A migration that is part of a binary as text.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// The name of its files, without the endings: `0004_webhooks`.
    pub name: &'static str,
    /// The up and down files for SQLite.
    pub sqlite: [&'static str; 2],
    /// The up and down files for PostgreSQL.
    pub postgres: [&'static str; 2],
}

impl Script {
    /// Returns the names and texts of the files for a database.
    pub fn files(&self, dialect: Dialect) -> [(String, String); 2] {
        let [up, down] = match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        };
        [(format!("{}.up.sql", self.name), up.to_owned()), (format!("{}.down.sql", self.name), down.to_owned())]
    }
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The name of its files, without the endings: `0013_slugs`.
    pub id: String,
    /// The header of the up file.
    pub header: Header,
    /// The up file, without its header.
    pub up: String,
    /// The line of the file on which `up` begins; the first line is 1.
    pub up_line: usize,
    /// The down file with its header.
    pub down: String,
    /// The SHA-384 checksum of `up`.
    pub checksum: Vec<u8>,
}

impl Revision {
    /// Returns the number at the beginning of the name.
    pub fn number(&self) -> i64 {
        number(&self.id)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// Returns the number at the beginning of a name; 0 if there is none.
pub(super) fn number(id: &str) -> i64 {
    id.split('_').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Returns whether the name survives sqlx, which stores only the number and the words.
fn is_name(id: &str) -> bool {
    let letters = |words: &str| words.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    id.split_once('_').is_some_and(|(digits, words)| {
        let number = number(id);
        number > 0 && digits == format!("{number:04}") && !words.is_empty() && letters(words)
    })
}

/// The migrations of one database, each after its parents.
#[derive(Debug, Clone, Default)]
pub struct Set {
    revisions: Vec<Revision>,
}

/// Reads the names and texts of the migrations of a folder that contains `sqlite` and `postgres`.
///
/// # Errors
/// The folder cannot be read, or contains no migration.
pub fn files(folder: &Path, dialect: Dialect) -> Result<Vec<(String, String)>, MigrationError> {
    let folder = folder.join(dialect.folder());
    let read = || -> std::io::Result<Vec<(String, String)>> {
        let mut files = vec![];
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".sql") {
                files.push((name, std::fs::read_to_string(entry.path())?));
            }
        }
        Ok(files)
    };
    let files =
        read().map_err(|error| MigrationError::Set(vec![format!("cannot read {}: {error}", folder.display())]))?;
    if files.is_empty() {
        return Err(MigrationError::Set(vec![format!("{} has no migrations in it", folder.display())]));
    }
    Ok(files)
}

impl Set {
    /// Reads the migrations of a folder that contains `sqlite` and `postgres`.
    ///
    /// # Errors
    /// The folder cannot be read, or contains no migration; otherwise as [`Set::of`].
    pub fn read(folder: &Path, dialect: Dialect) -> Result<Self, MigrationError> {
        Self::of(files(folder, dialect)?).map_err(MigrationError::Set)
    }

    /// Creates a set from the names and texts of files.
    ///
    /// # Errors
    /// All faults: invalid names, missing files, invalid headers, unknown parents, cycles.
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<String>> {
        let mut faults = vec![];
        let (mut ups, mut downs) = (BTreeMap::new(), BTreeMap::new());
        for (name, text) in files {
            // as git hands it out on Windows: the same migration nevertheless
            let text = text.replace("\r\n", "\n");
            let half = match (name.strip_suffix(".up.sql"), name.strip_suffix(".down.sql")) {
                (Some(id), _) if is_name(id) => ups.insert(id.to_owned(), text),
                (_, Some(id)) if is_name(id) => downs.insert(id.to_owned(), text),
                _ => {
                    faults.push(format!(
                        "{name}: call it as 0001_some_words.up.sql or 0001_some_words.down.sql: four digits, small letters"
                    ));
                    continue;
                }
            };
            if half.is_some() {
                faults.push(format!("{name}: stands twice"));
            }
        }
        for id in downs.keys().filter(|id| !ups.contains_key(*id)) {
            faults.push(format!("{id}.up.sql: missing beside {id}.down.sql"));
        }
        let mut revisions = vec![];
        for (id, text) in ups {
            let Some(down) = downs.remove(&id) else {
                faults.push(format!("{id}.down.sql: missing beside {id}.up.sql"));
                continue;
            };
            if let Err(fault) = Header::split(&down) {
                faults.push(format!("{id}.down.sql: {fault}"));
            }
            match Header::split(&text) {
                Err(fault) => faults.push(format!("{id}.up.sql: {fault}")),
                Ok((_, sql)) if sql.len() == text.len() => faults.push(format!("{id}.up.sql: has no `-- parent:`")),
                Ok((header, sql)) => {
                    let up_line = text[..text.len() - sql.len()].matches('\n').count() + 1;
                    let checksum = Sha384::digest(sql.as_bytes()).to_vec();
                    revisions.push(Revision { id, header, up: sql.to_owned(), up_line, down, checksum });
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { revisions: in_order(revisions)? })
    }

    /// Returns the migrations in the order of application: each after its parents, otherwise by name.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// Finds a migration by name.
    pub fn find(&self, id: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.id == id)
    }

    /// Returns the migrations without children: one, unless two branches have each written one.
    pub fn heads(&self) -> Vec<&Revision> {
        let built_on = |id: &String| self.revisions.iter().any(|other| other.header.parents.contains(id));
        self.revisions.iter().filter(|revision| !built_on(&revision.id)).collect()
    }

    /// Returns whether `id` is `of` or one of its ancestors.
    pub fn needs(&self, of: &str, id: &str) -> bool {
        let mut needed = BTreeSet::from([of]);
        // what builds on others comes after them
        for revision in self.revisions.iter().rev().filter(|revision| revision.id != id) {
            if needed.contains(revision.id.as_str()) {
                needed.extend(revision.header.parents.iter().map(String::as_str));
            }
        }
        needed.contains(id)
    }
}

/// Sorts parents before children.
fn in_order(mut rest: Vec<Revision>) -> Result<Vec<Revision>, Vec<String>> {
    let mut faults = vec![];
    for revision in &rest {
        for parent in &revision.header.parents {
            if !rest.iter().any(|other| other.id == *parent) {
                faults.push(format!("{revision}: its parent {parent} is not there"));
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut sorted: Vec<Revision> = vec![];
    while !rest.is_empty() {
        let ready = |revision: &Revision| {
            revision.header.parents.iter().all(|parent| sorted.iter().any(|done| done.id == *parent))
        };
        let Some(next) = rest.iter().position(ready) else {
            let circle: Vec<_> = rest.iter().map(Revision::to_string).collect();
            return Err(vec![format!("these build on each other: {}", circle.join(", "))]);
        };
        sorted.push(rest.remove(next));
    }
    Ok(sorted)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A set in memory: id, parents, up, down.
    pub fn set(revisions: &[(&str, &str, &str, &str)]) -> Result<Set, Vec<String>> {
        Set::of(revisions.iter().flat_map(|(id, parents, up, down)| {
            let header = format!("-- parents: {parents}\n-- message: {id}\n-- created: 2026-11-21\n\n");
            [(format!("{id}.up.sql"), format!("{header}{up}")), (format!("{id}.down.sql"), format!("{header}{down}"))]
        }))
    }

    fn faults(revisions: &[(&str, &str, &str, &str)]) -> String {
        set(revisions).expect_err("a fault").join("; ")
    }

    #[test]
    fn the_order_is_that_of_the_parents_not_of_the_names() {
        let set = set(&[("0003_a", "0001_c", "", ""), ("0002_b", "0003_a", "", ""), ("0001_c", "base", "", "")]);
        let set = set.expect("a sound set");
        assert_eq!(set.revisions().iter().map(Revision::to_string).collect::<Vec<_>>(), ["0001_c", "0003_a", "0002_b"]);
        assert_eq!(set.heads(), [set.find("0002_b").expect("it is there")]);
        assert!(set.needs("0002_b", "0001_c") && !set.needs("0001_c", "0002_b"));
    }

    #[test]
    fn two_heads_are_seen_and_joined() {
        let mut files = vec![("0001_a", "base", "", ""), ("0002_b", "0001_a", "", ""), ("0002_c", "0001_a", "", "")];
        let ids = |set: &Set| set.heads().into_iter().map(Revision::to_string).collect::<Vec<_>>();
        assert_eq!(ids(&set(&files).expect("sound")), ["0002_b", "0002_c"]);
        files.push(("0003_merge", "0002_b, 0002_c", "", ""));
        assert_eq!(ids(&set(&files).expect("sound")), ["0003_merge"]);
    }

    #[test]
    fn many_merges_are_walked_in_no_time() {
        let mut files = vec![("0001_m0".to_owned(), "base".to_owned())];
        for round in 1..=40 {
            let below = files.last().expect("the first").0.clone();
            let name = |part: &str, at: i32| format!("{:04}_{part}{round}", 3 * round + at);
            let (one, other) = (name("a", -1), name("b", 0));
            files.extend([(one.clone(), below.clone()), (other.clone(), below)]);
            files.push((name("m", 1), format!("{one}, {other}")));
        }
        let files: Vec<_> = files.iter().map(|(id, parents)| (id.as_str(), parents.as_str(), "", "")).collect();
        let set = set(&files).expect("a sound set");
        assert!(set.needs("0121_m40", "0001_m0") && !set.needs("0121_m40", "0122_x"));
    }

    #[test]
    fn line_ends_of_another_system_change_nothing() {
        let set = |end: &str| {
            let header = format!("-- parent: base{end}-- message: m{end}-- created: 2026-11-21{end}{end}");
            let file = |name: &str, sql: &str| (name.to_owned(), format!("{header}{sql}{end}"));
            Set::of([file("0001_a.up.sql", "SELECT 1;"), file("0001_a.down.sql", "SELECT 2;")]).expect("a sound set")
        };
        assert_eq!(set("\r\n").revisions(), set("\n").revisions());
    }

    #[test]
    fn a_name_is_the_same_in_the_folder_and_in_the_binary() {
        for id in ["1_a", "00001_a", "+0001_a", "0001_a b", "0001_A", "0001_", "0001"] {
            let found = faults(&[(id, "base", "", "")]);
            assert!(found.contains(&format!("{id}.up.sql: ")), "{id}: {found}");
        }
        assert!(set(&[("10001_a_1", "base", "", "")]).is_ok());
    }

    #[test]
    fn a_folder_without_migrations_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("sqlite")).expect("a folder");
        let error = Set::read(folder.path(), Dialect::Sqlite).expect_err("nothing").to_string();
        assert!(error.contains("sqlite has no migrations"), "{error}");
    }

    #[test]
    fn every_fault_is_named() {
        assert!(faults(&[("0001_a", "0000_x", "", "")]).contains("0001_a: its parent 0000_x is not there"));
        let circle = [("0001_a", "0002_b", "", ""), ("0002_b", "0001_a", "", "")];
        assert!(faults(&circle).contains("build on each other: 0001_a, 0002_b"));
        let texts = [
            ("0001_a.up.sql", "-- parent: base\n\n"),
            ("0002_b.down.sql", ""),
            ("0003_c.up.sql", ""),
            ("0003_c.down.sql", ""),
            ("x.up.sql", ""),
        ];
        let faults =
            Set::of(texts.map(|(name, text)| (name.to_owned(), text.to_owned()))).expect_err("faults").join("; ");
        for fault in [
            "0001_a.down.sql: missing",
            "0002_b.up.sql: missing",
            "0003_c.up.sql: has no `-- parent:`",
            "x.up.sql: call it",
        ] {
            assert!(faults.contains(fault), "{fault} in {faults}");
        }
    }
}
