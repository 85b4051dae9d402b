//! Records the exchanges of a run, for coverage and as examples.

use std::fs::OpenOptions;
use std::io::Write;

use crate::answers;
pub use crate::answers::Origin;
use crate::document::Document;
use crate::exchange::Answer;

/// The environment variable with the file that each exchange appends a line to: operation, status, media type.
pub const SEEN_VARIABLE: &str = "ACCORD_CONTRACT_SEEN";

/// The environment variable with the file that each documented answer is appended to, whole, as a line of JSON.
pub const ANSWERS_VARIABLE: &str = "ACCORD_CONTRACT_ANSWERS";

/// Records an answer in the files that the variables name.
///
/// # Panics
/// A file cannot be written.
pub fn note(document: &Document, answer: &Answer, origin: Origin) {
    let operation = document.operation(&answer.request.method, answer.request.path());
    let operation = operation.filter(|_| answer.request.method != "HEAD");
    let name = operation.map_or("-", |operation| &operation.id);
    append(SEEN_VARIABLE, || Some(format!("{name} {} {}", answer.status, answer.media_type().unwrap_or("-"))));
    if let Some(operation) = operation.filter(|_| answer.status < 500) {
        append(ANSWERS_VARIABLE, || answers::example(operation, answer, origin).map(|example| example.to_string()));
    }
}

/// Adds a line to the file that a variable names, if it is set.
fn append(variable: &str, line: impl FnOnce() -> Option<String>) {
    let Some((path, line)) = std::env::var_os(variable).and_then(|path| Some((path, line()?))) else { return };
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of what was seen");
    // one write of one line: those of other processes do not cut into it
    file.write_all(format!("{line}\n").as_bytes()).expect("the file of what was seen");
}
