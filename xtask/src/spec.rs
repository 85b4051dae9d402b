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

use crate::application::{ACCORD, Application, each};
use crate::report::{Outcome, Report};
use crate::run;

/// The document of the repositories of tests.
#[cfg(test)]
const DOCUMENT: &str = "openapi/accord.yaml";
/// Files in the folder of each application.
const OPERATIONS: &str = "openapi/operations.txt";
pub const POSTMAN: &str = "postman/setup.yaml";
/// The rules of the comparison, which are the same for all applications.
const RULES: &str = "openapi/RULES.md";

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
pub fn run(task: Task, applications: &[&'static Application]) -> Outcome {
    match task {
        Task::Check => each(applications, check::check),
        Task::Write => each(applications, write),
        Task::Lint(arguments) => lint::run(&arguments, applications),
        Task::Diff(arguments) => diff::command(&arguments),
        Task::Explain { rule } => diff::explain(&rule),
        Task::Compat(arguments) => each(applications, |application| compat::run(&arguments, application)),
        Task::Release(arguments) => release::run(&arguments),
    }
}

/// The committed document of the reference application.
pub fn committed() -> anyhow::Result<Value> {
    committed_of(&ACCORD)
}

/// The committed document of an application.
pub fn committed_of(application: &Application) -> anyhow::Result<Value> {
    let name = application.file(&application.document());
    accord_openapi::from_yaml(&read(&name)?).map_err(|error| {
        anyhow::anyhow!("{name} is no valid YAML: {error}\nrepair it, or run `cargo xtask spec write`")
    })
}

/// The files of an application that follow from its declarations: name in the repository, and text.
fn texts(application: &Application) -> anyhow::Result<Vec<(String, String)>> {
    let declared = application.declared()?;
    let mut texts = vec![
        (application.file(OPERATIONS), declared.operations.clone()),
        (application.file(&application.contract()), declared.contract.clone()),
        (application.file(POSTMAN), declared.postman.clone()),
    ];
    if application.name == ACCORD.name {
        texts.push((RULES.to_owned(), accord_openapi::diff::page::rules_page()));
    }
    Ok(texts)
}

fn write(application: &'static Application) -> Outcome {
    let mut written = vec![];
    let document = accord_openapi::to_yaml(&application.declared()?.document);
    let document = (application.file(&application.document()), document);
    for (name, text) in [document].into_iter().chain(texts(application)?) {
        let path = path(&name);
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
