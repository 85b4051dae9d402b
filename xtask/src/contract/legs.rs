//! The legs that are derived from the document: the program `accord-contract` against a server on a database of its own.

use std::path::Path;
use std::process::Command;

use super::{Database, Left};
use crate::application::Application;
use crate::product::{self, Server};
use crate::report::{Failed, Outcome, Report};
use crate::run;

/// The suite that the program runs for `cargo xtask access`.
pub const ACCESS: &str = "access";

/// The settings of a server for these suites: no person waits for the next login, no log is read, the stories run
/// beside it, and passwords protect nobody.
const SETTINGS: [(&str, &str); 8] = [
    ("RATE_LIMIT", "0"),
    ("RATE_LIMIT_ACCOUNT", "0"),
    ("LOGIN_FAILURES", "0"),
    // people log in once, and on a busy machine minutes pass before they delete their accounts
    ("FRESH_LOGIN", "86400"),
    ("LOG", "warn"),
    ("DB_TIMEOUT", "30"),
    ("PASSWORD_MEMORY", "64"),
    ("TASK_WORKERS", "0"),
];

/// A server whose database has the people that the setup file logs in.
pub fn server(application: &Application, binary: &Path, folder: &Path, url: &str) -> anyhow::Result<Server> {
    let settings = [&SETTINGS, application.settings].concat();
    let server = Server::start_with(binary, folder, url, &settings)?;
    product::load(binary, folder, url, &[application.people])?;
    Ok(server)
}

/// The program for one leg; it is built already.
pub fn program(application: &Application, address: &str, leg: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(product::built("accord-contract")?);
    let [document, setup] = [application.document(), application.contract()].map(|name| application.file(&name));
    command.current_dir(run::root()).args(["--url", address, "--document", &document]);
    command.args(["--setup", &setup, "--tag", "tag", "--leg", leg]);
    Ok(command)
}

/// What a leg has told.
pub struct Told {
    cases: usize,
    failed: usize,
    /// Everything that it has printed.
    text: String,
    log: String,
}

impl Told {
    /// As the result of a task; `again` runs the leg again.
    pub fn outcome(self, leg: &str, database: Database<'_>, again: &str) -> Outcome {
        let Self { cases, failed, text, log } = self;
        if failed > 0 {
            let text = format!(
                "{log}\n{failed} of {cases} cases of {leg} fail on {}; each says which request shows it (the server of \
                 this run has ended: `cargo run` starts one with the same settings), `{again}` runs them again",
                database.name(),
            );
            return Err(Failed::new(cases.saturating_sub(failed), failed, text).into());
        }
        Ok(Report::passed(cases, text.lines().last().unwrap_or_default()))
    }
}

/// Runs one leg on a fresh database; `with` is what the program gets beside the leg.
pub fn tell(
    application: &Application,
    database: Database<'_>,
    leg: &str,
    binary: &Path,
    with: impl FnOnce(&mut Command),
) -> anyhow::Result<Told> {
    let folder = tempfile::tempdir()?;
    match database {
        Database::Sqlite => {
            let url = format!("sqlite:{}", folder.path().join("accord.db").display());
            against(application, &url, leg, binary, folder.path(), with)
        }
        Database::Postgres(server) => {
            let name = format!("{}_{leg}_{}", application.name, &run::random_hex()[..8]);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let url = runtime.block_on(server.create(&name))?;
            let told = against(application, &url, leg, binary, folder.path(), with);
            runtime.block_on(server.remove(&name))?;
            told
        }
    }
}

fn against(
    application: &Application,
    url: &str,
    leg: &str,
    binary: &Path,
    folder: &Path,
    with: impl FnOnce(&mut Command),
) -> anyhow::Result<Told> {
    let server = server(application, binary, folder, url)?;
    let report = folder.join("report.json");
    let mut command = program(application, &server.address, leg)?;
    command.arg("--json").arg(&report);
    with(&mut command);
    let ended = run::keeping_stdout(&mut command)?;
    println!("{}", ended.stdout.trim_end());
    let report: serde_json::Value =
        std::fs::read_to_string(&report).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let counts = report["legs"][0]["counts"].as_object().into_iter().flatten();
    let of_operation = |counts: &serde_json::Value| {
        counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum::<u64>()
    };
    let cases = counts.map(|(_, counts)| of_operation(counts)).sum::<u64>() as usize;
    let failed = report["legs"][0]["failures"].as_array().map_or(0, Vec::len);
    // a program that could not run has said so, and counted nothing
    let failed = if ended.success { failed } else { failed.max(1) };
    Ok(Told { cases, failed, text: ended.stdout.trim_end().into(), log: server.log_tail() })
}

/// Runs one leg of the contract; `handed_on` to the program.
pub fn run(
    application: &Application,
    database: Database<'_>,
    leg: &str,
    binary: &Path,
    handed_on: &[String],
    left: &Left,
) -> Outcome {
    let told = tell(application, database, leg, binary, |command| {
        command.args(handed_on).env("ACCORD_CONTRACT_SEEN", &left.seen);
        if leg == "refusals" {
            // one after the other, so that each answer is the same in every run
            command.env("ACCORD_CONTRACT_ANSWERS", &left.answers);
        }
    })?;
    let again = format!("cargo xtask contract {} --leg {leg} --application {}", database.name(), application.name);
    told.outcome(leg, database, &again)
}
