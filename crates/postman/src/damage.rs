//! Proof that each check can fail: the same requests with the same checks, but on answers that are damaged in every
//! way the checks are to notice. `damage.js` does the damage; what can be damaged follows from the document.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compare::requests;
use crate::operation::{Operation, operations};
use crate::scripts::{self, Answer};
use crate::setup::Setup;

const SCRIPT: &str = include_str!("damage.js");

/// The beginnings of the names of the checks in `checks.js`.
const STATUS: &str = "status is";
const HEADER: &str = "header";
const MEDIA_TYPE: &str = "media type is";
const BODY: &str = "body is as documented";
const EMPTY: &str = "body is empty";
const REPEATS: &str = "the body repeats the status";
const CODE: &str = "code is";
const REQUEST_ID: &str = "request_id is";
const ERRORS: &str = "errors name";

/// Returns a collection that runs the checks of the others on damaged responses: every request of the collection, and
/// of the failures one for each code. A check that does not notice the damage fails.
pub fn damaged(document: &Value, setup: &Setup, collection: &Value, failures: &Value) -> Value {
    let operations = operations(document, setup);
    let (mut items, mut tried): (Vec<Value>, BTreeSet<String>) = (vec![], BTreeSet::new());
    let refusal = problem(&operations);
    for (_, item) in requests(collection) {
        let operation = operations.iter().find(|operation| setup.id(operation.id) == item["id"]);
        // without the code from an e-mail it is rejected
        let is_refused = operation.is_some_and(|operation| setup.without_mail(operation.id).is_some());
        let success = operation.and_then(|operation| scripts::successes(operation).into_iter().next());
        let answer = if is_refused { refusal.as_ref() } else { success.as_ref().map(|(_, answer)| answer) };
        items.extend(answer.map(|answer| with_damages(item, damages(answer, &mut tried))));
    }
    let mut codes = BTreeSet::new();
    for (_, item) in requests(failures) {
        let code = item["name"].as_str().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
        if codes.insert(code) {
            let mut damages: Vec<Value> = refusal.iter().flat_map(|answer| damages(answer, &mut tried)).collect();
            damages.extend(problem_damages(item));
            items.push(with_damages(item, damages));
        }
    }
    // its first script makes what either needs; the checks need the schemas of both
    let mut all = failures.clone();
    let answers =
        operations.iter().flat_map(|by| by.answers().into_iter().map(|(_, answer)| Answer::of(document, answer)));
    let checks = scripts::checks(document, answers);
    for event in all["event"].as_array_mut().into_iter().flatten().filter(|event| event["listen"] == "test") {
        event["script"]["exec"] = json!(checks);
    }
    all["item"] = json!([{"name": "Damaged", "item": items}]);
    all
}

/// Returns any error response of the document: its schema and its headers are those of all.
fn problem(operations: &[Operation<'_>]) -> Option<Answer> {
    let (operation, answer) = operations.iter().find_map(|operation| {
        let (_, answer) = operation.answers().into_iter().find(|(status, _)| *status == "400")?;
        Some((operation, answer))
    })?;
    Some(Answer::of(operation.document, answer))
}

/// The item with a script that runs its checks on damaged answers.
fn with_damages(item: &Value, damages: Vec<Value>) -> Value {
    let mut item = item.clone();
    for event in item["event"].as_array_mut().into_iter().flatten().filter(|event| event["listen"] == "test") {
        let checks = event["script"]["exec"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let script = SCRIPT.replace("<checks>", &checks.collect::<Vec<_>>().join("\n"));
        let script = script.replace("<damages>", &Value::Array(damages.clone()).to_string());
        event["script"]["exec"] = script.lines().collect();
    }
    item
}

/// Returns the damages of a response, each with the check that must notice it. `tried` are the schemas of responses
/// before.
fn damages(answer: &Answer, tried: &mut BTreeSet<String>) -> Vec<Value> {
    let mut damages = vec![json!({"what": "another status", "check": STATUS, "code": 299})];
    for header in &answer.headers {
        let (name, check) = (&header.name, format!("{HEADER} {}", header.name));
        damages.push(json!({"what": format!("no {name}"), "check": check, "header": {"key": name}}));
        if header.form.is_some() {
            let strange = json!({"key": name, "value": "?"});
            damages.push(json!({"what": format!("a strange {name}"), "check": check, "header": strange}));
        }
    }
    match &answer.schema {
        Some(schema) => {
            for header in [json!({"key": "Content-Type", "value": "text/html"}), json!({"key": "Content-Type"})] {
                damages.push(json!({"what": "another media type", "check": MEDIA_TYPE, "header": header}));
            }
            let body = body_damages(schema);
            // all keywords of the same schema have been tried before: one damage proves that the schema is checked
            let enough = if tried.insert(schema.to_string()) { body.len() } else { 1 };
            damages.extend(body.into_iter().take(enough));
        }
        _ => damages.push(json!({"what": "a body", "check": EMPTY, "text": "?"})),
    }
    damages
}

/// Returns the damages of each property of the body: left out, and with each value that its schema rejects.
fn body_damages(schema: &Value) -> Vec<Value> {
    let mut damages = vec![];
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if required.contains(&json!(name)) {
            damages.push(json!({"what": format!("no {name}"), "check": BODY, "property": {"key": name}}));
        }
        for value in refused(schema) {
            let what = format!("{name} is {value}");
            damages.push(json!({"what": what, "check": BODY, "property": {"key": name, "value": value}}));
        }
    }
    damages
}

/// Returns values that a schema rejects, one for each of its keywords.
fn refused(schema: &Value) -> Vec<Value> {
    let takes = |kind: &str| match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|other| other == kind),
        one => one == kind,
    };
    let either = schema["anyOf"].as_array().cloned().unwrap_or_default();
    let mut values = vec![if takes("boolean") { json!("yes") } else { json!(true) }];
    if !takes("null") && !either.contains(&json!({"type": "null"})) {
        values.push(Value::Null);
    }
    if schema.get("format").is_some() {
        values.push(json!("no such form"));
    }
    if schema.get("enum").is_some() {
        values.push(json!("no such word"));
    }
    if schema.get("pattern").is_some() {
        values.push(json!("\u{0}"));
    }
    if let Some(minimum) = schema["minimum"].as_i64() {
        values.push(json!(minimum - 1));
    }
    if let Some(maximum) = schema["maximum"].as_i64() {
        values.push(json!(maximum + 1));
    }
    values
}

/// Returns the damages that the checks of an error response notice beyond its schema.
fn problem_damages(item: &Value) -> Vec<Value> {
    let mut damages = vec![
        json!({"what": "another status inside", "check": REPEATS, "property": {"key": "status", "value": 499}}),
        json!({"what": "another code", "check": CODE, "property": {"key": "code", "value": "internal"}}),
        json!({"what": "a foreign request_id", "check": REQUEST_ID, "property": {"key": "request_id", "value": "?"}}),
    ];
    // the call of the checks names the part
    if item["event"].to_string().contains("\\\"errors\\\": ") {
        let faults = ["path.other", "body"].map(|place| json!({"location": place, "pointer": "/other", "detail": "?"}));
        damages.push(json!({"what": "no errors", "check": ERRORS, "property": {"key": "errors"}}));
        damages.push(json!({"what": "other errors", "check": ERRORS, "property": {"key": "errors", "value": faults}}));
    }
    damages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_schema_gives_a_value_it_refuses() {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": 5});
        assert_eq!(refused(&schema), [json!(true), Value::Null, json!(0), json!(6)]);
        let schema = json!({"type": ["string", "null"], "format": "date-time", "enum": ["a"]});
        assert_eq!(refused(&schema), [json!(true), json!("no such form"), json!("no such word")]);
        assert_eq!(refused(&json!({"type": "boolean"})), [json!("yes"), Value::Null]);
        assert_eq!(refused(&json!({"anyOf": [{"type": "object"}, {"type": "null"}]})), [json!(true)]);
    }

    #[test]
    fn each_part_of_an_answer_is_damaged() {
        let answer = json!({
            "headers": {"ETag": {"required": true, "schema": {"type": "string", "pattern": "^x$"}}},
            "content": {"application/json": {"schema": {"required": ["id"], "properties": {"id": {"type": "integer"}}}}},
        });
        let mut tried = BTreeSet::new();
        let damages = damages(&Answer::of(&json!({}), &answer), &mut tried);
        let what: Vec<&str> = damages.iter().filter_map(|damage| damage["what"].as_str()).collect();
        let type_twice = ["another media type", "another media type"];
        assert_eq!(what[..3], ["another status", "no ETag", "a strange ETag"]);
        assert_eq!(what[3..5], type_twice);
        assert_eq!(what[5..], ["no id", "id is true", "id is null"]);
        let again = super::damages(&Answer::of(&json!({}), &answer), &mut tried);
        assert_eq!(again.len(), damages.len() - 2);
        let empty = super::damages(&Answer::of(&json!({}), &json!({})), &mut tried);
        assert_eq!(empty.last().map(|damage| &damage["check"]), Some(&json!(EMPTY)));
    }
}
