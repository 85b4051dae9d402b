//! The document as a generator takes it: the committed one, with what the three generators misread said in other words.
//! Nothing that a server or a reader of the contract sees is changed.

use serde_json::{Map, Value, json};

/// Who reads the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Generator {
    Progenitor,
    OpenapiTypescript,
    OpenapiPythonClient,
}

/// The committed document in the words of a generator.
pub fn view(document: &Value, generator: Generator) -> Value {
    let mut view = document.clone();
    // progenitor takes an error of any other media type for a stream of bytes, and the problem loses its type
    media_type(&mut view, "application/problem+json", "application/json");
    // the server validates. A client that does it too refuses what a newer server allows, and progenitor makes a type
    // of its own for each bounded string
    each_object(&mut view, &mut |object| object.retain(|key, _| !BOUNDS.contains(&key.as_str())));
    // openapi-python-client reads `type` beside `allOf` as one more object that is never null
    each_object(&mut view, &mut |object| {
        if object.contains_key("allOf") {
            object.remove("type");
        }
    });
    // the decoders of Rust and Python would fail on a word that only a newer server knows; TypeScript has no decoder,
    // and a union with `string` would take the misspelt words as well
    if generator != Generator::OpenapiTypescript {
        open_enums(&mut view);
    }
    // progenitor sends None as absent. In the body of a PATCH, null is something else than absent
    if generator == Generator::Progenitor {
        name_nullables(&mut view);
    }
    view
}

const BOUNDS: [&str; 12] = [
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

fn media_type(value: &mut Value, from: &str, to: &str) {
    each_object(value, &mut |object| {
        if let Some(Value::Object(content)) = object.get_mut("content")
            && let Some(media) = content.remove(from)
        {
            content.insert(to.to_owned(), media);
        }
    });
}

/// A property of an extensible enum takes any other word as well.
fn open_enums(view: &mut Value) {
    let schemas = view["components"]["schemas"].as_object().into_iter().flatten();
    let open = schemas.filter(|(_, schema)| schema["x-extensible-enum"] == true);
    let open: Vec<String> = open.map(|(name, _)| reference(name)).collect();
    each_object(view, &mut |object| {
        let refers =
            |value: &Value| value["$ref"].as_str().is_some_and(|target| open.iter().any(|name| name == target));
        let properties = object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
        for (_, property) in properties {
            let wrapped = property["allOf"].as_array().is_some_and(|all| all.len() == 1 && refers(&all[0]));
            let known = match wrapped {
                true => property["allOf"].clone(),
                false if refers(property) => json!([property.clone()]),
                false => continue,
            };
            let either = json!([{ "title": "Known", "allOf": known }, { "title": "Other", "type": "string" }]);
            put(property, "oneOf", either);
        }
    });
}

/// A nullable property of a PATCH body gets a named type, so that `Some(None)` can be said.
fn name_nullables(view: &mut Value) {
    let paths = view["paths"].as_object().into_iter().flatten();
    let bodies = paths.filter_map(|(_, item)| {
        let content = item["patch"]["requestBody"]["content"].as_object()?;
        content.values().next()?["schema"]["$ref"].as_str()?.strip_prefix(reference("").as_str()).map(str::to_owned)
    });
    for body in bodies.collect::<Vec<_>>() {
        let Some(schemas) = view["components"]["schemas"].as_object_mut() else { continue };
        let properties = schemas.get_mut(&body).and_then(|schema| schema["properties"].as_object_mut());
        let nullable = properties.into_iter().flatten().filter(|(_, property)| property["nullable"] == true);
        let named: Vec<(String, Value)> = nullable
            .map(|(name, property)| {
                let named = format!("{body}{}", pascal_case(name));
                (named.clone(), put(property, "allOf", json!([{ "$ref": reference(&named) }])))
            })
            .collect();
        schemas.extend(named);
    }
}

/// Puts something else in a schema's place, under the same description; answers the schema.
fn put(schema: &mut Value, key: &str, value: Value) -> Value {
    let mut other = Map::new();
    other.extend(schema.get("description").map(|description| ("description".to_owned(), description.clone())));
    other.insert(key.to_owned(), value);
    std::mem::replace(schema, Value::Object(other))
}

fn reference(schema: &str) -> String {
    format!("#/components/schemas/{schema}")
}

fn pascal_case(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split('_').map(capital).collect()
}

/// Visits every object whose keys are words of OpenAPI: no maps of names, no examples.
fn each_object(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    const NAMED: [&str; 5] = ["properties", "schemas", "headers", "parameters", "responses"];
    const DATA: [&str; 4] = ["example", "examples", "default", "enum"];
    match value {
        Value::Array(list) => list.iter_mut().for_each(|entry| each_object(entry, visit)),
        Value::Object(object) => {
            visit(object);
            for (key, value) in object.iter_mut().filter(|(key, _)| !DATA.contains(&key.as_str())) {
                match value {
                    Value::Object(named) if NAMED.contains(&key.as_str()) => {
                        named.iter_mut().for_each(|(_, value)| each_object(value, visit));
                    }
                    value => each_object(value, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        crate::spec::committed().expect("the committed document")
    }

    const ALL: [Generator; 3] = [Generator::Progenitor, Generator::OpenapiTypescript, Generator::OpenapiPythonClient];

    #[test]
    fn a_problem_is_plain_json_to_every_generator() {
        const KEY: &str = "\"application/problem+json\":";
        assert!(document().to_string().contains(KEY));
        for generator in ALL {
            let view = view(&document(), generator);
            assert!(!view.to_string().contains(KEY), "{generator:?}");
            let content = &view["components"]["responses"]["NotFound"]["content"];
            assert_eq!(content["application/json"]["schema"]["$ref"], "#/components/schemas/Problem", "{generator:?}");
        }
    }

    #[test]
    fn bounds_go_but_a_property_may_be_called_like_one() {
        let schema = json!({ "type": "string", "pattern": "^a$", "maxLength": 3 });
        let schema = json!({ "type": "object", "minProperties": 1, "properties": { "pattern": schema } });
        let document = json!({ "components": { "schemas": { "Rule": schema } }, "example": { "maximum": 3 } });
        let wanted = json!({ "type": "object", "properties": { "pattern": { "type": "string" } } });
        let view = view(&document, Generator::OpenapiTypescript);
        assert_eq!(view["components"]["schemas"]["Rule"], wanted);
        assert_eq!(view["example"], document["example"]);
    }

    #[test]
    fn an_owner_may_be_null_to_every_generator() {
        for generator in ALL {
            let owner = view(&document(), generator)["components"]["schemas"]["Post"]["properties"]["owner"].clone();
            assert_eq!((&owner["nullable"], owner.get("type")), (&Value::from(true), None), "{generator:?}");
        }
    }

    #[test]
    fn a_code_of_a_newer_server_is_known_only_as_a_string() {
        let code =
            |generator| view(&document(), generator)["components"]["schemas"]["Problem"]["properties"]["code"].clone();
        for generator in [Generator::Progenitor, Generator::OpenapiPythonClient] {
            let code = code(generator);
            assert_eq!(code["oneOf"][0]["allOf"][0]["$ref"], "#/components/schemas/Code", "{generator:?}");
            assert_eq!(code["oneOf"][1]["type"], "string", "{generator:?}");
        }
        assert_eq!(
            code(Generator::OpenapiTypescript),
            document()["components"]["schemas"]["Problem"]["properties"]["code"]
        );
    }

    #[test]
    fn null_and_absent_are_two_things_in_a_patch_and_nowhere_else() {
        let schemas = view(&document(), Generator::Progenitor)["components"]["schemas"].clone();
        let named = "#/components/schemas/PostUpdateRating";
        assert_eq!(schemas["PostUpdate"]["properties"]["rating"]["allOf"][0]["$ref"], named);
        assert_eq!(schemas["PostUpdateRating"]["nullable"], true);
        assert_eq!(schemas["PostCreate"]["properties"]["rating"]["type"], "integer");
    }
}
