//! The scripts in front of the requests: they make what a request uses and the environment lacks. They are data of the
//! application; here the paths of the document get in.

use serde_json::{Value, json};

use crate::operation::{Operation, operations};
use crate::request;
use crate::setup::Setup;

/// Returns the lines in front of every request of the collection.
pub fn successes(document: &Value, setup: &Setup) -> Vec<String> {
    collection(document, setup, &[])
}

/// Returns the lines in front of every request of the failures.
pub fn failures(document: &Value, setup: &Setup) -> Vec<String> {
    collection(document, setup, &setup.prepare.failures)
}

fn collection(document: &Value, setup: &Setup, more: &[String]) -> Vec<String> {
    let operations = operations(document, setup);
    let prepare = &setup.prepare;
    let lines =
        prepare.script.lines().flat_map(|line| match (line.strip_suffix("<first>"), line.strip_suffix("<parts>")) {
            (Some(margin), _) => indented(prepare.first.iter(), margin),
            (_, Some(margin)) => indented(prepare.every.iter().chain(more), margin),
            _ => vec![line.to_owned()],
        });
    let text = lines.collect::<Vec<_>>().join("\n").replace("<resources>", &resources(&operations));
    filled(text, &operations)
}

/// The lines of the parts, each behind the margin.
fn indented<'a>(parts: impl Iterator<Item = &'a String>, margin: &str) -> Vec<String> {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{margin}{line}") };
    parts.flat_map(|part| part.lines()).map(line).collect()
}

/// Returns the lines in front of one request, which run after those of the collection.
pub fn before(operation: &Operation<'_>) -> Vec<String> {
    let Some(text) = operation.setup.before.get(operation.id) else { return vec![] };
    filled(text.clone(), &operations(operation.document, operation.setup))
}

fn filled(mut text: String, operations: &[Operation<'_>]) -> Vec<String> {
    for operation in operations {
        text = text.replace(&format!("<{}>", operation.id), operation.path);
    }
    text.lines().map(str::to_owned).collect()
}

/// Returns the resources that a request may need by id, as JSON: each collection of the document whose members can be
/// created and read. A collection inside a member of another one needs more than its own path, and is left to the script.
fn resources(operations: &[Operation<'_>]) -> String {
    let own = operations.iter().filter(|operation| !operation.path.contains('{'));
    let makers = own.filter_map(|operation| {
        let body = request::text_of(operation, &request::values(operation));
        let (variable, key) = operation.member()?;
        let admin = operation.setup.by_admin(operation);
        Some(json!({"variable": variable, "key": key, "path": operation.path, "admin": admin, "body": body}))
    });
    format!("{:#}", Value::Array(makers.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Prepare;

    #[test]
    fn paths_and_resources_of_the_document_get_into_the_script() {
        let document = json!({"paths": {
            "/notes": {"post": {"operationId": "create_note", "responses": {"201": {}}, "requestBody": {"content": {
                "application/json": {"example": {"title": "One"}}}}}},
            "/notes/{id}": {"get": {"operationId": "get_note", "responses": {"200": {}}}},
        }});
        let setup = Setup {
            prepare: Prepare {
                script: "const create = \"<create_note>\";\nconst resources = <resources>;\n    <first>\n    <parts>\nend();\n".into(),
                first: vec!["first();\n".into()],
                every: vec!["some();\n".into()],
                failures: vec!["more();\n".into()],
            },
            ..Setup::default()
        };
        let script = failures(&document, &setup).join("\n");
        assert!(script.starts_with("const create = \"/notes\";"), "{script}");
        assert!(
            script.contains("\"variable\": \"noteId\",\n    \"key\": \"id\",\n    \"path\": \"/notes\""),
            "{script}"
        );
        assert!(script.ends_with("\n    first();\n    some();\n    more();\nend();"), "{script}");
        assert!(successes(&document, &setup).join("\n").ends_with("\n    first();\n    some();\nend();"));
    }
}
