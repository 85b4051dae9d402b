//! Each check has an edit of the sample that keeps its rule and one that breaks it, and nothing else.

use std::collections::BTreeSet;

use crate::from_yaml;
use serde_json::Value;

use super::*;

const SAMPLE: &str = include_str!("tests/sample.yaml");
const CASES: &str = include_str!("tests/cases.yaml");

/// What an edit sets where something is to be removed.
const GONE: &str = "(gone)";

/// Short names for the places that most edits are about.
const PLACES: [(&str, &str); 6] = [
    ("login", "/paths/~1api~1v1~1login/post"),
    ("list", "/paths/~1api~1v1~1notes/get"),
    ("create", "/paths/~1api~1v1~1notes/post"),
    ("read", "/paths/~1api~1v1~1notes~1{id}/get"),
    ("update", "/paths/~1api~1v1~1notes~1{id}/patch"),
    ("delete", "/paths/~1api~1v1~1notes~1{id}/delete"),
];

fn sample() -> Value {
    from_yaml(SAMPLE).expect("the sample is YAML")
}

fn cases() -> serde_json::Map<String, Value> {
    from_yaml(CASES).expect("the cases are YAML").as_object().expect("a map").clone()
}

fn pointer(place: &str) -> String {
    let (first, rest) = place.split_once('/').unwrap_or((place, ""));
    let full = match PLACES.iter().find(|(short, _)| *short == first) {
        Some((_, full)) => (*full).to_owned(),
        None if first.starts_with(char::is_uppercase) => format!("/components/schemas/{first}"),
        None => format!("/{first}"),
    };
    if rest.is_empty() { full } else { format!("{full}/{rest}") }
}

/// Sets, adds or removes what lies at a place.
fn edit(document: &mut Value, place: &str, to: &Value) {
    let pointer = pointer(place);
    let (parent, last) = pointer.rsplit_once('/').expect("a place below the top");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{place}: nothing there to edit"));
    let last = unescape(last);
    match parent {
        Value::Object(map) if to == GONE => drop(map.remove(&last).unwrap_or_else(|| panic!("{place}: not there"))),
        Value::Object(map) => drop(map.insert(last, to.clone())),
        Value::Array(list) => match last.parse::<usize>() {
            Ok(index) if to == GONE => drop(list.remove(index)),
            Ok(index) => list[index] = to.clone(),
            Err(_) => list.push(to.clone()),
        },
        other => panic!("{place}: {other} has no parts"),
    }
}

fn edited(edits: &Value) -> Value {
    let mut document = sample();
    for (place, to) in edits.as_object().expect("a map of edits") {
        edit(&mut document, place, to);
    }
    document
}

fn told(document: &Value) -> Vec<String> {
    let tell = |(check, fault): &(&Check, Fault)| format!("{}: {}: {}", check.id, fault.pointer, fault.problem);
    faults(document).iter().map(tell).collect()
}

#[test]
fn the_sample_keeps_every_rule() {
    assert_eq!(told(&sample()), Vec::<String>::new());
}

#[test]
fn every_check_has_an_id_of_its_own_and_a_good_and_a_bad_example() {
    let ids: Vec<&str> = checks().map(|check| check.id).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len());
    let cases = cases();
    let with_cases: BTreeSet<&str> = cases.keys().map(String::as_str).collect();
    assert_eq!(with_cases, distinct);
    for (id, case) in &cases {
        for kind in ["good", "bad"] {
            let edits = case[kind].as_array().into_iter().flatten();
            assert!(edits.clone().count() > 0 && edits.clone().all(|edit| edited(edit) != sample()), "{id}: {kind}");
        }
    }
}

#[test]
fn a_good_example_breaks_no_rule() {
    let mut wrong = vec![];
    for (id, case) in cases() {
        for edits in case["good"].as_array().into_iter().flatten() {
            wrong.extend(told(&edited(edits)).into_iter().map(|told| format!("good {id} {edits}:\n  {told}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_example_breaks_its_rule_and_no_other() {
    let mut wrong = vec![];
    for (id, case) in cases() {
        for edits in case["bad"].as_array().into_iter().flatten() {
            let document = edited(edits);
            let found = faults(&document);
            if found.is_empty() {
                wrong.push(format!("bad {id} {edits}: no fault"));
            }
            for (check, fault) in found {
                let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                if check.id != id {
                    wrong.push(format!("bad {id} {edits}:\n  {}: {}: {}", check.id, fault.pointer, fault.problem));
                } else if document.pointer(parent).is_none() {
                    wrong.push(format!("bad {id} {edits}:\n  told at {}, where nothing is", fault.pointer));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn schemas_that_no_validator_takes_are_told() {
    let document = edited(&json!({ "Login/properties/name/minLength": -1 }));
    let told = told(&document);
    assert!(!told.is_empty() && told.iter().all(|told| told.contains("its schemas are no schemas")), "{told:#?}");
}

#[test]
fn a_fault_is_told_with_its_place_in_words_and_what_to_do() {
    let mut document = sample();
    edit(&mut document, "list/parameters/0/schema/maximum", &json!(GONE));
    edit(&mut document, "Note/properties/title/description", &json!(GONE));
    let named = Named { name: "x.yaml".into(), value: document.clone() };
    edit(&mut document, "list/parameters/0/schema/format", &json!(GONE));
    let unbounded = Named { name: "y.yaml".into(), value: document };
    let found = [(&named, faults(&named.value)), (&unbounded, faults(&unbounded.value))];
    let text = as_text(&found);
    assert!(text.contains("property-description: Each field says what it means"), "{text}");
    assert!(text.contains("\n  to do: write a doc comment on the field\n"), "{text}");
    let place = "  - schemas.Note › title: `title` has no description\n";
    let pointer = "      at x.yaml#/components/schemas/Note/properties/title";
    assert!(text.contains(&format!("{place}{pointer}")), "{text}");
    assert!(text.contains("  - list_notes (GET /api/v1/notes) › parameter limit › schema: has no bounds"), "{text}");
    let json = as_json(&found);
    assert!(json["faults"].as_array().is_some_and(|faults| faults.iter().any(|fault| {
        fault["id"] == "property-description" && fault["document"] == "x.yaml" && fault["repair"] != ""
    })));
}

#[test]
fn a_document_of_any_form_is_told_not_panicked_over() {
    let loops = "
        paths:
          '/x/{id}':
            get: {responses: {'200': {content: {application/json: {schema: &a {$ref: '#/components/schemas/A'}}}}}}
        components:
          schemas:
            A: *a
            B: {properties: {b: {$ref: '#/components/schemas/B'}}, example: {b: {b: 1}}}
            C: {allOf: [{$ref: '#/components/schemas/C'}], example: 1}
            D: {allOf: [{$ref: '#/components/schemas/E'}], example: 1}
            E: {oneOf: [{$ref: '#/components/schemas/D'}]}";
    let misplaced = "
        paths: {'': {get: {parameters: [7, {$ref: 8}], security: 3, responses: []}}}
        tags: [1]
        servers: {url: 1}";
    for text in ["{}", "{openapi: 3, paths: []}", loops, misplaced] {
        let form = from_yaml(text).expect("YAML");
        assert!(!faults(&form).is_empty(), "{text}");
    }
}

/// Every place of a document.
fn places(value: &Value, pointer: &str, into: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, value)| (document::escape(name), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => vec![],
    };
    for (step, value) in below {
        let pointer = format!("{pointer}/{step}");
        into.push(pointer.clone());
        places(value, &pointer, into);
    }
}

#[test]
fn no_edit_of_a_document_makes_the_checks_panic() {
    let mut all = vec![];
    places(&sample(), "", &mut all);
    let values =
        [json!(null), json!(7), json!("x"), json!([1]), json!({"a": 1}), json!({"$ref": "#/paths"}), json!(true)];
    // a prime stride: over the values and the depths in turn
    for (index, pointer) in all.iter().enumerate().step_by(7) {
        let mut document = sample();
        *document.pointer_mut(pointer).expect("a place of the sample") = values[index % values.len()].clone();
        faults(&document);
    }
}
