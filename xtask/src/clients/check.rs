//! Holds what a compiler complains about to what `examples/misspelt` says it must refuse: no more and no less.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::report::Failed;

/// One complaint of a compiler.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// Relative to the package, or wherever the compiler says it is.
    pub file: String,
    pub line: usize,
    /// The compiler's name of the error.
    pub code: String,
    pub message: String,
}

/// Runs a compiler and reads its complaints from the lines it prints. One that fails without any could not run at all.
pub fn complaints(command: &mut Command, read: fn(&str) -> Option<Complaint>) -> anyhow::Result<Vec<Complaint>> {
    let output = command.output().context("cannot start the compiler")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let complaints: Vec<_> = stdout.lines().filter_map(read).collect();
    if complaints.is_empty() && !output.status.success() {
        bail!("the compiler failed ({}):\n{stdout}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(complaints)
}

/// The marks of a file: `refused: CODE` at the end of a line.
fn marks(text: &str) -> BTreeSet<(usize, String)> {
    let marked = text.lines().enumerate();
    marked.filter_map(|(index, line)| Some((index + 1, line.rsplit_once("refused: ")?.1.trim().to_owned()))).collect()
}

/// Faults that are told; in generated code the rest mostly says the same.
const SHOWN: usize = 10;

/// Every marked line is refused with its error, and nothing else is complained about; answers how many lines.
pub fn refusals(file: &str, text: &str, complaints: &[Complaint]) -> Result<usize, Failed> {
    let marks = marks(text);
    let key = |complaint: &Complaint| (complaint.line, complaint.code.clone());
    let expected =
        |complaint: &&Complaint| Path::new(&complaint.file).ends_with(file) && marks.contains(&key(complaint));
    let (refused, others): (Vec<_>, Vec<_>) = complaints.iter().partition(expected);
    let refused: BTreeSet<_> = refused.into_iter().map(key).collect();
    let mut faults: Vec<String> = others
        .iter()
        .map(|Complaint { file, line, code, message }| format!("{file}:{line}: {message} [{code}]"))
        .collect();
    // a compiler that stumbles elsewhere does not come to every mark
    if faults.is_empty() {
        let accepted = marks.difference(&refused);
        faults.extend(accepted.map(|(line, code)| format!("{file}:{line}: compiles, but must be refused with {code}")));
    }
    if marks.is_empty() {
        faults.push(format!("{file}: has no line marked `refused: CODE`, so it proves nothing"));
    }
    if faults.is_empty() {
        return Ok(refused.len());
    }
    let count = faults.len();
    if count > SHOWN {
        faults.truncate(SHOWN);
        faults.push(format!("and {} more", count - SHOWN));
    }
    Err(Failed::new(refused.len(), count, faults.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "one\ntwo // refused: E1\nthree # refused: name-two\n";

    fn complaint(line: usize, code: &str) -> Complaint {
        Complaint { file: "examples/misspelt.rs".into(), line, code: code.into(), message: "no".into() }
    }

    fn refusals_of(complaints: &[Complaint]) -> String {
        refusals("examples/misspelt.rs", TEXT, complaints).err().map(|failed| failed.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_marked_line_is_refused_with_its_error() {
        assert_eq!(refusals_of(&[complaint(2, "E1"), complaint(3, "name-two")]), "");
    }

    #[test]
    fn a_marked_line_that_compiles_is_a_fault() {
        let fault = "examples/misspelt.rs:3: compiles, but must be refused with name-two";
        assert_eq!(refusals_of(&[complaint(2, "E1")]), fault);
    }

    #[test]
    fn another_error_and_another_file_are_faults() {
        let other = Complaint { file: "examples/story.rs".into(), ..complaint(2, "E1") };
        let faults = refusals_of(&[complaint(2, "E1"), complaint(1, "E9"), other]);
        assert_eq!(faults, "examples/misspelt.rs:1: no [E9]\nexamples/story.rs:2: no [E1]");
    }

    #[test]
    fn a_file_without_marks_proves_nothing() {
        assert!(refusals("examples/misspelt.rs", "fn main() {}", &[]).is_err());
    }
}
