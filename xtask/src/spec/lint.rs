//! `cargo xtask spec lint`: documents against the rules.

use std::collections::BTreeSet;

use accord_openapi::Named;
use accord_openapi::lint::{as_json, as_text, checks, faults};
use clap::ValueEnum;

use super::source;
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

/// `cargo xtask spec lint`
pub fn run(Arguments { documents, format, list }: &Arguments) -> Outcome {
    if *list {
        return self::list();
    }
    let names: Vec<_> = documents.iter().map(String::as_str).collect();
    let names = if names.is_empty() { vec!["committed"] } else { names };
    let documents = names.into_iter().map(source::document).collect::<anyhow::Result<Vec<_>>>()?;
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
        let report = run(&Arguments::default()).expect("no faults");
        assert!(report.passed > 0 && report.failed == 0, "{report:?}");
    }
}
