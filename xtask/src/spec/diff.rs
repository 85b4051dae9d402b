//! `cargo xtask spec diff` and `explain`: two documents compared, and the rules of the comparison explained.

use accord_openapi::diff::report::{self, Comparison};
use accord_openapi::diff::{Verdict, compare, page, release, rules};
use clap::ValueEnum;

use super::source;
use crate::report::{Outcome, Report, Usage};

#[derive(Clone, Copy, Default, Debug, PartialEq, ValueEnum)]
enum Format {
    /// For a terminal
    #[default]
    Text,
    /// For programs
    Json,
    /// For pull requests
    Markdown,
}

impl From<Format> for report::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
            Format::Markdown => Self::Markdown,
        }
    }
}

#[derive(clap::Args, Debug)]
#[command(after_help = format!("A document is named by\n{}", source::NAMES))]
pub struct Arguments {
    /// The document before the change
    old: String,
    /// The document after it
    #[arg(default_value = "committed")]
    new: String,
    /// The form of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show changes of texts, too
    #[arg(long)]
    wording: bool,
    /// Compare the versions of the documents, too
    #[arg(long)]
    release: bool,
}

/// `cargo xtask spec diff`; exit code 0 without a difference, 4 if one is breaking, else 3.
pub fn command(arguments: &Arguments) -> Outcome {
    let (old, new) = (source::document(&arguments.old)?, source::document(&arguments.new)?);
    let mut findings = compare(&old.value, &new.value);
    if arguments.release {
        findings.extend(release(&old.value, &new.value, &findings));
    }
    let mut comparison = Comparison::new(&old.name, &new.name, findings);
    comparison.prove(&old.value, &new.value);
    print!("{}", comparison.written(arguments.format.into(), arguments.wording));
    let exit = match comparison.worst() {
        None => 0,
        Some(Verdict::Breaking) => 4,
        Some(_) => 3,
    };
    Ok(Report { exit, ..Report::default() })
}

/// `cargo xtask spec explain`
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

#[cfg(test)]
mod tests {
    use accord_openapi::diff::sweep::{edits, unnoticed, unnoticed_among};
    use serde_json::Value;

    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        crate::arguments::parse(words).expect("valid arguments")
    }

    #[test]
    fn options_may_stand_anywhere_and_the_new_document_may_be_omitted() {
        let read = |words: &[&str]| format!("{:?}", arguments(words));
        assert_eq!(read(&["--wording", "a", "--format", "json", "b"]), read(&["a", "b", "--format=json", "--wording"]));
        assert_eq!(arguments(&["a"]).new, "committed");
    }

    #[test]
    fn the_exit_code_is_the_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let exit_code = |pointer: &str, value: Value| {
            let mut document = crate::spec::committed().expect("the committed document");
            *document.pointer_mut(pointer).expect("it is there") = value;
            let file = folder.path().join("new.json");
            std::fs::write(&file, document.to_string()).expect("the folder can be written");
            command(&arguments(&["committed", file.to_str().expect("a name")])).expect("both can be read").exit
        };
        let title = "/components/schemas/PostCreate/properties/title";
        assert_eq!(exit_code(&format!("{title}/maxLength"), 200.into()), 0);
        assert_eq!(exit_code(&format!("{title}/maxLength"), 201.into()), 3);
        assert_eq!(exit_code(&format!("{title}/description"), "A title".into()), 3);
        assert_eq!(exit_code(&format!("{title}/maxLength"), 199.into()), 4);
        assert!(command(&arguments(&["committed", "no such file"])).is_err_and(|error| !error.is::<Usage>()));
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
