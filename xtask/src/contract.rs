//! Runs contract-tests against the real binary and accounts for what they left: snapshots nobody asserts, answers
//! nobody provoked.

mod answers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::postgres::{self, Postgres};
use crate::report::{Failed, Outcome, Report, Usage};
use crate::rust::{Count, failures};
use crate::{product, run};

/// Which database the stories are told on.
#[derive(Clone, Copy)]
pub enum Database<'a> {
    Sqlite,
    Postgres(&'a Postgres),
}

impl Database<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// `cargo xtask contract [sqlite|postgres] [FILTER] [--write]`; without a database: on both.
pub fn run(arguments: &[String]) -> Outcome {
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let write = words.contains(&"--write");
    words.retain(|word| *word != "--write");
    if let Some(flag) = words.iter().find(|word| word.starts_with("--")) {
        return Err(Usage(format!("`contract` knows no `{flag}`, only --write")).into());
    }
    let (sqlite, postgres) = match words.first() {
        Some(&"sqlite") => (true, false),
        Some(&"postgres") => (false, true),
        _ => (true, true),
    };
    let filters = if sqlite && postgres { &words[..] } else { &words[1..] };
    let mut notes = vec![];
    let mut passed = 0;
    let mut tell = |database| -> anyhow::Result<()> {
        let report = tell(database, filters, write)?;
        passed += report.passed;
        notes.push(report.note);
        Ok(())
    };
    if sqlite {
        tell(Database::Sqlite)?;
    }
    if postgres {
        let server = Postgres::start()?;
        tell(Database::Postgres(&server))?;
    }
    Ok(Report::passed(passed, notes.join("; ")))
}

/// Tells the stories that match on one database.
pub fn tell(database: Database<'_>, filters: &[&str], write: bool) -> Outcome {
    let binary = product::build()?;
    let folder = tempfile::tempdir()?;
    let [seen, asserted, answers] = ["seen", "asserted", "answers"].map(|name| folder.path().join(name));
    // each run of a test binary appends
    for file in [&seen, &asserted, &answers] {
        std::fs::write(file, "")?;
    }
    let mut command = run::cargo(["test", "--workspace", "--test", "*", "--no-fail-fast", "--"]);
    command
        .args(filters)
        .env("ACCORD_BIN", binary)
        .env("ACCORD_CONTRACT_DATABASE", database.name())
        .env("ACCORD_CONTRACT_SEEN", &seen)
        .env("ACCORD_CONTRACT_ANSWERS", &answers)
        .env("INSTA_UPDATE", if write { "always" } else { "no" })
        .env("INSTA_SNAPSHOT_REFERENCES_FILE", &asserted);
    if let Database::Postgres(server) = database {
        command.env(postgres::URL_VARIABLE, server.url());
    }
    let ended = run::keeping_stdout(&mut command)?;
    let count = Count::of(&ended.stdout);
    let again = format!("cargo xtask contract {}", database.name());
    if !ended.success {
        let summary = match count.failed {
            0 => "the contract tests do not compile, or were cut off (see above)".to_owned(),
            failed => format!(
                "{failed} of {} contract tests fail on {}; `{again} NAME` tells one story, \
                 `{again} --write` accepts changed snapshots",
                count.passed + failed,
                database.name(),
            ),
        };
        let text = format!("{}\n{summary}", failures(&ended.stdout));
        return Err(Failed::new(count.passed, count.failed, text).into());
    }
    if count.passed == 0 {
        return Err(Failed::new(0, 1, format!("no contract test is called like {}", filters.join(" or "))).into());
    }
    let exchanges = std::fs::read_to_string(&seen)?.lines().count();
    let mut note = format!("{} tests, {exchanges} exchanges on {}", count.passed, database.name());
    if filters.is_empty() {
        forgotten(&asserted, write, count.passed)?;
        let coverage = coverage(&seen, count.passed, &again)?;
        let kept = answers::account(&answers, write, count.passed)?;
        note = format!("{} tests on {}: {coverage}; {kept}", count.passed, database.name());
    }
    Ok(Report::passed(count.passed, note))
}

/// Snapshots no test asserts any more: removed by `--write`, a failure otherwise.
fn forgotten(asserted: &Path, write: bool, passed: usize) -> anyhow::Result<()> {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let list = std::fs::read_to_string(asserted)?;
    let asserted: BTreeSet<PathBuf> = list.lines().map(|line| canonical(Path::new(line))).collect();
    let root = run::root();
    let mut snapshots = vec![];
    collect(&root.join("contract-tests"), &mut snapshots)?;
    let unasserted = snapshots.into_iter().filter(|file| !asserted.contains(&canonical(file)));
    let mut names = vec![];
    for file in unasserted {
        if write {
            std::fs::remove_file(&file)?;
        }
        names.push(file.strip_prefix(&root).unwrap_or(&file).display().to_string());
    }
    if write || names.is_empty() {
        for name in names {
            eprintln!("removed {name}: no test asserts it");
        }
        return Ok(());
    }
    let count = names.len();
    let text = format!(
        "{}\n{count} snapshots are asserted by no test: `cargo xtask contract sqlite --write` removes them",
        names.join("\n")
    );
    Err(Failed::new(passed, count, text).into())
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "snap") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

/// Every documented answer was seen; contract-tests' own program compares and names those that were not.
fn coverage(seen: &Path, passed: usize, again: &str) -> anyhow::Result<String> {
    run::passing_on(&mut run::cargo(["build", "--quiet", "--workspace", "--bin", "coverage"]))?;
    let ended = run::keeping_stdout(Command::new(product::built("coverage")?).arg(seen).current_dir(run::root()))?;
    let text = ended.stdout.trim();
    if ended.success {
        return Ok(text.lines().last().unwrap_or("every documented answer seen").to_owned());
    }
    let text = format!("{text}\nadd a story for each, or take the answer out of the document; then `{again}`");
    Err(Failed::new(passed, 1, text).into())
}
