//! The document as a Postman collection (v2.1): a pure function, the same bytes for the same document.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::schema::resolved;
use super::{DemoUser, example, flow, scripts};
use crate::spec;

pub const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// An operation and where it stands.
pub struct Operation<'a> {
    pub id: &'a str,
    pub method: &'a str,
    path: &'a str,
    pub value: &'a Value,
    parameters: Vec<&'a Value>,
}

impl Operation<'_> {
    /// The environment's name for the member that this collection's POST makes: `postId` for `/posts`, if there is a
    /// path `/posts/{…}`.
    pub fn member_variable(&self, document: &Value) -> Option<String> {
        let parent = format!("{}/{{", self.path);
        let paths = document["paths"].as_object()?;
        paths
            .keys()
            .any(|path| path.starts_with(&parent))
            .then(|| singular_id(self.path.rsplit('/').next().unwrap_or_default()))
    }

    /// The environment's names for the parameters of the path.
    pub fn path_variables(&self) -> Vec<String> {
        segments(self.path).into_iter().filter_map(|segment| segment.variable).collect()
    }

    /// Whether the request carries `If-Match`.
    pub fn sends_tag(&self, document: &Value) -> bool {
        self.parameters.iter().any(|parameter| resolved(document, parameter)["name"] == "If-Match")
    }
}

struct Segment {
    text: String,
    parameter: Option<String>,
    variable: Option<String>,
}

/// `/posts/{id}` is `posts`, `:id`; the value of `:id` is `{{postId}}`.
fn segments(path: &str) -> Vec<Segment> {
    let mut found: Vec<Segment> = vec![];
    for text in path.trim_matches('/').split('/') {
        let parameter = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).map(str::to_owned);
        let variable = parameter.as_ref().map(|name| match found.last() {
            Some(before) if name == "id" => singular_id(&before.text),
            _ => camel(name),
        });
        let text = parameter.as_ref().map_or(text.to_owned(), |name| format!(":{name}"));
        found.push(Segment { text, parameter, variable });
    }
    found
}

fn singular_id(collection: &str) -> String {
    camel(&format!("{}_id", collection.strip_suffix('s').unwrap_or(collection)))
}

fn camel(name: &str) -> String {
    let mut words = name.split(['_', '-']);
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut characters = word.chars();
        let head = characters.next().map(|c| c.to_ascii_uppercase());
        text + &head.into_iter().chain(characters).collect::<String>()
    })
}

/// An id in the form of a UUID that depends on nothing but its name, so that a new import finds the old items.
fn id(name: &str) -> Value {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(format!("accord/postman/{name}"))[..16]);
    // the version and variant bits of a name-based UUID: importers look at them
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex[range].concat();
    json!(format!("{}-{}-{}-{}-{}", part(0..4), part(4..6), part(6..8), part(8..10), part(10..16)))
}

/// The collection of a document.
pub fn collection(document: &Value) -> Value {
    let mut operations: Vec<Operation<'_>> = spec::operations(document)
        .into_iter()
        .map(|(path, method, value)| {
            let shared = document["paths"][path]["parameters"].as_array().into_iter().flatten();
            let own = value["parameters"].as_array().into_iter().flatten();
            let id = value["operationId"].as_str().unwrap_or_default();
            Operation { id, method, path, value, parameters: shared.chain(own).collect() }
        })
        .collect();
    operations.sort_by_key(|operation| flow::rank(operation.id));
    let tags = document["tags"].as_array().into_iter().flatten();
    let folders = tags.map(|tag| {
        let name = text(&tag["name"]);
        let inside = operations.iter().filter(|operation| operation.value["tags"][0] == tag["name"]);
        json!({
            "id": id(&format!("folder/{name}")),
            "name": name,
            "description": text(&tag["description"]),
            "item": inside.map(|operation| item(document, operation)).collect::<Vec<_>>(),
        })
    });
    let folders: Vec<Value> = folders.filter(|folder| folder["item"] != json!([])).collect();
    json!({
        "info": {
            "_postman_id": id("collection"),
            "name": text(&document["info"]["title"]),
            "description": text(&document["info"]["description"]),
            "schema": SCHEMA,
        },
        "item": folders,
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{JWT}}", "type": "string"}]},
        "variable": [{"key": "baseUrl", "value": BASE_URL, "type": "string"}],
    })
}

const BASE_URL: &str = "http://127.0.0.1:3000";

/// The environment: a value for each variable the collection uses, those first that a person sets.
pub fn environment(collection: &Value, user: Option<&DemoUser>) -> Value {
    let mut names: Vec<String> = ["baseUrl", "email", "password", "JWT", "refreshToken"].map(str::to_owned).into();
    for name in variables(collection) {
        // a script sets it for its own request
        let local = format!("pm.variables.set(\\\"{name}\\\"");
        if !names.contains(&name) && !collection.to_string().contains(&local) {
            names.push(name);
        }
    }
    let values = names.iter().map(|name| {
        let value = match (name.as_str(), user) {
            ("baseUrl", _) => BASE_URL,
            ("email", Some(user)) => &user.email,
            ("password", Some(user)) => &user.password,
            _ => "",
        };
        let secret = ["password", "JWT", "refreshToken"].contains(&name.as_str());
        json!({"key": name, "value": value, "type": if secret { "secret" } else { "default" }, "enabled": true})
    });
    json!({
        "id": id("environment/local"),
        "name": "Accord (local)",
        "values": values.collect::<Vec<_>>(),
        "_postman_variable_scope": "environment",
    })
}

/// Every `{{name}}` in a value, once, in order.
pub fn variables(value: &Value) -> Vec<String> {
    let text = value.to_string();
    let mut names: Vec<String> = vec![];
    for part in text.split("{{").skip(1) {
        let Some((name, _)) = part.split_once("}}") else { continue };
        let plain = !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric());
        if plain && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim_end()
}

fn item(document: &Value, operation: &Operation<'_>) -> Value {
    let request = request(document, operation);
    let url = |other: &str| {
        let (path, ..) = spec::operations(document).into_iter().find(|(.., value)| value["operationId"] == other)?;
        Some(format!("{{{{baseUrl}}}}{path}"))
    };
    let before = flow::before(operation.id, &url);
    let mut events = vec![];
    for (listen, lines) in [("prerequest", before), ("test", scripts::test(document, operation))] {
        if !lines.is_empty() {
            events.push(json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}}));
        }
    }
    json!({
        "id": id(operation.id),
        "name": text(&operation.value["summary"]),
        "event": events,
        "request": request,
        "response": responses(document, operation, &request),
    })
}

fn request(document: &Value, operation: &Operation<'_>) -> Value {
    let mut headers = vec![];
    let body = body(document, operation);
    if body.as_ref().is_some_and(|body| body["mode"] == "raw") {
        headers.push(json!({"key": "Content-Type", "value": "application/json"}));
    }
    for parameter in parameters(document, operation, "header") {
        let tag = ["If-Match", "If-None-Match"].contains(&text(&parameter["name"]));
        let value = if tag { json!("{{etag}}") } else { plain(&example::of_parameter(document, parameter)) };
        let mut entry = entry(parameter, value);
        // optional in the document so that its absence is a 428, yet nothing works without it
        if parameter["name"] == "If-Match"
            && let Some(entry) = entry.as_object_mut()
        {
            entry.remove("disabled");
        }
        headers.push(entry);
    }
    let mut request = Map::new();
    let security = operation.value.get("security").or_else(|| document.get("security"));
    if security == Some(&json!([])) {
        request.insert("auth".into(), json!({"type": "noauth"}));
    }
    request.insert("method".into(), json!(operation.method.to_uppercase()));
    request.insert("header".into(), headers.into());
    if let Some(body) = body {
        request.insert("body".into(), body);
    }
    request.insert("url".into(), url(document, operation));
    request.insert("description".into(), text(&operation.value["description"]).into());
    request.into()
}

fn parameters<'a>(document: &'a Value, operation: &Operation<'a>, place: &str) -> Vec<&'a Value> {
    let all = operation.parameters.iter().map(|parameter| resolved(document, parameter));
    all.filter(|parameter| parameter["in"] == place).collect()
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
fn plain(value: &Value) -> Value {
    match value {
        Value::Null => json!(""),
        Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

fn url(document: &Value, operation: &Operation<'_>) -> Value {
    let segments = segments(operation.path);
    let path: Vec<&str> = segments.iter().map(|segment| segment.text.as_str()).collect();
    let query: Vec<Value> = parameters(document, operation, "query")
        .into_iter()
        .map(|parameter| entry(parameter, plain(&example::of_parameter(document, parameter))))
        .collect();
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
    let variables: Vec<Value> = segments
        .iter()
        .filter_map(|segment| {
            let (name, variable) = (segment.parameter.as_ref()?, segment.variable.as_ref()?);
            let described = parameters(document, operation, "path").into_iter().find(|p| p["name"] == name.as_str());
            let description = described.map(|parameter| text(&parameter["description"])).unwrap_or_default();
            Some(json!({"key": name, "value": format!("{{{{{variable}}}}}"), "description": description}))
        })
        .collect();
    if !variables.is_empty() {
        url["variable"] = variables.into();
    }
    url
}

fn body(document: &Value, operation: &Operation<'_>) -> Option<Value> {
    let content = resolved(document, operation.value.get("requestBody")?)["content"].as_object()?;
    let (media_type, media) = content.iter().next()?;
    let schema = resolved(document, &media["schema"]);
    let example = example::of_media(document, media);
    if media_type == "application/x-www-form-urlencoded" {
        return Some(json!({"mode": "urlencoded", "urlencoded": form(document, operation, schema, &example)}));
    }
    let mut values = example.as_object().cloned().unwrap_or_default();
    for name in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
        if let Some(value) = flow::field(operation.id, name) {
            values.insert(name.clone(), value);
        }
    }
    values.retain(|name, _| !flow::omitted(operation.id, name));
    if values.is_empty() && schema.get("minProperties").is_some() {
        let mut properties = schema["properties"].as_object().into_iter().flatten();
        let rest = properties.find(|(name, _)| !flow::omitted(operation.id, name));
        values
            .extend(rest.map(|(name, schema)| (name.clone(), example::of_media(document, &json!({"schema": schema})))));
    }
    let mut raw = format!("{:#}", Value::Object(values.clone()));
    for (name, value) in &values {
        let kind = resolved(document, &schema["properties"][name])["type"].as_str();
        // a variable that holds a number stands without quotes
        if let (Some("integer" | "number"), Some(variable)) = (kind, value.as_str()) {
            raw = raw.replace(&format!("\"{variable}\""), variable);
        }
    }
    Some(json!({"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}))
}

fn form(document: &Value, operation: &Operation<'_>, schema: &Value, example: &Value) -> Vec<Value> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, schema)| {
            let value = flow::field(operation.id, name).or_else(|| example.get(name).cloned()).unwrap_or(json!(""));
            let description = text(&resolved(document, schema)["description"]);
            let mut entry = json!({"key": name, "value": plain(&value), "type": "text", "description": description});
            if flow::omitted(operation.id, name) {
                entry["disabled"] = json!(true);
            }
            entry
        })
        .collect()
}

/// Every documented answer as a saved example.
fn responses(document: &Value, operation: &Operation<'_>, request: &Value) -> Vec<Value> {
    let mut original = request.clone();
    if let Some(original) = original.as_object_mut() {
        original.remove("description");
        original.remove("auth");
    }
    let documented = operation.value["responses"].as_object().into_iter().flatten();
    documented
        .map(|(documented, response)| {
            let response = resolved(document, response);
            let content = response["content"].as_object().and_then(|content| content.iter().next());
            let body = content.map(|(_, media)| example::of_media(document, media));
            let code = example::status(documented, body.as_ref());
            let mut headers = vec![];
            if let Some((media_type, _)) = content {
                headers.push(json!({"key": "Content-Type", "value": media_type}));
            }
            for (name, header) in response["headers"].as_object().into_iter().flatten() {
                let value = plain(&example::of_parameter(document, resolved(document, header)));
                headers.push(json!({"key": name, "value": value}));
            }
            let body = body.map(|body| format!("{:#}", if code < 400 { body } else { example::problem(body, code) }));
            json!({
                "id": id(&format!("{}/{documented}", operation.id)),
                "name": format!("{code} {}", example::reason(code)),
                "originalRequest": original,
                "status": example::reason(code),
                "code": code,
                "_postman_previewlanguage": if body.is_some() { "json" } else { "text" },
                "header": headers,
                "cookie": [],
                "body": body.unwrap_or_default(),
            })
        })
        .collect()
}
