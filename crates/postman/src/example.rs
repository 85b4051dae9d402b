//! Example values: the document's own, or the plainest value its schema allows.

use serde_json::{Map, Value, json};

use crate::schema::resolved;

/// The example of a media type object.
pub fn of_media(document: &Value, media: &Value) -> Value {
    if let Some(example) = media.get("example") {
        return example.clone();
    }
    let named = media["examples"].as_object().and_then(|examples| examples.values().next());
    if let Some(value) = named.and_then(|example| resolved(document, example).get("value")) {
        return value.clone();
    }
    of_schema(document, &media["schema"], 0)
}

/// The example of a parameter or a header.
pub fn of_parameter(document: &Value, parameter: &Value) -> Value {
    of_media(document, parameter)
}

/// Deeper than this a type contains itself.
const DEEP: usize = 8;

fn of_schema(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example").or_else(|| schema.get("default")) {
        return example.clone();
    }
    if depth > DEEP {
        return Value::Null;
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for word in ["allOf", "oneOf", "anyOf"] {
        if let Some(first) = schema[word].as_array().and_then(|schemas| schemas.first()) {
            return of_schema(document, first, depth + 1);
        }
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let values = properties.map(|(name, schema)| (name.clone(), of_schema(document, schema, depth + 1)));
            Value::Object(values.collect::<Map<_, _>>())
        }
        Some("array") => json!([of_schema(document, &schema["items"], depth + 1)]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => json!("2026-01-31T12:00:00Z"),
            Some("date") => json!("2026-01-31"),
            Some("email") => json!("ada@example.org"),
            _ => json!("text"),
        },
        _ => Value::Null,
    }
}
