//! Schemas of OpenAPI 3.0 as JSON Schema.

use serde_json::{Map, Value, json};

/// One schema of OpenAPI 3.0, without references, as JSON Schema 2020-12.
pub fn to_json_schema(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        let converted = match key.as_str() {
            "nullable" | "example" | "discriminator" | "deprecated" | "xml" | "externalDocs" | "readOnly"
            | "writeOnly" => continue,
            // 3.0's booleans are the numbers of 2020-12
            "exclusiveMinimum" | "exclusiveMaximum" if value.is_boolean() => continue,
            "minimum" if map.get("exclusiveMinimum") == Some(&json!(true)) => {
                out.insert("exclusiveMinimum".into(), value.clone());
                continue;
            }
            "maximum" if map.get("exclusiveMaximum") == Some(&json!(true)) => {
                out.insert("exclusiveMaximum".into(), value.clone());
                continue;
            }
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                Value::Object(properties.map(|(name, schema)| (name.clone(), to_json_schema(schema))).collect())
            }
            "items" | "additionalProperties" | "not" => to_json_schema(value),
            "allOf" | "anyOf" | "oneOf" => value.as_array().into_iter().flatten().map(to_json_schema).collect(),
            _ => value.clone(),
        };
        out.insert(key.clone(), converted);
    }
    // a format says what integers fit; the validator knows only bounds
    if map.get("format") == Some(&json!("int64")) {
        out.entry("maximum").or_insert(json!(i64::MAX));
        out.entry("minimum").or_insert(json!(i64::MIN));
    }
    if map.get("nullable") == Some(&json!(true)) {
        return json!({ "anyOf": [{ "type": "null" }, out] });
    }
    Value::Object(out)
}
