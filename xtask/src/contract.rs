//! Runs contract-tests against the real binary and accounts for what they left: snapshots nobody asserts, answers
//! nobody provoked.

mod answers;
mod legs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;

pub use legs::{ACCESS, program, server, tell as tell_leg};

use crate::application::{ACCORD, Application, each};
use crate::arguments::Word;
use crate::postgres::{self, Postgres};
use crate::report::{Failed, Outcome, Report};
use crate::test_output::{Count, failures};
use crate::{product, run};

/// The suites that test the server.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Scenarios, written by hand
    Stories,
    /// Requests that the document forbids
    Refusals,
    /// Requests that the document just allows
    Acceptances,
    /// Random mixtures of both
    Random,
}

impl Suite {
    /// The suites that `accord-contract` derives from the document, in its order.
    pub const DERIVED: [Self; 3] = [Self::Refusals, Self::Acceptances, Self::Random];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stories => "stories",
            Self::Refusals => "refusals",
            Self::Acceptances => "acceptances",
            Self::Random => "random",
        }
    }
}

/// The databases that the server supports.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    #[default]
    Sqlite,
    Postgres,
}

impl DatabaseKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The database that the suites run on.
#[derive(Clone, Copy)]
pub enum Database<'a> {
    Sqlite,
    Postgres(&'a Postgres),
}

impl Database<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => DatabaseKind::Sqlite.as_str(),
            Self::Postgres(_) => DatabaseKind::Postgres.as_str(),
        }
    }
}

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// sqlite or postgres, without one both; and parts of the names of scenarios
    #[arg(value_name = "DATABASE | FILTER")]
    words: Vec<Word<DatabaseKind>>,
    /// Run only this suite; may be repeated
    #[arg(long = "leg", value_name = "SUITE", value_enum)]
    suites: Vec<Suite>,
    /// The seed of the random requests
    #[arg(long)]
    seed: Option<u64>,
    /// The number of random requests
    #[arg(long)]
    cases: Option<usize>,
    /// Accept changed snapshots and responses
    #[arg(long)]
    write: bool,
}

/// The tests to run, and how.
#[derive(Default)]
struct Choice {
    /// Only scenarios whose name contains one of these.
    filters: Vec<String>,
    /// Only these suites; none means all.
    suites: Vec<Suite>,
    /// Accept what has changed.
    write: bool,
    /// The arguments of the program `accord-contract`: `--seed 7 --cases 1000`.
    handed_on: Vec<String>,
}

impl Choice {
    fn new(arguments: &Arguments, filters: Vec<&str>) -> Self {
        let seed = arguments.seed.map(|seed| ["--seed".to_owned(), seed.to_string()]);
        let cases = arguments.cases.map(|cases| ["--cases".to_owned(), cases.to_string()]);
        Self {
            filters: filters.into_iter().map(str::to_owned).collect(),
            suites: arguments.suites.clone(),
            write: arguments.write,
            handed_on: seed.into_iter().chain(cases).flatten().collect(),
        }
    }

    /// A part of the suites leaves answers unseen, and snapshots unasserted.
    fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.suites.is_empty()
    }

    fn takes(&self, suite: Suite) -> bool {
        let by_filter = self.suites.is_empty() && (self.filters.is_empty() || suite == Suite::Stories);
        by_filter || self.suites.contains(&suite)
    }
}

/// `cargo xtask contract`
pub fn run(arguments: &Arguments, applications: &[&'static Application]) -> Outcome {
    let (databases, filters) = Word::separate(&arguments.words);
    let choice = Choice::new(arguments, filters);
    let is_chosen = |kind| databases.is_empty() || databases.contains(&kind);
    let mut reports = vec![];
    if is_chosen(DatabaseKind::Sqlite) {
        reports.push(each(applications, |application| all(application, Database::Sqlite, &choice))?);
    }
    if is_chosen(DatabaseKind::Postgres) {
        let postgres = Postgres::start()?;
        reports.push(each(applications, |application| all(application, Database::Postgres(&postgres), &choice))?);
    }
    let passed = reports.iter().map(|report| report.passed).sum();
    let notes: Vec<_> = reports.into_iter().map(|report| report.note).collect();
    Ok(Report::passed(passed, notes.join("; ")))
}

/// All suites of an application on one database. The operations of the foundation are the same in each application: on
/// PostgreSQL the reference application proves them for all.
pub fn run_all(application: &'static Application, database: Database<'_>) -> Outcome {
    let mut choice = Choice::default();
    if matches!(database, Database::Postgres(_)) && !application.is_reference {
        choice.handed_on =
            application.own_operations()?.into_iter().flat_map(|id| ["--operation".into(), id]).collect();
    }
    all(application, database, &choice)
}

/// The scenarios whose name contains one of the filters, on SQLite.
pub fn run_filtered(filters: Vec<String>) -> Outcome {
    all(&ACCORD, Database::Sqlite, &Choice { filters, ..Choice::default() })
}

/// The chosen legs on one database, and the account of what they have left.
fn all(application: &'static Application, database: Database<'_>, choice: &Choice) -> Outcome {
    let binary = application.build()?;
    let has_stories = choice.takes(Suite::Stories);
    // before the clock of any leg runs
    run::passing_on(&mut run::cargo(["build", "--quiet", "--workspace", "--bin", "accord-contract"]))?;
    if has_stories {
        let arguments = ["test", "--quiet", "--workspace", "--test", application.scenarios, "--no-run"];
        run::passing_on(&mut run::cargo(arguments))?;
    }
    let folder = tempfile::tempdir()?;
    let left = Left::in_folder(folder.path())?;
    // the stories wait for passwords and servers most of the time, the legs for one answer after the other
    let (told, legs) = std::thread::scope(|scope| {
        let legs = scope.spawn(|| {
            let chosen = Suite::DERIVED.into_iter().filter(|suite| choice.takes(*suite));
            chosen
                .map(|suite| legs::run(application, database, suite.as_str(), &binary, &choice.handed_on, &left))
                .collect::<Vec<_>>()
        });
        let told = has_stories.then(|| stories(application, database, choice, &binary, &left));
        (told, legs.join())
    });
    let legs = legs.map_err(|_| anyhow::anyhow!("a leg has panicked, see above"))?;
    let (mut passed, mut notes, mut faults) = (0, vec![], vec![]);
    for outcome in told.into_iter().chain(legs) {
        match outcome {
            Ok(report) => {
                eprintln!("{}: {}", database.name(), report.note);
                passed += report.passed;
                notes.push(report.note);
            }
            Err(error) => faults.push(error),
        }
    }
    // one leg that fails does not hide another
    match faults.len() {
        0 => {}
        1 => return Err(faults.remove(0)),
        several => {
            let texts: Vec<String> = faults.iter().map(|error| format!("{error:#}")).collect();
            return Err(Failed::new(passed, several, texts.join("\n\n")).into());
        }
    }
    if application.is_reference && choice.is_whole() {
        let again = format!("cargo xtask contract {}", database.name());
        forgotten(&left.asserted, choice.write, passed)?;
        notes.push(coverage(left.exchanges()?, passed, &again)?);
        notes.push(answers::account(&left.answers, choice.write, passed)?);
    }
    Ok(Report::passed(passed, format!("{}: {}", database.name(), notes.join("; "))))
}

/// What the legs of one run leave behind for the account of it.
struct Left {
    /// A line for each exchange of the legs.
    seen: PathBuf,
    /// A line for each exchange of the stories.
    told: PathBuf,
    /// The snapshots that tests asserted.
    asserted: PathBuf,
    /// Each documented answer whole.
    answers: PathBuf,
}

impl Left {
    fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let [seen, told, asserted, answers] = ["seen", "told", "asserted", "answers"].map(|name| folder.join(name));
        // each program appends
        for file in [&seen, &told, &asserted, &answers] {
            std::fs::write(file, "")?;
        }
        Ok(Self { seen, told, asserted, answers })
    }

    /// All exchanges in one file.
    fn exchanges(&self) -> anyhow::Result<&Path> {
        let all = std::fs::read_to_string(&self.seen)? + &std::fs::read_to_string(&self.told)?;
        std::fs::write(&self.seen, all)?;
        Ok(&self.seen)
    }
}

/// Tells the stories that match.
fn stories(application: &Application, database: Database<'_>, choice: &Choice, binary: &Path, left: &Left) -> Outcome {
    let began = Instant::now();
    let mut command = run::cargo(["test", "--workspace", "--test", application.scenarios, "--no-fail-fast", "--"]);
    command
        .args(&choice.filters)
        .env(format!("{}_BIN", application.name.to_uppercase()), binary)
        .env("ACCORD_CONTRACT_DATABASE", database.name())
        .env("ACCORD_CONTRACT_SEEN", &left.told)
        .env("ACCORD_CONTRACT_ANSWERS", &left.answers)
        .env("INSTA_UPDATE", if choice.write { "always" } else { "no" })
        .env("INSTA_SNAPSHOT_REFERENCES_FILE", &left.asserted);
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
    // a filter may be for the scenarios of another application
    if count.passed == 0 && (application.is_reference || choice.filters.is_empty()) {
        let text = format!("no contract test is called like {}", choice.filters.join(" or "));
        return Err(Failed::new(0, 1, text).into());
    }
    let requests = std::fs::read_to_string(&left.told)?.lines().count();
    let seconds = began.elapsed().as_secs_f64();
    let note = format!(
        "{}: {} tests, {requests} requests in {seconds:.1} s ({:.0}/s)",
        Suite::Stories.as_str(),
        count.passed,
        requests as f64 / seconds,
    );
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

/// Every documented answer was seen; the program `accord-contract` compares, and lists those that were not.
fn coverage(seen: &Path, passed: usize, again: &str) -> anyhow::Result<String> {
    let mut command = Command::new(product::built("accord-contract")?);
    command.current_dir(run::root()).args(["--document", &ACCORD.document(), "--coverage"]).arg(seen);
    let ended = run::keeping_stdout(&mut command)?;
    let text = ended.stdout.trim();
    if ended.success {
        return Ok(text.lines().last().unwrap_or("every documented answer seen").to_owned());
    }
    let text = format!("{text}\nadd a story for each, or take the answer out of the document; then `{again}`");
    Err(Failed::new(passed, 1, text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(words: &[&str]) -> Result<(Vec<DatabaseKind>, Choice), clap::Error> {
        let arguments: Arguments = crate::arguments::parse(words)?;
        let (databases, filters) = Word::separate(&arguments.words);
        Ok((databases, Choice::new(&arguments, filters)))
    }

    #[test]
    fn filter_chooses_scenarios_and_leg_chooses_that_suite() {
        let (databases, filtered) = choice(&["sqlite", "a_post"]).expect("valid");
        assert!(databases == [DatabaseKind::Sqlite] && filtered.filters == ["a_post"]);
        assert!(filtered.takes(Suite::Stories) && !filtered.takes(Suite::Refusals) && !filtered.is_whole());
        let (_, random) = choice(&["--leg", "random", "--seed", "7"]).expect("valid");
        assert!(random.takes(Suite::Random) && !random.takes(Suite::Stories) && !random.is_whole());
        assert_eq!(random.handed_on, ["--seed", "7"]);
        let (databases, all) = choice(&["--write"]).expect("valid");
        assert!(databases.is_empty() && all.is_whole() && all.write && all.takes(Suite::Acceptances));
        for words in [&["--frobnicate"][..], &["--leg", "nothing"], &["--seed"]] {
            assert!(choice(words).is_err(), "{words:?}");
        }
    }
}
