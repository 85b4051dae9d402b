//! Runs the collection with newman against a server of its own: twice, on one database, without a failure.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use crate::product::{self, Server};
use crate::report::{Failed, Outcome, Report};
use crate::run;

/// How newman is called here.
pub struct Newman {
    words: Vec<String>,
    /// For the summary.
    pub name: String,
}

impl Newman {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(run::root());
        command
    }
}

/// newman by PATH, from this repository's `node_modules`, or from where npx keeps it; nothing is downloaded.
pub fn find() -> anyhow::Result<Newman> {
    let installed = ["node_modules/.bin/newman", "postman/node_modules/.bin/newman"];
    let installed = installed.iter().map(|name| run::root().join(name)).find(|file| file.is_file());
    let words = match run::in_path("newman").or(installed) {
        Some(file) => vec![file.display().to_string()],
        None => ["npx", "--no-install", "newman"].map(str::to_owned).into(),
    };
    let mut newman = Newman { words, name: String::new() };
    let version = run::silently(newman.command().arg("--version"));
    let version = version.ok().context("newman is missing: install it with `npm install --global newman@6`")?;
    newman.name = format!("newman {}", version.trim());
    Ok(newman)
}

/// What one run counted.
struct Counted {
    /// Items of the collection; what scripts send besides is not counted.
    requests: usize,
    assertions: u64,
    failures: Vec<String>,
}

/// Both runs green, with a request for every operation.
pub fn run_twice(collection: &Path, environment: &Path, operations: usize) -> Outcome {
    let newman = find()?;
    let binary = product::build()?;
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("postman.db").display());
    let server = Server::start(&binary, folder.path(), &database)?;
    let (mut assertions, mut requests) = (0, 0);
    for time in ["first", "second"] {
        let counted = run(&newman, collection, environment, &server, folder.path())
            .with_context(|| format!("{time} run; the server's last lines:\n{}", server.log_tail()))?;
        if !counted.failures.is_empty() {
            let text = format!(
                "{}\nin the {time} run on one database; change the code or xtask/src/postman, then \
                 `cargo xtask postman run`",
                counted.failures.join("\n")
            );
            return Err(Failed::new(0, counted.failures.len(), text).into());
        }
        if counted.requests != operations {
            let text = format!("{} requests were sent, the document has {operations} operations", counted.requests);
            return Err(Failed::new(0, 1, text).into());
        }
        requests += counted.requests;
        assertions += counted.assertions;
    }
    Ok(Report::passed(2, format!("{requests} requests, {assertions} assertions in two runs on one database")))
}

fn run(
    newman: &Newman,
    collection: &Path,
    environment: &Path,
    server: &Server,
    folder: &Path,
) -> anyhow::Result<Counted> {
    let report = folder.join("newman.json");
    let _earlier = std::fs::remove_file(&report);
    let mut command = newman.command();
    command.arg("run").arg(collection).arg("--environment").arg(environment);
    command.args(["--env-var", &format!("baseUrl={}", server.address)]);
    command.args(["--color", "off", "--reporters", "json", "--reporter-json-export"]).arg(&report);
    // its exit code says no more than the report, which is there unless it could not run at all
    let ended = run::silently(&mut command);
    let Ok(text) = std::fs::read_to_string(&report) else {
        ended?;
        anyhow::bail!("newman left no report");
    };
    let report: Value = serde_json::from_str(&text).context("newman's report")?;
    // what a script sends is listed under the item it belongs to
    let executions = report["run"]["executions"].as_array().into_iter().flatten();
    let requests = executions.filter_map(|execution| execution["item"]["id"].as_str()).collect::<BTreeSet<_>>().len();
    let assertions = report["run"]["stats"]["assertions"]["total"].as_u64().unwrap_or_default();
    let failures = report["run"]["failures"].as_array().into_iter().flatten();
    let failures = failures.map(|failure| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let error = &failure["error"];
        let test = [&error["test"], &error["name"]].map(text).into_iter().find(|text| !text.is_empty());
        let (request, test) = (text(&failure["source"]["name"]), test.unwrap_or_default());
        format!("request \"{request}\" › {test}: {}", text(&error["message"]))
    });
    Ok(Counted { requests, assertions, failures: failures.collect() })
}
