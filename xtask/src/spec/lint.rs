//! `cargo xtask spec lint`: documents against the rules.

use std::collections::BTreeSet;

use accord_openapi::Named;
use accord_openapi::lint::{as_json, as_text, checks, faults};

use super::source;
use crate::report::{Failed, Outcome, Report, Usage};

/// How the faults are told.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Text,
    Json,
}

impl Format {
    fn read(name: &str) -> Result<Self, Usage> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Usage(USAGE.into())),
        }
    }
}

const USAGE: &str = "say `cargo xtask spec lint [DOCUMENT…] [--format text|json]` or `cargo xtask spec lint --list`";

/// `cargo xtask spec lint [DOCUMENT…] [--format text|json] | --list`
pub fn run(arguments: &[&str]) -> Outcome {
    let (mut names, mut format) = (vec![], Format::Text);
    let mut rest = arguments.iter().copied();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix("--format=") {
            Some(name) => format = Format::read(name)?,
            None if argument == "--format" => format = Format::read(rest.next().unwrap_or_default())?,
            None if argument == "--list" => return list(),
            None if argument.starts_with('-') => return Err(Usage(format!("there is no `{argument}`; {USAGE}")).into()),
            None => names.push(argument),
        }
    }
    if names.is_empty() {
        names.push("committed");
    }
    let documents = names.into_iter().map(source::document).collect::<anyhow::Result<Vec<_>>>()?;
    report(&documents, format)
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
        let report = run(&["committed"]).expect("no faults");
        assert!(report.passed > 0 && report.failed == 0, "{report:?}");
    }

    #[test]
    fn a_wrong_command_line_is_told_as_one() {
        for line in ["--format", "--format xml", "--format=xml", "--frobnicate"] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(run(&words).is_err_and(|error| error.is::<Usage>()), "{line}");
        }
    }
}
