//! Example values: the document's own, or the plainest value its schema allows.

use serde_json::{Map, Value, json};

use super::schema::resolved;

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

/// The words of RFC 9110 for the statuses this API answers with.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        status if status < 300 => "Success",
        status if status < 400 => "Redirection",
        status if status < 500 => "Client Error",
        _ => "Server Error",
    }
}

/// A documented status as a number; of a range (`5XX`) the one its example shows, else the first.
pub fn status(documented: &str, body: Option<&Value>) -> u16 {
    documented.parse().unwrap_or_else(|_| {
        let first = documented.chars().next().and_then(|digit| digit.to_digit(10)).unwrap_or(5) as u16 * 100;
        let shown = body.and_then(|body| body["status"].as_u64()).and_then(|status| u16::try_from(status).ok());
        shown.filter(|status| status / 100 * 100 == first).unwrap_or(first)
    })
}

/// The body of a problem answer under another status than the one of its shared example.
pub fn problem(mut body: Value, status: u16) -> Value {
    if body["status"] != json!(status) && body.get("status").is_some() {
        body["status"] = json!(status);
        body["title"] = json!(reason(status));
    }
    body
}
