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
use crate::report::{Outcome, Report, Usage};
use crate::run;

pub const DOCUMENT: &str = "openapi/accord.yaml";
const OPERATIONS: &str = "openapi/operations.txt";
const RULES: &str = "openapi/RULES.md";

/// The subcommands, for who mistypes one.
const TASKS: &str =
    "check | write | lint [DOCUMENT…] | diff OLD [NEW] | explain ID | compat [--base REV] | release X.Y.Z";

/// `cargo xtask spec check | write | lint | diff | explain | compat | release`
pub fn run(arguments: &[String]) -> Outcome {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check::check(),
        ["write"] => write(),
        ["lint", ref rest @ ..] => lint::run(rest),
        ["diff", ref rest @ ..] => diff::command(rest),
        ["explain", id] => diff::explain(id),
        ["compat", ref rest @ ..] => compat::run(rest),
        ["release", ref rest @ ..] => release::run(rest),
        _ => Err(Usage(format!("say `cargo xtask spec {TASKS}`")).into()),
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
