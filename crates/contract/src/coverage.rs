//! Compares the responses that a run has seen with those that a document declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use crate::document::{Document, Operation};

/// A declared response: operation, status, media type (`-` without content).
type Response = (String, String, String);

/// Compares the file of seen exchanges (see [`crate::recorder::SEEN_VARIABLE`]) with the document. Returns a table with
/// a row for each operation, and a last line with the sums.
///
/// # Errors
/// A declared response was not seen. The error is the same table, and a list of these responses.
pub fn coverage(document: &Document, seen: &str) -> Result<String, String> {
    let lines: Vec<Vec<&str>> = seen.lines().map(|line| line.split(' ').collect()).collect();
    let seen: BTreeSet<(&str, &str, &str)> =
        lines.iter().filter_map(|line| Some((*line.first()?, *line.get(1)?, *line.get(2)?))).collect();
    // an internal error is provoked once for all operations
    let error_seen =
        seen.iter().any(|(_, status, media_type)| status.starts_with('5') && media_type.ends_with("problem+json"));
    let is_seen = |(operation, status, media_type): &Response| match status.as_str() {
        "5XX" => error_seen,
        status => seen.contains(&(operation, status, media_type)),
    };
    let mut exchanges: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        *exchanges.entry(line[0]).or_default() += 1;
    }
    let declared = responses(document);
    let mut text = format!("{:20} {:>9} {:>10}  unseen\n", "operation", "answers", "exchanges");
    for Operation { id, .. } in &document.operations {
        let own = || declared.iter().filter(|(operation, ..)| operation == id);
        let unseen: Vec<_> =
            own().filter(|response| !is_seen(response)).map(|(_, status, _)| status.as_str()).collect();
        let count = exchanges.get(id.as_str()).unwrap_or(&0);
        let _ = writeln!(text, "{id:20} {:>9} {count:>10}  {}", own().count(), unseen.join(" "));
    }
    let unseen: Vec<_> = declared.iter().filter(|response| !is_seen(response)).collect();
    if unseen.is_empty() {
        let (operations, count) = (document.operations.len(), declared.len());
        let _ =
            write!(text, "{operations} operations, {count} documented answers, all seen in {} exchanges", lines.len());
        return Ok(text);
    }
    text.push_str("\nThe document declares answers that no request has provoked:\n");
    for (operation, status, media_type) in &unseen {
        let _ = writeln!(text, "  {operation} {status} {media_type}");
    }
    text.push_str("Add a test that provokes each, or delete it from the document.\n");
    let _ = write!(text, "{} of {} documented answers were not seen", unseen.len(), declared.len());
    Err(text)
}

/// Every response that the document declares.
fn responses(document: &Document) -> BTreeSet<Response> {
    let of_response = |operation: &Operation, status: &String, response: &Value| {
        let content = response["content"].as_object().into_iter().flatten();
        let mut media_types: Vec<String> = content.map(|(media_type, _)| media_type.clone()).collect();
        if media_types.is_empty() {
            media_types.push("-".into());
        }
        let response = |media_type| (operation.id.clone(), status.clone(), media_type);
        media_types.into_iter().map(response).collect::<Vec<_>>()
    };
    let of_operation = |operation: &Operation| {
        let responses = operation.responses.iter();
        responses.flat_map(|(status, response)| of_response(operation, status, response)).collect::<Vec<_>>()
    };
    document.operations.iter().flat_map(of_operation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_response_that_no_exchange_has_shown_is_listed() {
        let document = "
openapi: 3.0.3
paths:
  /books:
    get:
      operationId: list_books
      responses:
        '200': { description: Books, content: { application/json: {} } }
        '304': { description: Unchanged }
        5XX: { description: Error, content: { application/problem+json: {} } }
";
        let document = Document::parse(document.into()).unwrap();
        let unseen = coverage(&document, "list_books 200 application/json\n").unwrap_err();
        assert!(unseen.ends_with("2 of 3 documented answers were not seen"), "{unseen}");
        let seen = "list_books 200 application/json\nlist_books 304 -\n- 500 application/problem+json\n";
        let all = coverage(&document, seen).unwrap();
        assert!(all.ends_with("1 operations, 3 documented answers, all seen in 3 exchanges"), "{all}");
    }
}
