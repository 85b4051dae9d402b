//! Checks of examples: they are there, and they are valid against the very schemas they illustrate.

use crate::to_json_schema;
use serde_json::{Map, Value, json};

use super::document::{Document, Node, unescape};
use super::grammar::Kind;
use super::{Check, Fault};

pub const CHECKS: &[Check] = &[
    Check {
        id: "oas3-valid-schema-example",
        about: "The example and default of a schema are valid against it: people copy them.",
        repair: "correct the example or the schema",
        run: |document| invalid(document, &[Kind::Schema]),
    },
    Check {
        id: "oas3-valid-media-example",
        about: "The example of a body is valid against its schema.",
        repair: "correct the example or the schema",
        run: |document| invalid(document, &[Kind::Media]),
    },
    Check {
        id: "no-invalid-parameter-examples",
        about: "The example of a parameter or header is valid against its schema.",
        repair: "correct the example or the schema",
        run: |document| invalid(document, &[Kind::Parameter, Kind::Header]),
    },
    Check {
        id: "example-present",
        about: "Each body has an example, of its own or of its schema: docs, collection and mock servers show it.",
        repair: "give the type an `Example`",
        run: |document| {
            let bare = document.of(Kind::Media).filter(|media| media.has("schema") && !has_example(document, media));
            bare.map(|media| media.fault("has no example")).collect()
        },
    },
    Check {
        id: "example-inline",
        about: "Examples stand in the document: `externalValue` is text that no check sees.",
        repair: "write the example as `value`",
        run: |document| {
            let elsewhere =
                document.of(Kind::Example).filter(|example| example.has("externalValue") || !example.has("value"));
            elsewhere.map(|example| example.fault("has no `value` of its own")).collect()
        },
    },
    Check {
        id: "problem-example-status",
        about: "The example of a failure has the status it stands under, and a `type` that ends in its `code`.",
        repair: "correct the example",
        run: |document| {
            let fault = |(status, answer): (&str, Node)| {
                let media = answer.below(Kind::Media, &["content", "application/problem+json"])?;
                let example = media.value.get("example")?;
                let shown = example["status"].as_u64().unwrap_or_default().to_string();
                let fits = if status == "5XX" { shown.starts_with('5') } else { shown == status };
                let code = example["code"].as_str().unwrap_or_default();
                let is_right = fits && example["type"].as_str().is_some_and(|kind| kind.ends_with(&format!(":{code}")));
                (!is_right)
                    .then(|| media.fault_at(&["example"], format!("does not fit {status}, or its type not its code")))
            };
            let answers = document.operations().into_iter().flat_map(|operation| operation.responses());
            answers.filter(|(status, _)| status.starts_with(['4', '5'])).filter_map(fault).collect()
        },
    },
];

fn has_example(document: &Document, media: &Node) -> bool {
    let schema = || media.below(Kind::Schema, &["schema"]).and_then(|schema| document.schema(&schema));
    media.has("example") || media.has("examples") || schema().is_some_and(|schema| schema.has("example"))
}

/// Examples of objects of some kinds that do not fit.
fn invalid(document: &Document, kinds: &[Kind]) -> Vec<Fault> {
    let all = document.invalid_examples.get_or_init(|| validate(document));
    all.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, fault)| fault.clone()).collect()
}

/// A value that the document shows, where it stands, and the schema it is to fit.
struct Shown<'a> {
    kind: Kind,
    pointer: String,
    value: &'a Value,
    schema: &'a Value,
}

fn shown<'a>(document: &Document<'a>) -> Vec<Shown<'a>> {
    let mut found = vec![];
    for node in document.nodes() {
        let schema = match node.kind {
            Kind::Schema => node.value,
            Kind::Media | Kind::Parameter | Kind::Header => &node.value["schema"],
            _ => continue,
        };
        let mut show = |steps: &str, value| {
            found.push(Shown { kind: node.kind, pointer: format!("{}/{steps}", node.pointer), value, schema });
        };
        for field in ["example", "default"] {
            if let Some(value) = node.value.get(field) {
                show(field, value);
            }
        }
        for (name, _) in node.entries("examples") {
            let example = node.below(Kind::Example, &["examples", name]).and_then(|node| document.resolve(&node));
            if let Some(value) = example.and_then(|example| example.value.get("value")) {
                show(&format!("examples/{}", super::document::escape(name)), value);
            }
        }
    }
    found.retain(|shown| shown.schema.is_object());
    found
}

/// Every example that does not fit. All are validated as the fields of one object: one validator, built once.
fn validate(document: &Document) -> Vec<(Kind, Fault)> {
    let shown = shown(document);
    let schemas: Map<String, Value> =
        shown.iter().map(|shown| (shown.pointer.clone(), closed(document, shown.schema))).collect();
    let values: Map<String, Value> = shown.iter().map(|shown| (shown.pointer.clone(), shown.value.clone())).collect();
    let components = document.value["components"]["schemas"].as_object().into_iter().flatten();
    let components: Map<String, Value> =
        components.map(|(name, schema)| (name.clone(), closed(document, schema))).collect();
    let whole = json!({ "properties": schemas, "components": { "schemas": components } });
    let validator = match jsonschema::draft202012::options().should_validate_formats(true).build(&whole) {
        Ok(validator) => validator,
        Err(_) if is_told_elsewhere(document) => return vec![],
        Err(error) => {
            let problem = format!("its schemas are no schemas: {error}");
            return vec![(Kind::Schema, Fault { pointer: String::new(), problem })];
        }
    };
    let values = Value::Object(values);
    let fault = |error: jsonschema::ValidationError| {
        let path = error.instance_path().to_string();
        let (name, inner) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let pointer = unescape(name);
        let kind = shown.iter().find(|shown| shown.pointer == pointer).map_or(Kind::Schema, |shown| shown.kind);
        let at = if inner.is_empty() { String::new() } else { format!(" at `/{inner}`") };
        (kind, Fault { pointer, problem: format!("is not valid{at}: {error}") })
    };
    validator.iter_errors(&values).map(fault).collect()
}

/// The schema as JSON Schema, its objects closed: a field of an example that is not declared is a mistake also where
/// answers are open. Composed objects stay open, for each part knows only its own fields.
fn closed(document: &Document, schema: &Value) -> Value {
    let is_composed = |node: &Node| node.value["allOf"].as_array().is_some_and(|parts| parts.len() > 1);
    let mut schema = to_json_schema(schema);
    if !document.of(Kind::Schema).any(is_composed) {
        close(&mut schema);
    }
    schema
}

fn close(schema: &mut Value) {
    if let Some(words) = schema.as_object_mut() {
        if words.contains_key("properties") && !words.contains_key("additionalProperties") {
            words.insert("additionalProperties".into(), json!(false));
        }
        for property in words.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            close(property.1);
        }
        words.get_mut("items").map(close);
        for part in words.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
            close(part);
        }
    }
}

/// Do other checks say why the schemas cannot be built?
fn is_told_elsewhere(document: &Document) -> bool {
    let reasons = ["no-unresolved-refs", "schema-pattern-portable", "oas3-schema"];
    super::checks().filter(|check| reasons.contains(&check.id)).any(|check| !(check.run)(document).is_empty())
}
