//! The folder of the migrations: the sets of both databases, the file of checksums, and new files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::Dialect;
use crate::migrations::header::Header;
use crate::migrations::{MigrationError, Revision, Set, files};

/// The file that lists the checksums of the up files. Editing a migration contradicts it.
pub const SEAL: &str = "sealed.txt";

const SEAL_TOP: &str = "# The up files of the migrations, by SHA-384 without their headers. Databases have them: they are never edited.\n\
     # `cargo xtask migrate seal` adds those that are new.\n";

/// The scripts of one migration for one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scripts {
    /// The statements of the up file.
    pub up: String,
    /// The statements of the down file.
    pub down: String,
}

/// The folder `migrations/` of a repository, or of a package in it.
pub struct Folder {
    path: PathBuf,
    base: [Vec<(String, String)>; 2],
    many_heads: bool,
}

/// The least number of a migration that builds on those of another folder.
const FIRST_ON_TOP: i64 = 1001;

impl Folder {
    /// Returns the folder of a repository; nothing is read yet.
    pub fn of(repository: &Path) -> Self {
        Self { path: repository.join("migrations"), base: Default::default(), many_heads: false }
    }

    /// Puts the folder on top of migrations that are kept elsewhere: the names and texts of their files for each of
    /// [`Dialect::ALL`].
    pub fn on_top_of(self, base: [Vec<(String, String)>; 2]) -> Self {
        Self { base, ..self }
    }

    /// Allows several heads, which the folders on top join.
    pub fn with_many_heads(self) -> Self {
        Self { many_heads: true, ..self }
    }

    /// Reads the set of one database, with the migrations below it.
    ///
    /// # Errors
    /// As [`Set::read`].
    pub fn set(&self, dialect: Dialect) -> anyhow::Result<Set> {
        let own = files(&self.path, dialect)?;
        let below = Dialect::ALL.into_iter().zip(&self.base).find(|(of, _)| *of == dialect);
        let below = below.into_iter().flat_map(|(_, files)| files.clone());
        Ok(Set::of(below.chain(own)).map_err(MigrationError::Set)?)
    }

    /// Returns whether the migration lies in this folder, and not below it.
    fn is_own(&self, revision: &Revision) -> bool {
        let file = format!("{}.up.sql", revision.id);
        !self.base.iter().flatten().any(|(name, _)| *name == file)
    }

    /// Returns every fault that needs no database to be found: files, headers, parents, heads, checksums.
    ///
    /// # Errors
    /// The file of checksums cannot be read.
    pub fn faults(&self) -> anyhow::Result<Vec<String>> {
        let (sqlite, postgres) = match (self.set(Dialect::Sqlite), self.set(Dialect::Postgres)) {
            (Ok(sqlite), Ok(postgres)) => (sqlite, postgres),
            (sqlite, postgres) => {
                let fault = |database: &str, set: anyhow::Result<Set>| {
                    set.err().map(|error| format!("migrations/{database}: {error:#}"))
                };
                return Ok([fault("sqlite", sqlite), fault("postgres", postgres)].into_iter().flatten().collect());
            }
        };
        let mut faults = vec![];
        for (one, other, name, missing) in
            [(&sqlite, &postgres, "sqlite", "postgres"), (&postgres, &sqlite, "postgres", "sqlite")]
        {
            for revision in one.revisions().iter().filter(|revision| self.is_own(revision)) {
                match other.find(&revision.id) {
                    None => faults.push(format!("migrations/{missing}/{revision}: missing, {name} has it")),
                    Some(twin) if name == "sqlite" && twin.header != revision.header => {
                        faults.push(format!("migrations/*/{revision}.up.sql: the headers of the two databases differ"));
                    }
                    Some(_) => {}
                }
                let (down, _) = Header::split(&revision.down).unwrap_or_default();
                for (end, header) in [("up", &revision.header), ("down", &down)] {
                    let file = format!("migrations/{name}/{revision}.{end}.sql");
                    let nothing = |line| format!("{file}: `{line}` means nothing in a header; an empty line ends it");
                    faults.extend(header.unknown.iter().map(nothing));
                }
                if down.parents != revision.header.parents || down.message != revision.header.message {
                    faults.push(format!("migrations/{name}/{revision}: the headers of up and down differ"));
                }
            }
        }
        let heads = sqlite.heads();
        if heads.len() > 1 && !self.many_heads {
            let names =
                heads.iter().map(|head| format!("{head} (parent {})", parents(&head.header))).collect::<Vec<_>>();
            faults.push(format!("two heads: {}; `cargo xtask migrate merge` joins them", names.join(", ")));
        }
        for revision in sqlite.revisions().iter().filter(|revision| self.is_own(revision)) {
            let Header { message, created, destructive, safe_since, .. } = &revision.header;
            if revision.header.irreversible.is_some() || revision.header.nothing_to_undo.is_some() {
                faults.push(format!("{revision}.up.sql: what is said of the way back stands in the down file"));
            }
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
            if message.is_empty() || created.len() != 10 || digits(created) != 8 {
                faults.push(format!("{revision}: its header says `-- message:` and `-- created:` (as 2026-11-21)"));
            }
            if let Some(since) = safe_since {
                if destructive.is_none() {
                    faults.push(format!("{revision}: `-- safe since:` needs a `-- destructive:` to be about"));
                }
                if since == &revision.id || !sqlite.needs(&revision.id, since) {
                    faults.push(format!("{revision}: `-- safe since: {since}` names no migration that it builds on"));
                }
            }
        }
        faults.extend(self.broken_seals(&sqlite, &postgres)?);
        Ok(faults)
    }

    fn broken_seals(&self, sqlite: &Set, postgres: &Set) -> anyhow::Result<Vec<String>> {
        let (sealed, is) = (self.sealed()?, self.sums(sqlite, postgres));
        let fault = |file: &String| match (sealed.get(file), is.get(file)) {
            (Some(seal), Some(sum)) if seal == sum => None,
            (Some(_), Some(_)) => Some(format!(
                "migrations/{file}: edited, and databases may have it: restore it, and write a new migration (if none but \
                 yours has it: delete its line in migrations/{SEAL}, and `cargo xtask migrate seal`)"
            )),
            (Some(_), None) => Some(format!("migrations/{file}: gone, and databases may have it: restore it")),
            (None, _) => Some(format!("migrations/{file}: not sealed; `cargo xtask migrate seal` does it")),
        };
        let mut files: Vec<_> = sealed.keys().chain(is.keys()).collect();
        files.sort();
        files.dedup();
        Ok(files.into_iter().filter_map(fault).collect())
    }

    fn sealed(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let file = self.path.join(SEAL);
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            text => text.with_context(|| format!("cannot read {}", file.display()))?,
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(lines.filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name.into(), sum.into())).collect())
    }

    /// Records the checksums of new migrations; recorded ones stay as they are. Returns the names of the new files.
    ///
    /// # Errors
    /// The folder cannot be read or written, or its files are not a valid set.
    pub fn seal(&self) -> anyhow::Result<Vec<String>> {
        let mut sealed = self.sealed()?;
        let sums = self.sums(&self.set(Dialect::Sqlite)?, &self.set(Dialect::Postgres)?);
        let new: Vec<_> = sums.keys().filter(|file| !sealed.contains_key(*file)).cloned().collect();
        for (file, sum) in sums {
            sealed.entry(file).or_insert(sum);
        }
        let mut text = SEAL_TOP.to_owned();
        for (file, sum) in sealed {
            let _ = writeln!(text, "{sum}  {file}");
        }
        std::fs::write(self.path.join(SEAL), text).context("cannot write the seal")?;
        Ok(new)
    }

    /// The checksums of the up files of this folder, by name.
    fn sums(&self, sqlite: &Set, postgres: &Set) -> BTreeMap<String, String> {
        let of = |name: &'static str, set: &Set| -> Vec<(String, String)> {
            let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            let sum = |revision: &Revision| (format!("{name}/{revision}.up.sql"), hex(&revision.checksum));
            set.revisions().iter().filter(|revision| self.is_own(revision)).map(sum).collect()
        };
        of("sqlite", sqlite).into_iter().chain(of("postgres", postgres)).collect()
    }

    /// Returns the name of the next migration: the next number, and words of the message.
    fn next(&self, message: &str) -> anyhow::Result<String> {
        let newest = self.set(Dialect::Sqlite)?.revisions().iter().map(|revision| revision.number()).max();
        let first = if self.base.iter().all(Vec::is_empty) { 1 } else { FIRST_ON_TOP };
        Ok(format!("{:04}_{}", first.max(newest.unwrap_or(0) + 1), slug(message)))
    }

    /// Writes the four files of a new migration. Its name is the next number and words of `name`. Returns the files.
    ///
    /// # Errors
    /// A file exists already or cannot be written.
    pub fn write(&self, name: &str, header: &Header, scripts: [(Dialect, Scripts); 2]) -> anyhow::Result<Vec<PathBuf>> {
        let (id, mut files) = (self.next(name)?, vec![]);
        for (dialect, Scripts { up, down }) in scripts {
            let way_back = Header { destructive: None, safe_since: None, locks: None, ..header.clone() };
            for (end, header, sql) in [("up", header, up), ("down", &way_back, down)] {
                files
                    .push((self.path.join(dialect.folder()).join(format!("{id}.{end}.sql")), format!("{header}{sql}")));
            }
        }
        for (file, text) in &files {
            anyhow::ensure!(!file.exists(), "{} is there already", file.display());
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(files.into_iter().map(|(file, _)| file).collect())
    }
}

/// Returns the parents of a header as text; `base` if it has none.
pub fn parents(header: &Header) -> String {
    if header.parents.is_empty() { "base".into() } else { header.parents.join(", ") }
}

/// Turns a message into the name of a file: its first words, up to 40 characters.
fn slug(message: &str) -> String {
    const CHARACTERS: usize = 40;
    let lower = message.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        if !name.is_empty() && name.len() + 1 + word.len() > CHARACTERS {
            break;
        }
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(&word[..word.len().min(CHARACTERS)]);
    }
    if name.is_empty() { "migration".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository that has only migrations: name, parents, up.
    fn repository(migrations: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for database in ["sqlite", "postgres"] {
            let folder = root.path().join("migrations").join(database);
            std::fs::create_dir_all(&folder).expect("a folder");
            for (id, parents, up) in migrations {
                let header = format!("-- parents: {parents}\n-- message: {id}\n-- created: 2026-11-21\n\n");
                std::fs::write(folder.join(format!("{id}.up.sql")), format!("{header}{up}\n")).expect("a file");
                std::fs::write(folder.join(format!("{id}.down.sql")), format!("{header}SELECT 1;\n")).expect("a file");
            }
        }
        Folder::of(root.path()).seal().expect("sealed");
        root
    }

    fn faults(root: &tempfile::TempDir) -> Vec<String> {
        Folder::of(root.path()).faults().expect("readable")
    }

    fn replace(root: &tempfile::TempDir, file: &str, from: &str, to: &str) {
        let file = root.path().join("migrations").join(file);
        let text = std::fs::read_to_string(&file).expect("readable");
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(file, text.replace(from, to)).expect("writable");
    }

    #[test]
    fn a_sound_folder_has_no_fault_and_a_missing_file_is_named() {
        let root = repository(&[("0001_a", "base", "SELECT 1;"), ("0002_b", "0001_a", "SELECT 2;")]);
        assert_eq!(faults(&root), Vec::<String>::new());
        std::fs::remove_file(root.path().join("migrations/postgres/0002_b.down.sql")).expect("removed");
        assert!(faults(&root)[0].contains("0002_b.down.sql: missing"), "{:?}", faults(&root));
        std::fs::remove_file(root.path().join("migrations/postgres/0002_b.up.sql")).expect("removed");
        assert!(faults(&root).contains(&"migrations/postgres/0002_b: missing, sqlite has it".to_owned()));
    }

    #[test]
    fn a_wrong_parent_two_heads_and_differing_headers_are_named() {
        let files = [("0001_a", "base", "1;"), ("0002_b", "0001_a", "2;"), ("0002_c", "0001_a", "3;")];
        let heads = "two heads: 0002_b (parent 0001_a), 0002_c (parent 0001_a); `cargo xtask migrate merge` joins them";
        let root = repository(&files);
        assert_eq!(faults(&root), [heads]);
        let root = repository(&files[..2]);
        replace(&root, "sqlite/0002_b.up.sql", "0001_a", "0001_x");
        assert!(faults(&root)[0].contains("0002_b: its parent 0001_x is not there"), "{:?}", faults(&root));
        let root = repository(&files[..2]);
        replace(&root, "sqlite/0002_b.up.sql", "-- message: 0002_b", "-- message: other");
        assert!(faults(&root).contains(&"migrations/*/0002_b.up.sql: the headers of the two databases differ".into()));
        let root = repository(&files[..2]);
        replace(&root, "postgres/0002_b.down.sql", "-- created", "-- irreversable: no\n-- created");
        let typing_mistake = "migrations/postgres/0002_b.down.sql: `-- irreversable: no` means nothing in a header; ";
        assert!(faults(&root)[0].starts_with(typing_mistake), "{:?}", faults(&root));
    }

    #[test]
    fn an_edited_migration_is_named_but_its_header_may_change() {
        let root = repository(&[("0001_a", "base", "SELECT 1;")]);
        for database in ["sqlite", "postgres"] {
            for end in ["up", "down"] {
                replace(&root, &format!("{database}/0001_a.{end}.sql"), "-- message: 0001_a", "-- message: better");
            }
        }
        assert_eq!(faults(&root), Vec::<String>::new());
        replace(&root, "postgres/0001_a.up.sql", "SELECT 1", "SELECT 2");
        assert!(faults(&root)[0].starts_with("migrations/postgres/0001_a.up.sql: edited"), "{:?}", faults(&root));
        assert_eq!(Folder::of(root.path()).seal().expect("seals"), Vec::<String>::new());
        assert_eq!(faults(&root).len(), 1, "a seal is not renewed");
    }

    #[test]
    fn a_folder_on_top_seals_and_numbers_its_own_migrations() {
        let below = repository(&[("0001_a", "base", "1;"), ("0002_b", "0001_a", "2;"), ("0003_c", "0001_a", "3;")]);
        let folder = Folder::of(below.path());
        assert!(folder.faults().expect("readable")[0].starts_with("two heads"));
        let folder = folder.with_many_heads();
        assert_eq!(folder.faults().expect("readable"), Vec::<String>::new());
        let base = || Dialect::ALL.map(|dialect| files(&below.path().join("migrations"), dialect).expect("readable"));

        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(root.path()).on_top_of(base());
        let text = "-- parents: 0002_b, 0003_c\n-- message: d\n-- created: 2026-11-21\n\nSELECT 1;\n";
        for database in ["sqlite", "postgres"] {
            let path = root.path().join("migrations").join(database);
            std::fs::create_dir_all(&path).expect("a folder");
            for end in ["up", "down"] {
                std::fs::write(path.join(format!("1001_d.{end}.sql")), text).expect("a file");
            }
        }
        let own = ["postgres/1001_d.up.sql", "sqlite/1001_d.up.sql"];
        assert_eq!(folder.seal().expect("sealed"), own);
        assert_eq!(folder.faults().expect("readable"), Vec::<String>::new());
        assert_eq!(folder.next("More").expect("a name"), "1002_more");
    }

    #[test]
    fn names_are_made_of_messages() {
        assert_eq!(slug("Posts: have a slug!"), "posts_have_a_slug");
        assert_eq!(slug("Über alles"), "ber_alles");
        assert_eq!(slug("…"), "migration");
        assert_eq!(slug("a very long message that goes on and on beyond"), "a_very_long_message_that_goes_on_and_on");
    }
}
