//! Schemas of OpenAPI 3.0: without references, and as validators.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use accord_openapi::to_json_schema;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The treatment of properties that the schema does not name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unnamed {
    /// The document decides; without a statement it allows them.
    Allowed,
    /// No: a server must document all that it sends.
    Refused,
}

/// A violation of a schema.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The broken keyword of the schema.
    pub keyword: String,
    /// The JSON pointer to the invalid part of the value.
    pub pointer: String,
    /// The violation in one sentence.
    pub sentence: String,
}

/// The validators of the schemas of one document, each built at its first use.
pub(super) struct Validators {
    /// `components/schemas` of the document, for schemas that refer to themselves.
    named: Map<String, Value>,
    /// The validators by the hash of their schema, which takes less time than its text.
    built: Mutex<HashMap<u64, Arc<Validator>>>,
}

impl Validators {
    /// Creates the empty list for a document.
    pub fn of(root: &Value) -> Self {
        let named = root["components"]["schemas"].as_object().cloned().unwrap_or_default();
        Self { named, built: Mutex::default() }
    }

    /// The validator of a schema. Returns `None` if the schema is not valid itself.
    pub fn get(&self, schema: &Value, unnamed: Unnamed) -> Option<Arc<Validator>> {
        let mut hasher = DefaultHasher::new();
        (schema, unnamed).hash(&mut hasher);
        let key = hasher.finish();
        let mut validators = self.built.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(validator) = validators.get(&key) {
            return Some(validator.clone());
        }
        let mut converted = json_schema(schema, unnamed);
        if refers(schema)
            && let Value::Object(map) = &mut converted
        {
            // what refers to itself was left as a reference
            let named: Map<String, Value> =
                self.named.iter().map(|(name, schema)| (name.clone(), json_schema(schema, unnamed))).collect();
            map.insert("components".into(), json!({ "schemas": named }));
        }
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = Arc::new(options.build(&converted).ok()?);
        validators.insert(key, validator.clone());
        Some(validator)
    }
}

/// The schema without the properties that have this mark: requests have no `readOnly` ones, answers no `writeOnly` ones.
pub(super) fn without(schema: &Value, mark: &str) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| without(item, mark)).collect(),
        Value::Object(map) => {
            let mut kept: Map<String, Value> = map
                .iter()
                .filter(|(key, _)| *key != "example")
                .map(|(key, value)| (key.clone(), without(value, mark)))
                .collect();
            kept.extend(map.get("example").map(|example| ("example".to_owned(), example.clone())));
            let marked = |name: &str| map["properties"][name][mark] == true;
            if map.contains_key("properties") {
                let properties = kept.get_mut("properties").and_then(Value::as_object_mut);
                properties.into_iter().for_each(|properties| properties.retain(|name, _| !marked(name)));
                let required = kept.get_mut("required").and_then(Value::as_array_mut);
                required.into_iter().for_each(|names| names.retain(|name| !name.as_str().is_some_and(marked)));
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// Whether a reference is left in the schema.
fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("$ref") || map.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// The node with every `$ref` replaced by what it names, but for those that lead back to themselves, and every
/// `allOf` by one schema with all that its parts ask for.
pub(super) fn dereference(root: &Value, node: &Value, inside: &mut Vec<String>) -> Result<Value, String> {
    let map = match node {
        Value::Object(map) => map,
        Value::Array(items) => return items.iter().map(|item| dereference(root, item, inside)).collect(),
        other => return Ok(other.clone()),
    };
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        if inside.iter().any(|other| other == reference) {
            return Ok(json!({ "$ref": reference }));
        }
        let target = root.pointer(reference.trim_start_matches('#'));
        let target = target.ok_or_else(|| format!("{reference} is not in the document"))?;
        inside.push(reference.into());
        let whole = dereference(root, target, inside);
        inside.pop();
        return whole;
    }
    let mut own = Map::new();
    for (key, value) in map {
        // what looks like a reference in an example is none
        let value = if key == "example" { value.clone() } else { dereference(root, value, inside)? };
        own.insert(key.clone(), value);
    }
    let Some(Value::Array(parts)) = own.remove("allOf") else { return Ok(Value::Object(own)) };
    Ok(merged(parts, own))
}

/// One schema with all that the parts of an `allOf` and its siblings ask for: closing each part alone would close
/// them against each other.
fn merged(parts: Vec<Value>, own: Map<String, Value>) -> Value {
    let (mut whole, mut left) = (Map::new(), vec![]);
    for part in parts {
        let Value::Object(part) = part else { continue };
        let clashes = |(key, value): (&String, &Value)| match key.as_str() {
            "properties" | "required" | "description" | "title" | "example" | "default" => false,
            _ => whole.get(key).is_some_and(|other| other != value),
        };
        if part.contains_key("$ref") || part.iter().any(clashes) {
            left.push(Value::Object(part));
            continue;
        }
        for (key, value) in part {
            add(&mut whole, key, value);
        }
    }
    for (key, value) in own {
        add(&mut whole, key, value);
    }
    if !left.is_empty() {
        whole.insert("allOf".into(), Value::Array(left));
    }
    Value::Object(whole)
}

fn add(whole: &mut Map<String, Value>, key: String, value: Value) {
    match (whole.get_mut(&key), value) {
        (Some(Value::Object(map)), Value::Object(more)) if key == "properties" => map.extend(more),
        (Some(Value::Array(list)), Value::Array(more)) if key == "required" => list.extend(more),
        (_, value) => drop(whole.insert(key, value)),
    }
}

/// A schema of OpenAPI 3.0 as JSON Schema 2020-12; objects may be closed.
fn json_schema(schema: &Value, unnamed: Unnamed) -> Value {
    match unnamed {
        Unnamed::Allowed => to_json_schema(schema),
        Unnamed::Refused => to_json_schema(&closed(schema)),
    }
}

/// The schema with `additionalProperties: false` in each object that names properties.
fn closed(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let close = |(key, value): (&String, &Value)| {
        let value = match key.as_str() {
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                properties.map(|(name, schema)| (name.clone(), closed(schema))).collect()
            }
            "items" | "additionalProperties" | "not" => closed(value),
            "allOf" | "anyOf" | "oneOf" => value.as_array().into_iter().flatten().map(closed).collect(),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    let mut map: Map<String, Value> = map.iter().map(close).collect();
    if map.contains_key("properties") && !map.contains_key("allOf") {
        map.insert("additionalProperties".into(), json!(false));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    fn is_valid(schema: &Value, unnamed: Unnamed, value: &Value) -> bool {
        jsonschema::draft202012::new(&json_schema(schema, unnamed)).unwrap().is_valid(value)
    }

    #[test]
    fn null_is_valid_only_where_the_document_says_so() {
        let owner = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
        let node = json!({ "nullable": true, "description": "x", "allOf": [owner] });
        let nullable = dereference(&json!({}), &node, &mut vec![]).unwrap();
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
    fn what_is_read_only_is_not_sent() {
        let schema = json!({ "type": "object", "required": ["id", "name"], "example": { "id": 1 },
            "properties": { "id": { "type": "integer", "readOnly": true }, "name": { "type": "string" } } });
        let sent = without(&schema, "readOnly");
        assert_eq!((&sent["required"], &sent["properties"].get("id")), (&json!(["name"]), &None));
        assert_eq!(without(&schema, "writeOnly"), schema);
    }

    #[test]
    fn a_bound_may_be_excluded() {
        let schema = json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true });
        assert!(!is_valid(&schema, Unnamed::Allowed, &json!(1)));
        assert!(is_valid(&schema, Unnamed::Allowed, &json!(2)));
    }

    #[test]
    fn the_parts_of_all_of_are_one_schema_that_can_be_closed() {
        let part = |name: &str| json!({ "type": "object", "required": [name], "properties": { name: {} } });
        let both = dereference(&json!({}), &json!({ "allOf": [part("a"), part("b")] }), &mut vec![]).unwrap();
        assert!(is_valid(&both, Unnamed::Refused, &json!({ "a": 1, "b": 1 })));
        assert!(!is_valid(&both, Unnamed::Refused, &json!({ "a": 1 })));
        assert!(!is_valid(&both, Unnamed::Refused, &json!({ "a": 1, "b": 1, "c": 1 })));
    }

    #[test]
    fn a_schema_may_refer_to_itself() {
        let text = r##"
openapi: 3.0.3
paths: { /: { get: { operationId: read, responses: { "200": { description: x, content: { application/json: { schema: { $ref: "#/components/schemas/Tree" } } } } } } } }
components: { schemas: { Tree: { type: object, properties: { name: { type: string }, child: { $ref: "#/components/schemas/Tree" } } } } }
"##;
        let document = Document::parse(text.into()).unwrap();
        let schema = &document.operations[0].responses["200"]["content"]["application/json"]["schema"];
        let deep = |name: Value| json!({ "child": { "child": { "name": name } } });
        assert_eq!(document.faults(schema, Unnamed::Refused, &deep(json!("x"))), Vec::<String>::new());
        assert_eq!(document.judge(schema, Unnamed::Refused, &deep(json!(1)))[0].pointer, "/child/child/name");
    }
}
