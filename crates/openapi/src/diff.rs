//! Two OpenAPI documents compared by meaning: references resolved, order and layout ignored.
//!
//! Every difference falls under one rule of the table in [`rules`], which knows whom it breaks: those who send a value
//! or those who receive it.

mod api;
#[cfg(test)]
mod cases;
pub mod finding;
mod operation;
pub mod page;
mod parameter;
pub mod report;
mod response;
pub mod rules;
mod schema;
mod security;
mod shape;
mod slot;
pub mod sweep;
mod walk;
mod witness;

pub use finding::Finding;
pub use rules::Verdict;

use serde_json::Value;

use super::source;
use crate::report::{Outcome, Report, Usage};
use report::{Comparison, Format};
use walk::Walk;

/// Every difference between the two documents, at every place where it is of effect.
pub fn compare(old: &Value, new: &Value) -> Vec<Finding> {
    compare_on(&::accord::app::now().date_naive().to_string(), old, new)
}

/// As [`compare`], on a day of which it depends which promises of removal have passed.
fn compare_on(today: &str, old: &Value, new: &Value) -> Vec<Finding> {
    let mut walk = Walk::new(old, new, today.to_owned());
    api::compare(&mut walk);
    walk.findings
}

/// What a version must say when `new` is to be released after `old`, given the findings between them.
pub fn release(old: &Value, new: &Value, findings: &[Finding]) -> Option<Finding> {
    api::release(old, new, findings)
}

const USAGE: &str = "say `cargo xtask spec diff OLD [NEW] [--format text|json|markdown] [--wording] [--release]`; \
                     NEW is the committed document unless you name another";

/// `cargo xtask spec diff OLD [NEW] …`; exit code 0 without a difference, 4 if one is breaking, else 3.
pub fn command(arguments: &[&str]) -> Outcome {
    let wanted = Wanted::read(arguments).ok_or_else(|| Usage(USAGE.into()))?;
    let (old, new) = (source::document(wanted.old)?, source::document(wanted.new)?);
    let mut findings = compare(&old.value, &new.value);
    if wanted.release {
        findings.extend(release(&old.value, &new.value, &findings));
    }
    let mut comparison = Comparison::new(&old.name, &new.name, findings);
    comparison.prove(&old.value, &new.value);
    print!("{}", comparison.written(wanted.format, wanted.wording));
    let exit = match comparison.worst() {
        None => 0,
        Some(Verdict::Breaking) => 4,
        Some(_) => 3,
    };
    Ok(Report { exit, ..Report::default() })
}

/// `cargo xtask spec explain ID`
pub fn explain(id: &str) -> Outcome {
    let Some(rule) = rules::by_id(id) else {
        let ids = rules::ALL.iter().flat_map(|rule| rule.ids());
        let nearest = ids.min_by_key(|other| strsim::damerau_levenshtein(other, id)).unwrap_or_default();
        return Err(
            Usage(format!("there is no rule `{id}`; did you mean `{nearest}`? openapi/RULES.md has all")).into()
        );
    };
    print!("{}", page::explained(id, rule));
    Ok(Report::default())
}

#[derive(Debug, PartialEq)]
struct Wanted<'a> {
    old: &'a str,
    new: &'a str,
    format: Format,
    wording: bool,
    release: bool,
}

impl<'a> Wanted<'a> {
    fn read(arguments: &[&'a str]) -> Option<Self> {
        let mut wanted = Self { old: "", new: "committed", format: Format::Text, wording: false, release: false };
        let mut names = vec![];
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            match argument {
                "--wording" => wanted.wording = true,
                "--release" => wanted.release = true,
                "--format" => wanted.format = Format::read(rest.next()?)?,
                _ => match argument.strip_prefix("--format=") {
                    Some(format) => wanted.format = Format::read(format)?,
                    None if argument.starts_with('-') => return None,
                    None => names.push(argument),
                },
            }
        }
        match names[..] {
            [old] => Some(Self { old, ..wanted }),
            [old, new] => Some(Self { old, new, ..wanted }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_command_line_is_read_in_any_order() {
        let read = |line: &str| Wanted::read(&line.split(' ').collect::<Vec<_>>()).map(|wanted| format!("{wanted:?}"));
        assert_eq!(read("--wording a --format json b"), read("a b --format=json --wording"));
        assert!(read("a").expect("one name is enough").contains("committed"));
        for wrong in ["--format", "a b c", "a --format xml", "a --frobnicate", "--wording"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_exit_code_is_the_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let exit_code = |pointer: &str, value: Value| {
            let mut document = crate::spec::committed().expect("the committed document");
            *document.pointer_mut(pointer).expect("it is there") = value;
            let file = folder.path().join("new.json");
            std::fs::write(&file, document.to_string()).expect("the folder can be written");
            command(&["committed", file.to_str().expect("a name")]).expect("both can be read").exit
        };
        let title = "/components/schemas/PostCreate/properties/title";
        assert_eq!(exit_code(&format!("{title}/maxLength"), 200.into()), 0);
        assert_eq!(exit_code(&format!("{title}/maxLength"), 201.into()), 3);
        assert_eq!(exit_code(&format!("{title}/description"), "A title".into()), 3);
        assert_eq!(exit_code(&format!("{title}/maxLength"), 199.into()), 4);
        assert!(command(&["committed", "no such file"]).is_err_and(|error| !error.is::<Usage>()));
        assert!(command(&[]).is_err_and(|error| error.is::<Usage>()));
    }

    /// Every schema has a property of each: as in large APIs, all of them lie in one ring.
    #[test]
    fn schemas_in_rings_are_compared_in_time_and_at_each_use() {
        const SIZE: usize = 12;
        let reference = |number: usize| json!({"$ref": format!("#/components/schemas/S{number}")});
        let document = |kind: &str| {
            let mut own = json!({"type": "object", "properties": {"own": {"type": kind}}});
            let others = (0..SIZE).map(|number| (format!("p{number}"), reference(number)));
            own["properties"].as_object_mut().expect("a map").extend(others);
            let plain = |number: usize| {
                let others: Value = (0..SIZE).map(|other| (format!("p{other}"), reference(other))).collect();
                json!({"type": "object", "description": format!("{number}"), "properties": others})
            };
            let mut schemas: Value = (0..SIZE).map(|number| (format!("S{number}"), plain(number))).collect();
            schemas["S7"] = own;
            let path = |number: usize| {
                let content = json!({"application/json": {"schema": reference(number)}});
                (
                    format!("/{number}"),
                    json!({"get": {"operationId": format!("get{number}"), "responses": {
                        "200": {"description": "Ok", "content": content},
                    }}}),
                )
            };
            json!({"paths": (0..SIZE).map(path).collect::<Value>(), "components": {"schemas": schemas}})
        };
        let start = std::time::Instant::now();
        let found = compare(&document("string"), &document("integer"));
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
        let operations: std::collections::BTreeSet<_> = found.iter().map(|finding| &finding.operation).collect();
        assert_eq!(operations.len(), SIZE);
    }

    #[test]
    fn document_does_not_differ_from_itself() {
        let document = crate::spec::committed().expect("the committed document");
        assert!(compare(&document, &document).is_empty());
    }
}
