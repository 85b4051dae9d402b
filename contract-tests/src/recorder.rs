//! Notes which answers of the document were seen.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;

use serde_json::Value;

use crate::answers::{self, Origin};
use crate::document::{Document, Operation};
use crate::exchange::Answer;

/// Names the file that each exchange appends a line to: operation, status, media type.
const SEEN_VARIABLE: &str = "ACCORD_CONTRACT_SEEN";

/// Names the file that each documented answer is appended to, whole, as a line of JSON.
const ANSWERS_VARIABLE: &str = "ACCORD_CONTRACT_ANSWERS";

/// Notes an answer in the files that the variables name.
pub(crate) fn note(document: &Document, answer: &Answer, origin: Origin) {
    let operation = document.operation(&answer.request.method, answer.request.path());
    let operation = operation.filter(|_| answer.request.method != "HEAD");
    let cell = operation.map_or("-", |operation| &operation.id);
    append(SEEN_VARIABLE, || Some(format!("{cell} {} {}", answer.status, answer.media_type().unwrap_or("-"))));
    if let Some(operation) = operation.filter(|_| answer.status < 500) {
        append(ANSWERS_VARIABLE, || answers::kept(operation, answer, origin).map(|kept| kept.to_string()));
    }
}

/// Adds a line to the file that a variable names, if it is set.
fn append(variable: &str, line: impl FnOnce() -> Option<String>) {
    let Some((path, line)) = std::env::var_os(variable).and_then(|path| Some((path, line()?))) else { return };
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of what was seen");
    // one write of one line: those of other processes do not cut into it
    file.write_all(format!("{line}\n").as_bytes()).expect("the file of what was seen");
}

/// Every answer that the document promises: operation, status, media type (`-` without content).
pub fn cells(document: &Document) -> BTreeSet<(String, String, String)> {
    let of_response = |operation: &Operation, status: &String, response: &Value| {
        let content = response["content"].as_object().into_iter().flatten();
        let mut media_types: Vec<String> = content.map(|(media_type, _)| media_type.clone()).collect();
        if media_types.is_empty() {
            media_types.push("-".into());
        }
        let cell = |media_type| (operation.id.clone(), status.clone(), media_type);
        media_types.into_iter().map(cell).collect::<Vec<_>>()
    };
    let of_operation = |operation: &Operation| {
        let responses = operation.responses.iter();
        responses.flat_map(|(status, response)| of_response(operation, status, response)).collect::<Vec<_>>()
    };
    document.operations.iter().flat_map(of_operation).collect()
}
