//! The script in front of every request: it makes what the request uses and the environment lacks. The script itself
//! stands in `prepare.js`, what only the failures need in `failures.js`; here the paths of the document get in.

use serde_json::{Value, json};

use super::operation::{Operation, operations};
use super::{flow, request};

const SCRIPT: &str = include_str!("prepare.js");
const FAILURES: &str = include_str!("failures.js");

/// The lines for the collection that shows how things work.
pub fn successes(document: &Value) -> Vec<String> {
    lines(document, "")
}

/// The lines for the collection that shows how they fail.
pub fn failures(document: &Value) -> Vec<String> {
    lines(document, FAILURES)
}

fn lines(document: &Value, more: &str) -> Vec<String> {
    let operations = operations(document);
    let mut text = SCRIPT.replace("    <more>\n", more).replace("<resources>", &resources(&operations));
    for operation in &operations {
        text = text.replace(&format!("<{}>", operation.id), operation.path);
    }
    text.lines().map(str::to_owned).collect()
}

/// What a request may need by its id: each collection of the document whose members can be made and read. One that
/// belongs to a member of another needs more than its own path, and is left to a script of `flow.rs`.
fn resources(operations: &[Operation<'_>]) -> String {
    let own = operations.iter().filter(|operation| !operation.path.contains('{'));
    let makers = own.filter_map(|operation| {
        let body = request::text_of(operation, &request::values(operation));
        let (variable, key) = operation.member()?;
        let admin = flow::by_admin(operation);
        Some(json!({"variable": variable, "key": key, "path": operation.path, "admin": admin, "body": body}))
    });
    format!("{:#}", Value::Array(makers.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    #[test]
    fn every_place_of_the_scripts_is_filled_from_the_document() {
        let document = spec::committed().expect("the committed document");
        let script = failures(&document).join("\n");
        assert!(script.contains("\"POST\", \"/api/v1/user\""), "{script}");
        assert!(
            script.contains("\"variable\": \"postId\",\n    \"key\": \"id\",\n    \"path\": \"/api/v1/posts\""),
            "{script}"
        );
        assert!(script.contains("\"variable\": \"permissionName\",\n    \"key\": \"name\""), "{script}");
        let blank = script.split('<').skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        assert_eq!(blank, None, "an operation that the document does not have");
    }
}
