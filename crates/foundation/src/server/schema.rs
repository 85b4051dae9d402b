//! The schemas of the document as validators: OpenAPI 3.0 turned into JSON Schema 2020-12, and faults as sentences.

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::error::{Code, Error, FieldError};

/// Faults reported at most.
const FAULTS: usize = 20;

/// Characters of an unknown name that are told back at most.
const NAME_LENGTH: usize = 80;

/// A validator for one schema of the document.
pub fn compile(document: &Value, schema: &Value) -> Validator {
    let schema = accord_openapi::to_json_schema(&resolve(document, schema));
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the document's schemas are valid, `every_schema_compiles` says so")
}

/// The schema with every `$ref` replaced by what it names. Ours do not refer to themselves.
pub fn resolve(document: &Value, schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let target = document.pointer(reference.trim_start_matches('#'));
                return resolve(document, target.expect("the document's references resolve"));
            }
            Value::Object(map.iter().map(|(key, value)| (key.clone(), resolve(document, value))).collect())
        }
        Value::Array(items) => items.iter().map(|item| resolve(document, item)).collect(),
        other => other.clone(),
    }
}

/// Faults of the body, each with its pointer; none when it is valid.
pub fn body_faults(validator: &Validator, body: &Value) -> Vec<(Code, FieldError)> {
    if validator.is_valid(body) {
        return vec![];
    }
    validator.iter_errors(body).flat_map(|error| faults_of(&error)).collect()
}

/// What is wrong with one value, e.g. of a parameter.
pub fn value_fault(validator: &Validator, value: &Value) -> Option<String> {
    let error = validator.iter_errors(value).next()?;
    faults_of(&error).into_iter().next().map(|(_, fault)| fault.detail)
}

/// One error with the code of the most special fault that all share.
pub fn refuse(mut faults: Vec<(Code, FieldError)>) -> Error {
    faults.truncate(FAULTS);
    let first = faults.first().map_or(Code::INVALID, |(code, _)| *code);
    let code = if faults.iter().all(|(code, _)| *code == first) { first } else { Code::INVALID };
    Error::fields(code, faults.into_iter().map(|(_, fault)| fault).collect())
}

fn faults_of(error: &jsonschema::ValidationError<'_>) -> Vec<(Code, FieldError)> {
    use ValidationErrorKind as Kind;
    let at = error.instance_path().to_string();
    let below = |name: &str| format!("{at}/{}", shorten(name).replace('~', "~0").replace('/', "~1"));
    let one = |code, detail: String| vec![(code, FieldError::body(at.clone(), detail))];
    let invalid = |detail: String| one(Code::INVALID, detail);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let unknown = |name: &String| {
                (Code::UNKNOWN_FIELD, FieldError::body(below(name), "the operation takes no such field"))
            };
            unexpected.iter().map(unknown).collect()
        }
        Kind::Required { property } => {
            vec![(Code::INVALID, FieldError::body(below(property.as_str().unwrap_or_default()), "is required"))]
        }
        Kind::MinProperties { .. } => one(Code::EMPTY_PATCH, "name at least one field to change".into()),
        Kind::Type { kind } => invalid(format!("must be {}", types(kind))),
        Kind::Enum { options } => invalid(format!("must be one of {}", words(options))),
        Kind::MinLength { limit: 1 } => invalid("must not be empty".into()),
        Kind::MinLength { limit } => invalid(format!("must have at least {limit} characters")),
        Kind::MaxLength { limit } => invalid(format!("must have at most {limit} characters")),
        Kind::Minimum { limit } => invalid(format!("must be at least {limit}")),
        Kind::Maximum { limit } => invalid(format!("must be at most {limit}")),
        Kind::Format { format } => invalid(format!("must have the form of {format}")),
        Kind::Pattern { pattern } if pattern == super::normalise::NO_NUL => invalid("must not contain U+0000".into()),
        Kind::Pattern { .. } => invalid("does not have the documented form".into()),
        // `nullable` became `anyOf` with null: what counts is what the other branch says
        Kind::AnyOf { context } => match context.iter().find(|branch| !branch.iter().all(is_null_branch)) {
            Some(branch) => branch.iter().flat_map(faults_of).collect(),
            None => invalid("is not valid".into()),
        },
        // never the library's own text: it repeats the value, which may be a password
        other => invalid(format!("breaks `{}` of the document", other.keyword())),
    }
}

/// A name that a client made up is told back, but not at any length.
pub fn shorten(name: &str) -> String {
    name.chars().take(NAME_LENGTH).collect()
}

fn is_null_branch(error: &jsonschema::ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { kind } if types(kind) == "null")
}

fn types(kind: &TypeKind) -> String {
    let article = |name: &str| match name {
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => "an object".to_owned(),
        "array" => "a list".to_owned(),
        name => name.to_owned(),
    };
    match kind {
        TypeKind::Single(name) => article(&name.to_string()),
        TypeKind::Multiple(names) => {
            names.iter().map(|name| article(&name.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn words(options: &Value) -> String {
    let words = options.as_array().into_iter().flatten().map(|word| match word {
        Value::String(word) => word.clone(),
        other => other.to_string(),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: Value, body: Value) -> Vec<(Code, String, String)> {
        let validator = compile(&json!({}), &schema);
        let faults = body_faults(&validator, &body).into_iter();
        faults.map(|(code, fault)| (code, fault.pointer.expect("of a body"), fault.detail)).collect()
    }

    #[test]
    fn each_fault_points_at_its_field_and_keeps_the_value_to_itself() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["password"],
            "properties": {
                "password": { "type": "string", "minLength": 8 },
                "rating": { "type": "integer", "nullable": true, "maximum": 5 },
                "id": { "type": "integer", "format": "int64" },
            },
        });
        let found = faults(schema.clone(), json!({ "password": "hunter2", "rating": 9, "x/y": 1 }));
        let of = |code, pointer: &str, detail: &str| (code, pointer.to_owned(), detail.to_owned());
        assert!(found.contains(&of(Code::INVALID, "/password", "must have at least 8 characters")), "{found:?}");
        assert!(found.contains(&of(Code::INVALID, "/rating", "must be at most 5")), "{found:?}");
        assert!(found.contains(&of(Code::UNKNOWN_FIELD, "/x~1y", "the operation takes no such field")), "{found:?}");
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(faults(schema.clone(), json!({}))[0].1, "/password");
        assert!(faults(schema.clone(), json!({ "password": "long enough", "rating": null })).is_empty());
        assert_eq!(faults(schema, json!({ "password": "long enough", "id": 1e20 }))[0].1, "/id");
    }
}
