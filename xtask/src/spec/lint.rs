//! `cargo xtask spec lint`: documents against the rules.

use std::collections::BTreeSet;

use accord_openapi::Named;
use accord_openapi::lint::{as_json, as_text, checks, faults};
use clap::ValueEnum;

use super::source;
use crate::application::Application;
use crate::report::{Failed, Outcome, Report};

#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// The documents, named as for `spec diff`; without one the committed one
    #[arg(value_name = "DOCUMENT")]
    documents: Vec<String>,
    /// The form of the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// List the rules, and check nothing
    #[arg(long)]
    list: bool,
}

/// `cargo xtask spec lint`; without a document it checks that of each application.
pub fn run(Arguments { documents, format, list }: &Arguments, applications: &[&'static Application]) -> Outcome {
    if *list {
        return self::list();
    }
    let names: Vec<_> = documents.iter().map(String::as_str).collect();
    let documents = if names.is_empty() {
        let committed = |application: &&Application| source::document_in(&application.root(), "committed");
        applications.iter().map(committed).collect::<anyhow::Result<Vec<_>>>()?
    } else {
        names.into_iter().map(source::document).collect::<anyhow::Result<Vec<_>>>()?
    };
    report(&documents, *format)
}

fn list() -> Outcome {
    let width = checks().map(|check| check.id.len()).max().unwrap_or_default();
    for check in checks() {
        println!("{:width$}  {}", check.id, check.about);
    }
    Ok(Report::passed(0, format!("{} checks", checks().count())))
}

fn report(documents: &[Named], format: Format) -> Outcome {
    let found: Vec<_> = documents.iter().map(|named| (named, faults(&named.value))).collect();
    let count = found.iter().map(|(_, faults)| faults.len()).sum();
    let broken: BTreeSet<&str> = found.iter().flat_map(|(_, faults)| faults).map(|(check, _)| check.id).collect();
    if format == Format::Json {
        println!("{:#}", as_json(&found));
    }
    let total = checks().count();
    let names: Vec<&str> = documents.iter().map(|named| named.name.as_str()).collect();
    if count == 0 {
        return Ok(Report::passed(total, format!("{} keeps all {total} rules", names.join(", "))));
    }
    let last = format!("{} breaks {} of {total} rules, in {count} places", names.join(", "), broken.len());
    let text = if format == Format::Json { last } else { format!("{}\n{last}", as_text(&found)) };
    Err(Failed::new(total - broken.len(), count, text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_keeps_every_rule() {
        let report = run(&Arguments::default(), crate::application::ALL).expect("no faults");
        assert!(report.passed > 0 && report.failed == 0, "{report:?}");
    }
}
