//! Writing migrations, `accord migrate` from the sources, and the proof that each can be undone and done again.

mod new;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod recipes;

use std::path::Path;

use accord_foundation::config::Env;
use accord_migrate::folder::Folder;
use accord_migrate::round_trip::Walk;
use accord_migrate::tables::Table;
use accord_migrate::{Dialect, difference, lint, schema};
use anyhow::Context;

use crate::application::{self, Application, each, foundation_migrations};
use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report, Usage};
use crate::{product, run};

#[derive(clap::Subcommand)]
pub enum Task {
    /// Write a new migration
    New(new::Arguments),
    /// Write a migration that joins the heads of two branches
    Merge,
    /// Record the checksums of new migrations in migrations/sealed.txt
    Seal,
    /// Check all migrations, and run them up, down and up on both databases
    Check,
    /// Run `accord migrate up`
    Up(Rest),
    /// Run `accord migrate down`
    Down(Rest),
    /// Run `accord migrate to`
    To(Rest),
    /// Run `accord migrate current`
    Current(Rest),
    /// Run `accord migrate history`
    History(Rest),
    /// Run `accord migrate heads`
    Heads(Rest),
    /// Run `accord migrate status`
    Status(Rest),
}

/// The arguments of a command of `accord migrate`.
#[derive(clap::Args)]
pub struct Rest {
    /// As `accord migrate` takes them
    #[arg(value_name = "ARGUMENT", allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// `cargo xtask migrate`
pub fn run(task: Task, applications: &[&'static Application]) -> Outcome {
    let application = applications[0];
    match task {
        Task::Check => check_all(applications, &Postgres::start()?),
        Task::New(arguments) => {
            refuse_in_production()?;
            new::new(application, &application.migrations()?, arguments)
        }
        Task::Merge => {
            refuse_in_production()?;
            new::merge(&application.migrations()?)
        }
        Task::Seal => {
            let mut sealed = foundation_migrations().seal()?;
            for application in applications {
                sealed.extend(application.migrations()?.seal()?);
            }
            let note = if sealed.is_empty() { "nothing is new".into() } else { sealed.join("\n") };
            Ok(Report::passed(sealed.len(), note))
        }
        Task::Up(rest) => migrate(application, "up", &rest),
        Task::Down(rest) => migrate(application, "down", &rest),
        Task::To(rest) => migrate(application, "to", &rest),
        Task::Current(rest) => migrate(application, "current", &rest),
        Task::History(rest) => migrate(application, "history", &rest),
        Task::Heads(rest) => migrate(application, "heads", &rest),
        Task::Status(rest) => migrate(application, "status", &rest),
    }
}

/// Runs the command `migrate` of the binary of the sources.
fn migrate(application: &Application, command: &str, Rest { arguments }: &Rest) -> Outcome {
    let words = ["run", "--quiet", "--package", application.name, "--bin", application.name, "--", "migrate", command];
    run::passing_on(run::cargo(words).args(arguments))?;
    Ok(Report::default())
}

/// Migrations are written by developers; where the API serves people they are only applied.
fn refuse_in_production() -> anyhow::Result<()> {
    // settings of production that do not hold are of production nevertheless
    let prod =
        std::env::var("ACCORD_ENV").is_ok_and(|env| env == "prod") || application::config(None)?.env == Env::Prod;
    refuse(prod).map_err(Into::into)
}

fn refuse(prod: bool) -> Result<(), Usage> {
    let text = "ACCORD_ENV is prod: migrations are written on a developer's machine; here use `accord migrate up`";
    if prod { Err(Usage(text.into())) } else { Ok(()) }
}

/// The migrations of the foundation, and those of the applications. The foundation's are run with those on top of them.
pub fn check_all(applications: &[&'static Application], postgres: &Postgres) -> Outcome {
    let found = faults(&foundation_migrations(), &[])?;
    sound(found.into_iter().map(|fault| format!("crates/foundation: {fault}")).collect())?;
    each(applications, |application| check(application, postgres))
}

/// Files, headers, the lint; then both databases up, down and up again, with data.
fn check(application: &Application, postgres: &Postgres) -> Outcome {
    let declared = application.declared()?;
    sound(faults(&application.migrations()?, &declared.tables)?)?;
    there_and_back_with(application, &application.build()?, postgres)
}

/// A binary of migrations with faults might not even start.
fn sound(faults: Vec<String>) -> Result<(), Failed> {
    if faults.is_empty() { Ok(()) } else { Err(Failed::new(0, faults.len(), faults.join("\n"))) }
}

/// All that can be seen without a database. The lint comes before the seal: what is sealed is no longer edited.
fn faults(folder: &Folder, tables: &[Table]) -> anyhow::Result<Vec<String>> {
    let mut faults = folder.faults()?;
    if let (Ok(sqlite), Ok(postgres)) = (folder.set(Dialect::Sqlite), folder.set(Dialect::Postgres)) {
        faults.extend(lint::faults(&sqlite, Dialect::Sqlite));
        faults.extend(lint::faults(&postgres, Dialect::Postgres));
        faults.extend(lint::idle(&sqlite, &postgres));
        // what SQLite makes anew would look dropped
        faults.extend(lint::still_read(&postgres, tables));
    }
    Ok(faults)
}

/// The same with a server that is built already.
pub fn there_and_back_with(application: &Application, binary: &Path, postgres: &Postgres) -> Outcome {
    let mut faults = vec![];
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let file = folder.path().join("migrate.db");
    let url = format!("sqlite:{}", file.display());
    let (found, sqlite) = runtime.block_on(there_and_back(application, "SQLite", binary, folder.path(), &url))?;
    faults.extend(found);

    let name = format!("{}_migrate_{}", application.name, run::random_hex());
    let (found, server) = runtime.block_on(async {
        let url = postgres.create(&name).await?;
        let faults = there_and_back(application, "PostgreSQL", binary, folder.path(), &url).await;
        postgres.remove(&name).await?;
        faults
    })?;
    faults.extend(found);
    faults.extend(difference::unequal(&application.declared()?.tables, &sqlite, &server));

    if faults.is_empty() {
        let note =
            "up, down, up on SQLite and PostgreSQL: one schema, the declared one, nothing left between, no row lost";
        return Ok(Report::passed(2, note));
    }
    faults.push("repair what is named; `cargo xtask migrate check` looks again".into());
    Err(Failed::new(0, faults.len() - 1, faults.join("\n")).into())
}

async fn there_and_back(
    application: &Application,
    kind: &str,
    binary: &Path,
    folder: &Path,
    url: &str,
) -> anyhow::Result<(Vec<String>, schema::Schema)> {
    let step = |words: [&str; 2]| {
        run::silently(product::command(binary, folder, url).arg("migrate").args(words)).with_context(|| kind.to_owned())
    };
    // one after the other: two fixtures may describe the same row differently
    let declared = application.declared()?;
    let load = || declared.fixtures.iter().try_for_each(|name| product::load(binary, folder, url, &[name]));
    let set = application.migrations()?.set(Dialect::of(url))?;
    let revisions: Vec<_> = set.revisions().iter().map(|revision| revision.id.clone()).collect();
    let walk = Walk { kind, url, step: &step, load: &load };
    walk.check(&revisions, &declared.tables, &[application.permissions()?]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository that has only migrations: name, parents, up.
    pub fn repository(migrations: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for database in Dialect::ALL.map(Dialect::folder) {
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

    #[test]
    fn arguments_of_accord_migrate_are_handed_on() {
        let Rest { arguments } = crate::arguments::parse(&["-1", "--dry-run"]).expect("valid");
        assert_eq!(arguments, ["-1", "--dry-run"]);
    }

    #[test]
    fn nobody_writes_a_migration_in_production() {
        assert!(refuse(true).expect_err("refused").0.contains("accord migrate up"));
        assert!(refuse(false).is_ok());
    }

    #[test]
    fn what_is_not_sealed_yet_is_linted() {
        let root = repository(&[("0001_a", "base", "SELECT 1;")]);
        let folder = Folder::of(root.path());
        assert_eq!(faults(&folder, &[]).expect("readable"), Vec::<String>::new());
        new::new(&application::ACCORD, &folder, crate::arguments::parse(&["Drop posts"]).expect("valid"))
            .expect("written");
        let file = root.path().join("migrations/postgres/0002_drop_posts.up.sql");
        let text = std::fs::read_to_string(&file).expect("readable") + "DROP TABLE posts;\n";
        std::fs::write(&file, text).expect("writable");
        let found = faults(&folder, &[]).expect("readable").join("\n");
        for fault in ["0002_drop_posts.up.sql: not sealed", "0002_drop_posts.up.sql, line 5: drop-table: "] {
            assert!(found.contains(fault), "{found}");
        }
    }
}
