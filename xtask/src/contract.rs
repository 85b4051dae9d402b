//! Runs contract-tests against the real binary and accounts for what they left: snapshots nobody asserts, answers
//! nobody provoked.

mod answers;
mod legs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

pub use legs::{ACCESS, NAMES as LEGS, program, server, tell as tell_leg};

use crate::postgres::{self, Postgres};
use crate::report::{Failed, Outcome, Report, Usage};
use crate::rust::{Count, failures};
use crate::{product, run};

/// The leg that is told by hand.
const STORIES: &str = "stories";

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

/// What is to be run, and how.
#[derive(Default)]
struct Choice {
    /// Only these databases; none means both.
    databases: Vec<String>,
    /// Only stories whose name contains one of these.
    filters: Vec<String>,
    /// Only these legs; none means all.
    legs: Vec<String>,
    /// Accept what has changed.
    write: bool,
    /// What is handed on to the program: `--seed 7 --cases 1000`.
    handed_on: Vec<String>,
}

impl Choice {
    fn of(arguments: &[String]) -> Result<Self, Usage> {
        let mut choice = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| Usage(format!("`{word}` needs a value")));
            match word.as_str() {
                "--write" => choice.write = true,
                "--leg" => choice.legs.push(value()?),
                "--seed" | "--cases" => choice.handed_on.extend([word.clone(), value()?]),
                "sqlite" | "postgres" if choice.filters.is_empty() => choice.databases.push(word.clone()),
                flag if flag.starts_with("--") => {
                    let known = "--write, --leg, --seed and --cases";
                    return Err(Usage(format!("`contract` knows no `{flag}`, only {known}")));
                }
                filter => choice.filters.push(filter.into()),
            }
        }
        let unknown = |leg: &&String| *leg != STORIES && !legs::NAMES.contains(&leg.as_str());
        if let Some(leg) = choice.legs.iter().find(unknown) {
            return Err(Usage(format!("there is no leg `{leg}`, only {STORIES}, {}", legs::NAMES.join(", "))));
        }
        Ok(choice)
    }

    /// A part of the legs leaves answers unseen, and snapshots unasserted.
    fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.legs.is_empty()
    }

    fn takes(&self, leg: &str) -> bool {
        let chosen = self.legs.is_empty() && (self.filters.is_empty() || leg == STORIES);
        chosen || self.legs.iter().any(|chosen| chosen == leg)
    }
}

/// `cargo xtask contract [sqlite|postgres] [FILTER] [--leg LEG] [--seed N] [--cases N] [--write]`; without a database:
/// on both.
pub fn run(arguments: &[String]) -> Outcome {
    let choice = Choice::of(arguments)?;
    let mut notes = vec![];
    let mut passed = 0;
    let mut told = |database: Database<'_>| -> anyhow::Result<()> {
        if choice.databases.is_empty() || choice.databases.iter().any(|name| name == database.name()) {
            let report = all(database, &choice)?;
            passed += report.passed;
            notes.push(report.note);
        }
        Ok(())
    };
    told(Database::Sqlite)?;
    if choice.databases.is_empty() || choice.databases.iter().any(|name| name == "postgres") {
        let server = Postgres::start()?;
        told(Database::Postgres(&server))?;
    }
    Ok(Report::passed(passed, notes.join("; ")))
}

/// Everything, on one database.
pub fn tell(database: Database<'_>, filters: &[&str], write: bool) -> Outcome {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    all(database, &Choice { filters, write, ..Choice::default() })
}

/// The chosen legs on one database, and the account of what they have left.
fn all(database: Database<'_>, choice: &Choice) -> Outcome {
    let binary = product::build()?;
    // before the clock of any leg runs
    run::passing_on(&mut run::cargo(["build", "--quiet", "--workspace", "--bin", "accord-contract"]))?;
    if choice.takes(STORIES) {
        run::passing_on(&mut run::cargo(["test", "--quiet", "--workspace", "--test", "contract", "--no-run"]))?;
    }
    let folder = tempfile::tempdir()?;
    let left = Left::in_folder(folder.path())?;
    // the stories wait for passwords and servers most of the time, the legs for one answer after the other
    let (told, legs) = std::thread::scope(|scope| {
        let legs = scope.spawn(|| {
            let chosen = legs::NAMES.iter().filter(|leg| choice.takes(leg));
            chosen.map(|leg| legs::run(database, leg, &binary, &choice.handed_on, &left)).collect::<Vec<_>>()
        });
        let told = choice.takes(STORIES).then(|| stories(database, choice, &binary, &left));
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
    if choice.is_whole() {
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
fn stories(database: Database<'_>, choice: &Choice, binary: &Path, left: &Left) -> Outcome {
    let began = Instant::now();
    let mut command = run::cargo(["test", "--workspace", "--test", "contract", "--no-fail-fast", "--"]);
    command
        .args(&choice.filters)
        .env("ACCORD_BIN", binary)
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
    if count.passed == 0 {
        let text = format!("no contract test is called like {}", choice.filters.join(" or "));
        return Err(Failed::new(0, 1, text).into());
    }
    let requests = std::fs::read_to_string(&left.told)?.lines().count();
    let seconds = began.elapsed().as_secs_f64();
    let note = format!(
        "{STORIES}: {} tests, {requests} requests in {seconds:.1} s ({:.0}/s)",
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
    command.current_dir(run::root()).args(["--document", "openapi/accord.yaml", "--coverage"]).arg(seen);
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

    fn choice(words: &str) -> Result<Choice, Usage> {
        Choice::of(&words.split_whitespace().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn a_filter_tells_stories_only_and_a_leg_is_that_leg() {
        let filtered = choice("sqlite a_post").expect("valid");
        assert!(filtered.takes(STORIES) && !filtered.takes("refusals") && !filtered.is_whole());
        let random = choice("--leg random --seed 7").expect("valid");
        assert!(random.takes("random") && !random.takes(STORIES) && !random.is_whole());
        assert_eq!(random.handed_on, ["--seed", "7"]);
        let all = choice("--write").expect("valid");
        assert!(all.is_whole() && all.takes("acceptances") && all.databases.is_empty());
        for words in ["--frobnicate", "--leg nothing", "--seed"] {
            assert!(choice(words).is_err(), "{words}");
        }
    }
}
