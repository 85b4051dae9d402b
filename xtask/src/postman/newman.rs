//! Calls newman, and reads what it reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

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

/// What newman is to run.
pub struct Run<'a> {
    pub collection: &'a Path,
    pub environment: &'a Path,
    /// Only this folder.
    pub folder: Option<&'a str>,
    pub base_url: &'a str,
    /// A new folder for its files.
    pub scratch: PathBuf,
}

/// What one run counted.
pub struct Counted {
    /// Items of the collection; what scripts send besides is not counted.
    pub requests: usize,
    pub assertions: Vec<Assertion>,
    /// Where the environment is kept as the run left it.
    pub environment: PathBuf,
}

/// One check of one request.
pub struct Assertion {
    /// The name of its request.
    pub request: String,
    /// The name of the check.
    pub test: String,
    /// Why it failed.
    pub error: Option<String>,
}

impl Counted {
    /// Each failed check as a sentence.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.assertions.iter().filter_map(|assertion| Some((assertion, assertion.error.as_ref()?)));
        failed.map(|(by, error)| format!("request \"{}\" › {}: {error}", by.request, by.test)).collect()
    }
}

impl Newman {
    /// Runs it to the end.
    pub fn run(&self, run: &Run<'_>) -> anyhow::Result<Counted> {
        let (report, environment) = (run.scratch.join("report.json"), run.scratch.join("environment.json"));
        let mut command = self.command();
        command.arg("run").arg(run.collection).arg("--environment").arg(run.environment);
        command.arg("--env-var").arg(format!("baseUrl={}", run.base_url));
        command.arg("--export-environment").arg(&environment);
        command.args(["--color", "off", "--reporters", "json", "--reporter-json-export"]).arg(&report);
        if let Some(folder) = run.folder {
            command.args(["--folder", folder]);
        }
        // its exit code says no more than the report, which is there unless it could not run at all
        let ended = run::silently(&mut command);
        let Ok(text) = std::fs::read_to_string(&report) else {
            ended?;
            anyhow::bail!("newman left no report");
        };
        let report = serde_json::from_str(&text).context("newman's report")?;
        Ok(counted(report, environment))
    }
}

/// Of newman's report what is counted; the rest, every byte of every answer among it, is passed over.
#[derive(Deserialize)]
struct Report {
    run: Executed,
}

#[derive(Deserialize)]
struct Executed {
    executions: Vec<Execution>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Execution {
    item: Item,
    #[serde(default)]
    assertions: Vec<Checked>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Checked {
    assertion: String,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Failure {
    source: Option<Item>,
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    name: Option<String>,
    test: Option<String>,
    message: String,
}

fn counted(report: Report, environment: PathBuf) -> Counted {
    let Executed { executions, failures } = report.run;
    // what a script sends is listed as the item once more: an item counts once
    let mut items = BTreeSet::new();
    let executions: Vec<_> = executions.into_iter().filter(|by| items.insert(by.item.id.clone())).collect();
    let requests = executions.len();
    let assertions = executions.into_iter().flat_map(|Execution { item, assertions }| {
        assertions.into_iter().map(move |checked| Assertion {
            request: item.name.clone(),
            test: checked.assertion,
            error: checked.error.map(|error| error.message),
        })
    });
    // an error outside of a test: a script that cannot run, a server that does not answer
    let loose = failures.into_iter().filter(|failure| failure.error.test.is_none());
    let loose = loose.map(|Failure { source, error }| Assertion {
        request: source.map(|item| item.name).unwrap_or_default(),
        test: error.name.unwrap_or_default(),
        error: Some(error.message),
    });
    Counted { requests, assertions: assertions.chain(loose).collect(), environment }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_counts_once_and_what_fails_outside_of_a_test_is_told() {
        let item = json!({"id": "1", "name": "Log in"});
        let checks = json!([
            {"assertion": "status is 200", "error": {"message": "expected 401 to equal 200"}},
            {"assertion": "body is empty"},
        ]);
        let execution = json!({"item": item, "assertions": checks});
        let report = json!({"run": {
            // the second is what the item's script has sent
            "executions": [execution, execution, {"item": {"id": "2", "name": "Log out"}}],
            "failures": [
                {"source": item, "error": {"name": "AssertionError", "test": "status is 200", "message": "expected"}},
                {"source": {"id": "2", "name": "Log out"}, "error": {"name": "Error", "message": "connect ECONNREFUSED"}},
            ],
        }});
        let report = serde_json::from_value(report).expect("a report");
        let counted = counted(report, PathBuf::new());
        assert_eq!((counted.requests, counted.assertions.len()), (2, 3));
        assert_eq!(
            counted.failures(),
            [
                "request \"Log in\" › status is 200: expected 401 to equal 200",
                "request \"Log out\" › Error: connect ECONNREFUSED",
            ]
        );
    }
}
