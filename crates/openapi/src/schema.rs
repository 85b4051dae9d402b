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
    // to the validator a format of integers is an annotation: it checks bounds only
    let bounds = match map.get("format").and_then(Value::as_str) {
        Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Some("int64") => Some((i64::MIN, i64::MAX)),
        _ => None,
    };
    if let Some((minimum, maximum)) = bounds {
        out.entry("maximum").or_insert(json!(maximum));
        out.entry("minimum").or_insert(json!(minimum));
    }
    if map.get("nullable") == Some(&json!(true)) {
        return json!({ "anyOf": [{ "type": "null" }, out] });
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(schema: &Value, value: &Value) -> bool {
        jsonschema::draft202012::new(&to_json_schema(schema)).expect("a schema").is_valid(value)
    }

    #[test]
    fn bound_may_be_excluded() {
        let schema = json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true });
        assert!(!is_valid(&schema, &json!(1)));
        assert!(is_valid(&schema, &json!(2)));
    }

    #[test]
    fn integer_format_sets_bounds_that_the_schema_leaves_open() {
        let int32 = json!({ "type": "integer", "format": "int32", "minimum": 0 });
        assert!(is_valid(&int32, &json!(i32::MAX)));
        assert!(!is_valid(&int32, &json!(i64::from(i32::MAX) + 1)));
        assert!(!is_valid(&int32, &json!(-1)));
        let int64 = json!({ "type": "integer", "format": "int64" });
        assert!(is_valid(&int64, &json!(i64::MIN)));
        assert!(!is_valid(&int64, &json!(u64::MAX)));
    }

    #[test]
    fn null_is_valid_only_if_nullable() {
        let nullable = json!({ "type": "string", "nullable": true });
        assert!(is_valid(&nullable, &json!(null)) && is_valid(&nullable, &json!("x")));
        assert!(!is_valid(&json!({ "type": "string" }), &json!(null)));
    }
}
