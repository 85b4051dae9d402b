//! The committed document: its operations, and its schemas as validators.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::server;
use crate::world::Person;

/// `openapi/accord.yaml` as it is on disk.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);
    &DOCUMENT
}

/// The document with every `$ref` replaced by what it names.
pub struct Document {
    /// The file as it is.
    pub text: String,
    /// Its operations in their order.
    pub operations: Vec<Operation>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Whether an object may have properties that the document does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unnamed {
    /// As the document says: mostly yes.
    Allowed,
    /// No: what a server sends must be documented.
    Refused,
}

/// One operation of the document.
pub struct Operation {
    /// `operationId`
    pub id: String,
    /// In capitals.
    pub method: String,
    /// With variables in braces.
    pub path: String,
    /// Whether it needs an access token.
    pub protected: bool,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its request body.
    pub body: Option<Body>,
    /// Its answers by status: `200`, `5XX`.
    pub responses: Map<String, Value>,
}

/// A parameter of an operation.
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `path`, `query` or `header`.
    pub place: String,
    /// Its schema.
    pub schema: Value,
}

/// The request body of an operation.
pub struct Body {
    /// The one it takes.
    pub media_type: String,
    /// Its schema.
    pub schema: Value,
    /// What the document shows.
    pub example: Value,
}

impl Document {
    fn read() -> Self {
        let path = server::root().join("openapi").join("accord.yaml");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("openapi/accord.yaml: {error}; `cargo xtask spec write` makes it"));
        let root: Value = yaml_serde::from_str(&text).expect("openapi/accord.yaml is YAML");
        let root = dereference(&root, &root, 0);
        let paths = root["paths"].as_object().expect("the document has paths");
        let item = |(path, item): (&String, &Value)| {
            let operations = item.as_object().into_iter().flatten();
            let operations = operations.filter(|(_, node)| node.get("operationId").is_some());
            operations.map(|(method, node)| Operation::new(path, method, node, &root["security"])).collect::<Vec<_>>()
        };
        let operations = paths.iter().flat_map(item).collect();
        Self { text, operations, validators: Mutex::default() }
    }

    /// The operation that a request reaches; HEAD reaches that of GET.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.operations.iter().find(|operation| operation.method == method && operation.matches(path))
    }

    /// The methods that a path takes, as `Allow` names them; none if there is no such path.
    pub fn allow(&self, path: &str) -> Vec<String> {
        let here = self.operations.iter().filter(|operation| operation.matches(path));
        let mut methods: Vec<String> = here.map(|operation| operation.method.clone()).collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".into());
        }
        if !methods.is_empty() {
            methods.push("OPTIONS".into());
        }
        methods.sort();
        methods
    }

    /// What is wrong with a value, each fault with its place.
    pub fn faults(&self, schema: &Value, unnamed: Unnamed, value: &Value) -> Vec<String> {
        let schema = to_json_schema(schema, unnamed);
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&schema).expect("the document's schemas are valid"))
        });
        let validator = validator.clone();
        drop(validators);
        validator
            .iter_errors(value)
            .map(|error| format!("at {:?}: {error}", error.instance_path().to_string()))
            .collect()
    }
}

impl Operation {
    fn new(path: &str, method: &str, node: &Value, default_security: &Value) -> Self {
        let security = node.get("security").unwrap_or(default_security);
        let parameters = node["parameters"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let content = node["requestBody"]["content"].as_object().into_iter().flatten().next();
        Self {
            id: text(&node["operationId"]),
            method: method.to_uppercase(),
            path: path.into(),
            protected: security.as_array().is_some_and(|schemes| !schemes.is_empty()),
            parameters: parameters
                .map(|node| Parameter {
                    name: text(&node["name"]),
                    place: text(&node["in"]),
                    schema: node["schema"].clone(),
                })
                .collect(),
            body: content.map(|(media_type, content)| Body {
                media_type: media_type.clone(),
                schema: content["schema"].clone(),
                example: examples(content).into_iter().next().unwrap_or_default(),
            }),
            responses: node["responses"].as_object().cloned().unwrap_or_default(),
        }
    }

    fn matches(&self, path: &str) -> bool {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let (ours, theirs) = (self.path.split('/'), path.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| ours == theirs || (ours.starts_with('{') && !theirs.is_empty()))
    }

    /// The declaration of a status, with the key it is declared by.
    pub fn response(&self, status: u16) -> Option<(String, &Value)> {
        let (exact, range) = (status.to_string(), format!("{}XX", status / 100));
        let key = if self.responses.contains_key(&exact) { exact } else { range };
        self.responses.get(&key).map(|response| (key, response))
    }

    /// Whether it has a parameter of this name.
    pub fn takes(&self, place: &str, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.place == place && parameter.name == name)
    }

    /// Its path with this in place of every variable.
    pub fn target(&self, value: &str) -> String {
        let segments = self.path.split('/').map(|segment| if segment.starts_with('{') { value } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }

    /// A call to this target, of any version where it asks for one, without a body.
    pub fn bare(&self, by: &Person, target: impl Into<String>) -> Call {
        let call = by.call(&self.method, target);
        if self.takes("header", "If-Match") { call.header("If-Match", "*") } else { call }
    }

    /// The call with the document's example as its body, if it takes one.
    pub fn filled(&self, call: Call) -> Call {
        match &self.body {
            Some(body) => call.body(&body.media_type, body.write(&body.example)),
            None => call,
        }
    }

    /// A call with all that is needed.
    pub fn call(&self, by: &Person, id: &str) -> Call {
        self.filled(self.bare(by, self.target(id)))
    }
}

impl Body {
    /// A value in the body's media type.
    pub fn write(&self, value: &Value) -> Vec<u8> {
        if self.is_json() {
            return value.to_string().into();
        }
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
        let fields = value.as_object().into_iter().flatten();
        let mut url = reqwest::Url::parse("http://form").unwrap();
        url.query_pairs_mut().extend_pairs(fields.map(|(name, value)| (name, plain(value))));
        url.query().unwrap_or_default().into()
    }

    /// JSON, or else a form.
    pub fn is_json(&self) -> bool {
        self.media_type == "application/json"
    }
}

/// Every example of a media type: its own, its named ones, its schema's.
pub fn examples(content: &Value) -> Vec<Value> {
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    let own = [content.get("example"), content["schema"].get("example")];
    named.chain(own.into_iter().flatten()).cloned().collect()
}

/// The node with every `$ref` replaced by what it names, and every `allOf` around one schema by that schema with its
/// siblings.
fn dereference(root: &Value, node: &Value, depth: u8) -> Value {
    assert!(depth < 100, "a schema of the document refers to itself, which these tests do not support");
    let map = match node {
        Value::Object(map) => map,
        Value::Array(items) => return items.iter().map(|item| dereference(root, item, depth + 1)).collect(),
        other => return other.clone(),
    };
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        return dereference(root, target.unwrap_or_else(|| panic!("{reference} is not in the document")), depth + 1);
    }
    let mut own: Map<String, Value> =
        map.iter().map(|(key, value)| (key.clone(), dereference(root, value, depth + 1))).collect();
    let Some(Value::Array(parts)) = own.remove("allOf") else { return Value::Object(own) };
    // closing each of several parts would close them against each other
    assert!(parts.len() == 1, "these tests support allOf around one schema only");
    let mut whole = parts[0].as_object().cloned().unwrap_or_default();
    whole.extend(own);
    Value::Object(whole)
}

/// A schema of OpenAPI 3.0 as one of JSON Schema 2020-12.
fn to_json_schema(schema: &Value, unnamed: Unnamed) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let is = |key: &str| map.get(key) == Some(&json!(true));
    let mut out = Map::new();
    for (key, value) in map {
        let convert = |value: &Value| to_json_schema(value, unnamed);
        let (key, value) = match key.as_str() {
            "nullable" | "example" | "discriminator" | "xml" | "externalDocs" | "exclusiveMinimum"
            | "exclusiveMaximum" => continue,
            "minimum" if is("exclusiveMinimum") => ("exclusiveMinimum", value.clone()),
            "maximum" if is("exclusiveMaximum") => ("exclusiveMaximum", value.clone()),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                (key.as_str(), properties.map(|(name, schema)| (name.clone(), convert(schema))).collect())
            }
            "items" | "additionalProperties" | "not" => (key.as_str(), convert(value)),
            "anyOf" | "oneOf" => (key.as_str(), value.as_array().into_iter().flatten().map(convert).collect()),
            _ => (key.as_str(), value.clone()),
        };
        out.insert(key.into(), value);
    }
    if unnamed == Unnamed::Refused && map.contains_key("properties") {
        out.insert("additionalProperties".into(), json!(false));
    }
    let bounds = match map.get("format").and_then(Value::as_str) {
        Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Some("int64") => Some((i64::MIN, i64::MAX)),
        _ => None,
    };
    if let Some((minimum, maximum)) = bounds {
        out.entry("minimum").or_insert(json!(minimum));
        out.entry("maximum").or_insert(json!(maximum));
    }
    if is("nullable") { json!({ "anyOf": [{ "type": "null" }, out] }) } else { Value::Object(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(schema: &Value, unnamed: Unnamed, value: &Value) -> bool {
        jsonschema::draft202012::new(&to_json_schema(schema, unnamed)).unwrap().is_valid(value)
    }

    #[test]
    fn null_is_valid_only_where_the_document_says_so() {
        let owner = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
        let node = json!({ "nullable": true, "description": "x", "allOf": [owner] });
        let nullable = dereference(&json!({}), &node, 0);
        assert!(is_valid(&nullable, Unnamed::Refused, &json!(null)));
        assert!(is_valid(&nullable, Unnamed::Refused, &json!({ "id": 1 })));
        assert!(!is_valid(&owner, Unnamed::Refused, &json!(null)));
    }

    #[test]
    fn a_closed_world_refuses_what_the_document_does_not_name() {
        let list =
            json!({ "type": "array", "items": { "type": "object", "properties": { "id": { "type": "integer" } } } });
        let leak = json!([{ "id": 1, "password_hash": "x" }]);
        assert!(is_valid(&list, Unnamed::Allowed, &leak));
        assert!(!is_valid(&list, Unnamed::Refused, &leak));
    }

    #[test]
    fn a_bound_may_be_excluded() {
        let schema = json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true });
        assert!(!is_valid(&schema, Unnamed::Allowed, &json!(1)));
        assert!(is_valid(&schema, Unnamed::Allowed, &json!(2)));
    }
}
