//! The legs that are derived from the document: the program `contract` against a server on a database of its own.

use std::path::Path;
use std::process::Command;

use super::{Database, Left};
use crate::product::{self, Server};
use crate::report::{Failed, Outcome, Report};
use crate::run;

/// What the program can run, in its order.
pub const NAMES: [&str; 3] = ["refusals", "acceptances", "random"];

/// What a server is given for these legs: no person waits for the next login, no log is read, the stories run
/// beside it, and passwords protect nobody.
const SETTINGS: [(&str, &str); 4] =
    [("ACCORD_RATE_LIMIT", "0"), ("ACCORD_LOG", "warn"), ("ACCORD_DB_TIMEOUT", "30"), ("ACCORD_PASSWORD_MEMORY", "64")];

/// A server whose database has the people that the setup file logs in.
pub fn server(binary: &Path, folder: &Path, url: &str) -> anyhow::Result<Server> {
    let server = Server::start_with(binary, folder, url, &SETTINGS)?;
    product::load(binary, folder, url, "contract-tests/people.yaml")?;
    Ok(server)
}

/// The program for one leg; it is built already.
pub fn program(address: &str, leg: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(product::built("contract")?);
    command.current_dir(run::root()).args(["--url", address, "--document", "openapi/accord.yaml"]);
    command.args(["--setup", "contract-tests/setup.yaml", "--tag", "tag", "--leg", leg]);
    Ok(command)
}

/// Runs one leg; `handed_on` to the program.
pub fn run(database: Database<'_>, leg: &str, binary: &Path, handed_on: &[String], left: &Left) -> Outcome {
    let folder = tempfile::tempdir()?;
    match database {
        Database::Sqlite => {
            let url = format!("sqlite:{}", folder.path().join("accord.db").display());
            against(&url, leg, binary, handed_on, left, folder.path(), database)
        }
        Database::Postgres(server) => {
            let name = format!("accord_{leg}_{}", &run::random_hex()[..8]);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let url = runtime.block_on(server.create(&name))?;
            let outcome = against(&url, leg, binary, handed_on, left, folder.path(), database);
            runtime.block_on(server.remove(&name))?;
            outcome
        }
    }
}

fn against(
    url: &str,
    leg: &str,
    binary: &Path,
    handed_on: &[String],
    left: &Left,
    folder: &Path,
    database: Database<'_>,
) -> Outcome {
    let server = server(binary, folder, url)?;
    let report = folder.join("report.json");
    let mut command = program(&server.address, leg)?;
    command.args(handed_on).arg("--json").arg(&report).env("ACCORD_CONTRACT_SEEN", &left.seen);
    if leg == "refusals" {
        // one after the other, so that each answer is the same in every run
        command.env("ACCORD_CONTRACT_ANSWERS", &left.answers);
    }
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
    if !ended.success {
        let again = format!("cargo xtask contract {} --leg {leg}", database.name());
        let text = format!(
            "{}\n{failed} of {cases} cases of {leg} fail on {}; each says which request shows it (the server of this \
             run has ended: `cargo run` starts one with ACCORD_RATE_LIMIT=0), `{again}` runs them again",
            server.log_tail(),
            database.name(),
        );
        return Err(Failed::new(cases.saturating_sub(failed), failed, text).into());
    }
    let note = ended.stdout.lines().last().unwrap_or_default().to_owned();
    Ok(Report::passed(cases, note))
}
