//! Schemas of the document as the collection needs them: whole, without references, in the JSON Schema newman reads.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Returns the target of a `$ref`, or the value itself if it is none.
pub fn resolved<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        match document.pointer(reference.trim_start_matches('#')) {
            Some(target) => value = target,
            None => return value,
        }
    }
    value
}

/// The formats the validator of Postman (ajv 6) knows; it refuses to compile any other.
const FORMATS: [&str; 5] = ["date", "date-time", "email", "uri", "uuid"];

/// Words of OpenAPI that mean nothing to a validator, and texts a test script need not carry.
const DROPPED: [&str; 11] = [
    "description",
    "title",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "xml",
    "externalDocs",
    "discriminator",
    "default",
];

/// Returns the schema with every reference replaced, `nullable` turned into a type and OpenAPI's own words left out.
pub fn inlined(document: &Value, schema: &Value) -> Value {
    Conversion { document, open: vec![], named: None }.schema(schema)
}

/// Returns the schema like [`inlined`], but with references to named schemas as `#/definitions/NAME`; the names are added
/// to `named`.
pub fn referring(document: &Value, schema: &Value, named: &mut BTreeSet<String>) -> Value {
    let mut conversion = Conversion { document, open: vec![], named: Some(std::mem::take(named)) };
    let schema = conversion.schema(schema);
    *named = conversion.named.unwrap_or_default();
    schema
}

/// Returns the schemas of these names, and those that they refer to.
pub fn definitions(document: &Value, names: &BTreeSet<String>) -> BTreeMap<String, Value> {
    let mut definitions = BTreeMap::new();
    let mut left: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = left.pop() {
        if definitions.contains_key(&name) {
            continue;
        }
        let mut named = BTreeSet::new();
        let schema = referring(document, &document["components"]["schemas"][&name], &mut named);
        definitions.insert(name, schema);
        left.extend(named);
    }
    definitions
}

/// Returns the name of the schema that a reference points to.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

struct Conversion<'a> {
    document: &'a Value,
    /// The references that are being replaced.
    open: Vec<String>,
    /// The names of the references that stay, unless all are replaced.
    named: Option<BTreeSet<String>>,
}

impl Conversion<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        if let (Some(named), Some(name)) = (&mut self.named, name_of(schema)) {
            named.insert(name.to_owned());
            return json!({"$ref": format!("#/definitions/{name}")});
        }
        let reference = schema["$ref"].as_str();
        if let Some(reference) = reference {
            if self.open.iter().any(|inside| inside == reference) {
                // a type that contains itself is checked one level deep
                return json!({});
            }
            self.open.push(reference.to_owned());
        }
        let result = match resolved(self.document, schema) {
            Value::Object(words) => self.words(words),
            other => other.clone(),
        };
        if reference.is_some() {
            self.open.pop();
        }
        result
    }

    fn words(&mut self, words: &Map<String, Value>) -> Value {
        let mut result = Map::new();
        for (word, value) in words {
            let converted = match (word.as_str(), value) {
                ("nullable", _) => continue,
                (word, _) if DROPPED.contains(&word) || word.starts_with("x-") => continue,
                ("format", Value::String(format)) if !FORMATS.contains(&format.as_str()) => continue,
                ("properties", Value::Object(properties)) => {
                    let inner = properties.iter().map(|(name, schema)| (name.clone(), self.schema(schema)));
                    Value::Object(inner.collect())
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    schemas.iter().map(|schema| self.schema(schema)).collect()
                }
                ("items" | "not" | "additionalProperties", Value::Object(_)) => self.schema(value),
                // a flag in OpenAPI 3.0, the bound itself in JSON Schema
                ("exclusiveMinimum", Value::Bool(exclusive)) => {
                    if *exclusive && let Some(bound) = words.get("minimum") {
                        result.insert(word.clone(), bound.clone());
                    }
                    continue;
                }
                ("exclusiveMaximum", Value::Bool(exclusive)) => {
                    if *exclusive && let Some(bound) = words.get("maximum") {
                        result.insert(word.clone(), bound.clone());
                    }
                    continue;
                }
                _ => value.clone(),
            };
            result.insert(word.clone(), converted);
        }
        if words.get("nullable") == Some(&Value::Bool(true)) { nullable(result) } else { unwrapped(result) }
    }
}

/// `allOf` of one schema is how the document puts a description beside a reference; without the description the
/// schema stands for itself.
fn unwrapped(mut schema: Map<String, Value>) -> Value {
    let wraps = schema.keys().all(|word| word == "allOf" || word == "type");
    match schema.get_mut("allOf").and_then(Value::as_array_mut) {
        Some(inner) if wraps && inner.len() == 1 => inner.remove(0),
        _ => Value::Object(schema),
    }
}

fn nullable(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match schema.get("type").cloned() {
        // what stands in an `allOf` has a type of its own, which null is not
        Some(Value::String(kind)) if !["allOf", "anyOf", "oneOf"].iter().any(|word| schema.contains_key(*word)) => {
            schema.insert("type".into(), json!([kind, "null"]));
            Value::Object(schema)
        }
        _ => json!({"anyOf": [unwrapped(schema), {"type": "null"}]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_nullable_become_plain_json_schema() {
        let document = json!({"components": {"schemas": {
            "Owner": {"type": "object", "description": "Who.", "properties": {
                "id": {"type": "integer", "format": "int64", "example": 1},
                "since": {"type": "string", "format": "date-time"},
                "boss": {"$ref": "#/components/schemas/Owner"},
            }},
        }}});
        let schema = json!({"type": "object", "properties": {
            "owner": {"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Owner"}]},
            "kind": {"type": "string", "nullable": true, "enum": ["a"]},
            "rating": {"type": "integer", "minimum": 0, "exclusiveMinimum": true},
        }});
        let owner = json!({"type": "object", "properties": {
            "id": {"type": "integer"},
            "since": {"type": "string", "format": "date-time"},
            "boss": {},
        }});
        let wanted = json!({"type": "object", "properties": {
            "owner": {"anyOf": [owner, {"type": "null"}]},
            "kind": {"type": ["string", "null"], "enum": ["a", null]},
            "rating": {"type": "integer", "minimum": 0, "exclusiveMinimum": 0},
        }});
        assert_eq!(inlined(&document, &schema), wanted);
    }

    #[test]
    fn a_property_named_like_a_dropped_word_stays() {
        let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
        assert_eq!(inlined(&json!({}), &schema), schema);
    }

    #[test]
    fn a_definition_brings_those_it_refers_to() {
        let note = json!({"type": "object", "properties": {
            "owner": {"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Owner"}]}}});
        let owner = json!({"type": "object", "properties": {"notes": {"type": "array", "items": {
            "$ref": "#/components/schemas/Note"}}}});
        let document = json!({"components": {"schemas": {"Note": note, "Owner": owner, "Other": {}}}});
        let mut named = BTreeSet::new();
        let list = json!({"type": "array", "items": {"$ref": "#/components/schemas/Note"}});
        let list = referring(&document, &list, &mut named);
        assert_eq!(list, json!({"type": "array", "items": {"$ref": "#/definitions/Note"}}));
        let either = json!({"anyOf": [{"$ref": "#/definitions/Owner"}, {"type": "null"}]});
        let wanted = json!({
            "Note": {"type": "object", "properties": {"owner": either}},
            "Owner": {"type": "object", "properties": {"notes": list}},
        });
        assert_eq!(json!(definitions(&document, &named)), wanted);
    }
}
