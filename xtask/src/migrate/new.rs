//! New migrations: four files to fill in, or what the declared tables and permissions require, or a merge of two heads.

use std::path::{Path, PathBuf};

use accord_migrate::Dialect;
use accord_migrate::difference::Decisions;
use accord_migrate::folder::{Folder, Scripts};
use accord_migrate::migrations::header::Header;
use accord_migrate::rows::DeclaredRows;
use accord_migrate::tables::Table;
use accord_migrate::write::{self, Found, Undecided};

use crate::application::Application;
use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report};
use crate::run;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The change in a few words, in quotes
    #[arg(value_parser = line)]
    message: String,
    /// Write the difference between the declared tables and permissions and databases at head
    #[arg(long)]
    auto: bool,
    /// With --auto: a table or column that has a new name; may be repeated
    #[arg(long = "rename", value_name = "OLD=NEW", requires = "auto")]
    renames: Vec<String>,
    /// With --auto: a table or column to drop; may be repeated
    #[arg(long = "drop", value_name = "NAME", requires = "auto")]
    drops: Vec<String>,
    /// Print the files
    #[arg(long)]
    print: bool,
}

fn line(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() || text.contains('\n') { Err("a message is one line") } else { Ok(text.into()) }
}

/// `cargo xtask migrate new`
pub fn new(application: &Application, folder: &Folder, arguments: Arguments) -> Outcome {
    let Arguments { message, auto, renames, drops, print } = arguments;
    let set = folder.set(Dialect::Sqlite)?;
    let mut header =
        write::header(&set, &message, &today()).map_err(|error| Failed::new(0, 1, format!("{error:#}")))?;
    let scripts = if auto {
        let postgres = Postgres::start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tables, rows) = (&application.declared()?.tables, [application.permissions()?]);
        let decisions = Decisions { renames, drops };
        match runtime.block_on(difference(folder, tables, &rows, &decisions, &postgres))? {
            Some(Found { scripts, changes, destructive }) => {
                changes.iter().for_each(|change| eprintln!("  {change}"));
                header.destructive = (!destructive.is_empty()).then(|| destructive.join("; "));
                scripts
            }
            None => return Ok(Report::passed(0, "no change")),
        }
    } else {
        Dialect::ALL.map(|dialect| (dialect, Scripts::default()))
    };
    write(folder, &header, scripts, print)
}

/// `cargo xtask migrate merge`: a migration that changes nothing and builds on all heads.
pub fn merge(folder: &Folder) -> Outcome {
    let Some(merged) = write::merge(folder, &today())? else {
        return Ok(Report::passed(0, "there is one head: nothing to join"));
    };
    shown(&merged.files);
    let note = format!("{}; `cargo xtask migrate check`, and then `cargo xtask migrate seal`", merged.message);
    Ok(Report::passed(merged.files.len(), note))
}

fn today() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}

/// Compares with fresh databases, and removes the one on PostgreSQL afterwards.
pub async fn difference(
    folder: &Folder,
    tables: &[Table],
    rows: &[DeclaredRows],
    decisions: &Decisions,
    postgres: &Postgres,
) -> anyhow::Result<Option<Found>> {
    let scratch = tempfile::tempdir()?;
    let name = format!("accord_auto_{}", run::random_hex());
    let sqlite = format!("sqlite:{}", scratch.path().join("auto.db").display());
    let server = postgres.create(&name).await?;
    let found = write::difference(folder, tables, rows, decisions, [&sqlite, &server]).await;
    postgres.remove(&name).await?;
    found.map_err(|error| match error.downcast::<Undecided>() {
        Ok(Undecided(sentences)) => Failed::new(0, sentences.len(), sentences.join("\n")).into(),
        Err(error) => error,
    })
}

fn write(folder: &Folder, header: &Header, scripts: [(Dialect, Scripts); 2], print: bool) -> Outcome {
    let files = folder.write(&header.message, header, scripts)?;
    shown(&files);
    if print {
        for file in &files {
            println!("\n-- {}\n{}", name(file).display(), std::fs::read_to_string(file)?.trim_end());
        }
    }
    let note = "read them; `cargo xtask migrate check`; and when they are done `cargo xtask migrate seal`";
    Ok(Report::passed(files.len(), note))
}

fn shown(files: &[PathBuf]) {
    files.iter().for_each(|file| println!("{}", name(file).display()));
}

fn name(file: &Path) -> &Path {
    file.strip_prefix(run::root()).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::super::tests::repository;
    use super::*;
    use crate::application::ACCORD;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        crate::arguments::parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn meaningless_arguments_are_rejected() {
        let read_all = read(&["Slugs", "--auto", "--rename", "a.b=a.c", "--rename=d=e", "--drop", "f", "--print"]);
        let arguments = read_all.expect("valid");
        assert_eq!(arguments.renames, ["a.b=a.c", "d=e"]);
        assert_eq!(arguments.drops, ["f"]);
        assert!(arguments.auto && arguments.print && arguments.message == "Slugs");
        assert!(read(&[]).expect_err("no message").contains("<MESSAGE>"));
        assert!(read(&[" "]).expect_err("an empty message").contains("one line"));
        assert!(read(&["Posts", "have", "slugs"]).expect_err("three words").contains("'have'"));
        assert!(read(&["Slugs", "--force"]).expect_err("unknown").contains("'--force'"));
        for words in [["Slugs", "--auto", "--rename"], ["Slugs", "--drop", "--auto"]] {
            assert!(read(&words).expect_err("no value").contains("a value is required"), "{words:?}");
        }
        assert!(read(&["Slugs", "--drop", "a"]).expect_err("no auto").contains("--auto"));
    }

    #[test]
    fn four_files_with_a_header_are_written_and_two_heads_are_joined() {
        let root = repository(&[("0001_a", "base", "SELECT 1;"), ("0002_b", "0001_a", "SELECT 2;")]);
        let folder = Folder::of(root.path());
        new(&ACCORD, &folder, read(&["Posts have a slug"]).expect("valid")).expect("written");
        let today = chrono::Utc::now().format("%Y-%m-%d");
        let expected = format!("-- parent: 0002_b\n-- message: Posts have a slug\n-- created: {today}\n\n");
        for file in ["sqlite/0003_posts_have_a_slug.up.sql", "postgres/0003_posts_have_a_slug.down.sql"] {
            assert_eq!(
                std::fs::read_to_string(root.path().join("migrations").join(file)).expect("it is there"),
                expected
            );
        }

        // another branch has written one, too
        let root = repository(&[("0001_a", "base", "1;"), ("0002_b", "0001_a", "2;"), ("0002_c", "0001_a", "3;")]);
        let folder = Folder::of(root.path());
        let more = read(&["More"]).expect("valid");
        assert!(new(&ACCORD, &folder, more).expect_err("two heads").to_string().contains("two heads: 0002_b, 0002_c"));
        merge(&folder).expect("joined");
        folder.seal().expect("sealed");
        assert_eq!(folder.faults().expect("readable"), Vec::<String>::new());
        let set = folder.set(Dialect::Postgres).expect("sound");
        assert_eq!(set.heads()[0].id, "0003_merge");
        assert_eq!(set.heads()[0].header.parents, ["0002_b", "0002_c"]);
    }
}
