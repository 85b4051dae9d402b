//! `cargo xtask spec diff` and `explain`: two documents compared, and the rules of the comparison explained.

use accord_openapi::diff::report::{Comparison, Format};
use accord_openapi::diff::{Verdict, compare, page, release, rules};

use super::source;
use crate::report::{Outcome, Report, Usage};

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
    use accord_openapi::diff::sweep::{edits, unnoticed, unnoticed_among};
    use serde_json::Value;

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

    #[test]
    fn document_does_not_differ_from_itself() {
        let document = crate::spec::committed().expect("the committed document");
        assert!(compare(&document, &document).is_empty());
    }

    #[test]
    fn no_edit_of_the_committed_document_passes_unnoticed() {
        let document = crate::spec::committed().expect("the committed document");
        let edits = edits(&document);
        let some: Vec<_> = edits.iter().step_by(STRIDE).cloned().collect();
        assert!(some.len() > 200, "{}", some.len());
        assert_eq!(unnoticed_among(&document, &some), []);
    }

    /// The whole sweep takes too long for a unit test; a prime meets all kinds of nodes.
    const STRIDE: usize = 19;

    /// The whole of it, for those who wait: `cargo test -p xtask --release sweep -- --ignored`.
    #[test]
    #[ignore = "takes minutes in a debug build"]
    fn the_whole_sweep() {
        let document = crate::spec::committed().expect("the committed document");
        assert_eq!(unnoticed(&document), []);
    }
}
