//! The request of an operation: valid, everything that differs from run to run a variable.

use serde_json::{Map, Value, json};

use crate::collection::bearer;
use crate::example;
use crate::operation::{Operation, text};
use crate::schema::resolved;

/// The media type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The request object of the collection format.
pub fn request(operation: &Operation<'_>) -> Value {
    let body = body(operation);
    let mut headers = vec![];
    if body.as_ref().is_some_and(|body| body["mode"] == "raw") {
        headers.push(json!({"key": "Content-Type", "value": "application/json"}));
    }
    headers.extend(operation.parameters("header").into_iter().map(|parameter| header(operation, parameter)));
    let mut request = Map::new();
    if operation.is_public() {
        request.insert("auth".into(), json!({"type": "noauth"}));
    } else if operation.setup.by_admin(operation) {
        request.insert("auth".into(), bearer(&format!("{{{{{}}}}}", operation.setup.admin.token)));
    }
    request.insert("method".into(), json!(operation.method.to_uppercase()));
    request.insert("header".into(), headers.into());
    if let Some(body) = body {
        request.insert("body".into(), body);
    }
    request.insert("url".into(), url(operation));
    request.insert("description".into(), text(&operation.value["description"]).into());
    request.into()
}

fn header(operation: &Operation<'_>, parameter: &Value) -> Value {
    let tag = ["If-Match", "If-None-Match"].contains(&text(&parameter["name"]));
    let value = if tag { json!("{{etag}}") } else { plain(&example::of_parameter(operation.document, parameter)) };
    let mut entry = entry(parameter, value);
    // optional in the document so that its absence is a 428, yet nothing works without it
    if parameter["name"] == "If-Match"
        && let Some(entry) = entry.as_object_mut()
    {
        entry.remove("disabled");
    }
    entry
}

/// A header or query parameter; an optional one is there to be switched on.
fn entry(parameter: &Value, value: Value) -> Value {
    let mut entry = json!({
        "key": parameter["name"],
        "value": value,
        "description": text(&parameter["description"]),
    });
    if parameter["required"] != true {
        entry["disabled"] = json!(true);
    }
    entry
}

/// The text of a value in an address or a header.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Null => json!(""),
        Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

fn url(operation: &Operation<'_>) -> Value {
    let segments = operation.segments();
    let query = operation.parameters("query").into_iter();
    let query: Vec<Value> =
        query.map(|parameter| entry(parameter, plain(&example::of_parameter(operation.document, parameter)))).collect();
    let variables: Vec<Value> = segments
        .iter()
        .filter_map(|segment| {
            let (name, variable) = (segment.parameter.as_ref()?, segment.variable.as_ref()?);
            let described = operation.parameters("path").into_iter().find(|p| p["name"] == name.as_str());
            let description = described.map(|parameter| text(&parameter["description"])).unwrap_or_default();
            Some(json!({"key": name, "value": format!("{{{{{variable}}}}}"), "description": description}))
        })
        .collect();
    let path: Vec<&str> = segments.iter().map(|segment| segment.text.as_str()).collect();
    address(&path, query, variables)
}

/// An address as the format spells it: in parts, and whole in `raw`.
pub fn address(path: &[&str], query: Vec<Value>, variables: Vec<Value>) -> Value {
    let enabled = query.iter().filter(|entry| entry.get("disabled").is_none());
    let enabled: Vec<String> =
        enabled.map(|entry| format!("{}={}", text(&entry["key"]), text(&entry["value"]))).collect();
    let mark = if enabled.is_empty() { "" } else { "?" };
    let mut url = json!({
        "raw": format!("{{{{baseUrl}}}}/{}{mark}{}", path.join("/"), enabled.join("&")),
        "host": ["{{baseUrl}}"],
        "path": path,
    });
    if !query.is_empty() {
        url["query"] = query.into();
    }
    if !variables.is_empty() {
        url["variable"] = variables.into();
    }
    url
}

fn body(operation: &Operation<'_>) -> Option<Value> {
    let (media_type, _) = operation.body()?;
    if media_type == FORM {
        return Some(json!({"mode": "urlencoded", "urlencoded": form(operation)}));
    }
    Some(raw(&text_of(operation, &values(operation))))
}

/// A JSON body.
pub fn raw(text: &str) -> Value {
    json!({"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}})
}

/// The fields of a valid body: those of the document's example, and where they come from.
pub fn values(operation: &Operation<'_>) -> Map<String, Value> {
    let Some((_, media)) = operation.body() else { return Map::new() };
    let document = operation.document;
    let mut values = example::of_media(document, media).as_object().cloned().unwrap_or_default();
    let properties = operation.body_properties();
    for (name, _) in &properties {
        if let Some(value) = operation.setup.field(operation.id, name) {
            values.insert((*name).to_owned(), value.clone());
        }
    }
    values.retain(|name, _| !operation.setup.omits(operation.id, name));
    if values.is_empty() && operation.body_schema().is_some_and(|schema| schema.get("minProperties").is_some()) {
        let rest = properties.iter().find(|(name, _)| !operation.setup.omits(operation.id, name));
        let value = |schema: &Value| example::of_media(document, &json!({"schema": schema}));
        values.extend(rest.map(|(name, schema)| ((*name).to_owned(), value(schema))));
    }
    values
}

/// The fields as JSON text; a variable that holds a number stands without quotes.
pub fn text_of(operation: &Operation<'_>, values: &Map<String, Value>) -> String {
    let mut text = format!("{:#}", Value::Object(values.clone()));
    for (name, schema) in operation.body_properties() {
        let kind = resolved(operation.document, schema)["type"].as_str();
        if let (Some("integer" | "number"), Some(variable)) = (kind, values.get(name).and_then(Value::as_str)) {
            text = text.replace(&format!("\"{variable}\""), variable);
        }
    }
    text
}

fn form(operation: &Operation<'_>) -> Vec<Value> {
    let values = values(operation);
    let fields = operation.body_properties().into_iter();
    fields
        .map(|(name, schema)| {
            let value = values.get(name).cloned().unwrap_or(json!(""));
            let description = text(&resolved(operation.document, schema)["description"]);
            let mut entry = json!({"key": name, "value": plain(&value), "type": "text", "description": description});
            if operation.setup.omits(operation.id, name) {
                entry["disabled"] = json!(true);
            }
            entry
        })
        .collect()
}
