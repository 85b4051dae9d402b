//! Holds `openapi/` to the code: the document by meaning, place by place, and the list of routes line by line; and
//! compares any two documents.

mod changelog;
mod check;
mod compat;
mod diff;
mod lint;
mod release;
mod released;
mod source;

use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::application;
use crate::report::{Outcome, Report};
use crate::run;

pub const DOCUMENT: &str = "openapi/accord.yaml";
const OPERATIONS: &str = "openapi/operations.txt";
const RULES: &str = "openapi/RULES.md";
/// The setup files of the tools, which the resources declare together with the document.
pub const SETUPS: [&str; 2] = ["contract-tests/setup.yaml", "postman/setup.yaml"];

#[derive(clap::Subcommand)]
pub enum Task {
    /// Compare openapi/ with the code, by meaning
    Check,
    /// Write openapi/ from the code
    Write,
    /// Check documents against our rules
    Lint(lint::Arguments),
    /// Compare two documents, and show whom each change breaks
    Diff(diff::Arguments),
    /// Explain a rule of the comparison
    Explain {
        /// As in openapi/RULES.md
        #[arg(value_name = "ID")]
        rule: String,
    },
    /// Check that the committed document keeps the promises of the releases
    Compat(compat::Arguments),
    /// Record the committed document as a release
    Release(release::Arguments),
}

/// `cargo xtask spec`
pub fn run(task: Task) -> Outcome {
    match task {
        Task::Check => check::check(),
        Task::Write => write(),
        Task::Lint(arguments) => lint::run(&arguments),
        Task::Diff(arguments) => diff::command(&arguments),
        Task::Explain { rule } => diff::explain(&rule),
        Task::Compat(arguments) => compat::run(&arguments),
        Task::Release(arguments) => release::run(&arguments),
    }
}

/// The committed document.
pub fn committed() -> anyhow::Result<Value> {
    let text = read(DOCUMENT)?;
    accord_openapi::from_yaml(&text).map_err(|error| {
        anyhow::anyhow!("{DOCUMENT} is no valid YAML: {error}\nrepair it, or run `cargo xtask spec write`")
    })
}

fn write() -> Outcome {
    let mut written = vec![];
    let texts = [
        (DOCUMENT, accord_openapi::to_yaml(application::document())),
        (OPERATIONS, application::operations()),
        (RULES, accord_openapi::diff::page::rules_page()),
        (SETUPS[0], application::contract()?),
        (SETUPS[1], application::postman()?),
    ];
    for (name, text) in texts {
        let path = path(name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
            std::fs::write(&path, text)?;
            written.push(name);
        }
    }
    let note = if written.is_empty() { "nothing to write".into() } else { format!("wrote {}", written.join(", ")) };
    Ok(Report::passed(0, note))
}

fn path(name: &str) -> PathBuf {
    run::root().join(name)
}

fn read(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path(name))
        .with_context(|| format!("cannot read {name}: `cargo xtask spec write` makes it"))
}
