//! Checks of schemas, whoever sends them.

use std::collections::HashSet;

use serde_json::Value;

use super::document::{Document, Node};
use super::grammar::Kind;
use super::{Check, Fault, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "schema-typed",
        about: "Each schema says its type, or refers to one that does: without it anything is valid.",
        repair: "add `type`",
        run: |document| {
            let words = ["type", "allOf", "oneOf", "anyOf", "not"];
            schemas(document, |schema| !words.iter().any(|word| schema.has(word)), "has no type")
        },
    },
    Check {
        id: "no-schema-type-mismatch",
        about: "A schema has only the keywords of its type: `maxLength` on a number is ignored silently.",
        repair: "remove the keyword, or correct the type",
        run: |document| {
            let of_other = |schema: &Node| {
                let others = KEYWORDS.iter().filter(|(types, _)| !types.contains(&schema.text("type")));
                others.flat_map(|(_, words)| *words).find(|word| schema.has(word)).copied()
            };
            let typed = document.of(Kind::Schema).filter(|schema| schema.has("type"));
            let fault = |schema: &Node| {
                let word = of_other(schema)?;
                Some(schema.fault_at(&[word], format!("does not apply to the type {}", schema.text("type"))))
            };
            typed.filter_map(fault).collect()
        },
    },
    Check {
        id: "array-items",
        about: "Each list says what its entries are.",
        repair: "add `items`",
        run: |document| {
            schemas(document, |schema| schema.value["type"] == "array" && !schema.has("items"), "has no `items`")
        },
    },
    Check {
        id: "oneof-discriminator",
        about: "No `anyOf`, and no `oneOf` without a discriminator: generators cannot tell the cases apart.",
        repair: "add a discriminator, or make it one object",
        run: |document| {
            let is_open = |schema: &Node| schema.has("anyOf") || (schema.has("oneOf") && !schema.has("discriminator"));
            schemas(document, is_open, "has cases that nothing tells apart")
        },
    },
    Check {
        id: "no-illogical-composition-keywords",
        about: "An `allOf` of one part has something beside it: alone it is the part itself, and hides its name.",
        repair: "refer to the part",
        run: |document| {
            let is_alone = |schema: &Node| {
                let one = schema.value["allOf"].as_array().is_some_and(|parts| parts.len() == 1);
                one && schema.value.as_object().is_some_and(|words| words.len() == 1)
            };
            schemas(document, is_alone, "is an `allOf` around one part and nothing else")
        },
    },
    Check {
        id: "nullable-spelled",
        about: "`nullable` stands beside a `type`, and an enum that may be null lists null: elsewhere OpenAPI \
            3.0.3 has it ignored.",
        repair: "add the `type`, and null to the enum",
        run: |document| {
            let lists_null =
                |schema: &Node| schema.value["enum"].as_array().is_none_or(|values| values.contains(&Value::Null));
            let is_wrong =
                |schema: &Node| schema.value["nullable"] == true && !(schema.has("type") && lists_null(schema));
            schemas(document, is_wrong, "is `nullable` where that does not count")
        },
    },
    Check {
        id: "response-nullable-required",
        about: "A field of an answer that may be null is always there: \"absent or null\" is two ways to say one \
            thing.",
        repair: "list it under `required`, or leave it out instead of null",
        run: |document| {
            let missing = |schema: Node| {
                let required: Vec<&str> = schema.texts("required").collect();
                let nullable = schema.entries("properties").filter(|(_, property)| property["nullable"] == true);
                let missing = nullable.filter(move |(name, _)| !required.contains(name));
                missing
                    .map(|(name, _)| schema.fault_at(&["properties", name], "may be null, and may be absent"))
                    .collect::<Vec<_>>()
            };
            document.answered().into_iter().flat_map(missing).collect()
        },
    },
    Check {
        id: "response-object-open",
        about: "Objects of answers are open: a field that a later version adds must break no client.",
        repair: "remove `additionalProperties: false`",
        run: |document| {
            // what is sent, too, is told by `request-response-separate`
            let sent: HashSet<String> = document.sent().into_iter().map(|schema| schema.pointer).collect();
            let closed = document.answered().into_iter().filter(|schema| schema.value["additionalProperties"] == false);
            let closed = closed.filter(|schema| !sent.contains(&schema.pointer));
            closed.map(|schema| schema.fault("is closed, so that no field can be added")).collect()
        },
    },
    Check {
        id: "response-without-password",
        about: "No answer has a password or its hash.",
        repair: "remove the field",
        run: |document| {
            let is_secret = |schema: &Node| {
                schema.named_in("properties").is_some_and(|name| name.contains("password"))
                    || schema.text("format") == "password"
            };
            document
                .answered()
                .iter()
                .filter(|schema| is_secret(schema))
                .map(|schema| schema.fault("tells a password"))
                .collect()
        },
    },
    Check {
        id: "schema-integer-bounds",
        about: "The bounds of an integer are integers (`100`, not `100.0`), as are lengths and counts: clients \
            lose the type otherwise.",
        repair: "write it without a fraction",
        run: fractions,
    },
    Check {
        id: "schema-bounds-ordered",
        about: "No lower bound is above its upper bound: nothing would be valid.",
        repair: "swap or correct the bounds",
        run: |document| {
            let pairs = [
                ("minimum", "maximum"),
                ("minLength", "maxLength"),
                ("minItems", "maxItems"),
                ("minProperties", "maxProperties"),
            ];
            let crossed = |schema: &Node| {
                pairs.iter().any(|(low, high)| {
                    schema.value[*low].as_f64().zip(schema.value[*high].as_f64()).is_some_and(|(low, high)| low > high)
                })
            };
            schemas(document, crossed, "has a lower bound above the upper one")
        },
    },
    Check {
        id: "schema-format-listed",
        about: "Formats are of the list that every generator knows, and fit their type: others are ignored silently.",
        repair: "use int32, int64, float, double, date, date-time, email, password, uri, uuid, byte or binary",
        run: |document| {
            let of = |kind: &str| FORMATS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, formats)| formats);
            let is_wrong =
                |schema: &Node| schema.has("format") && !of(schema.text("type")).contains(&schema.text("format"));
            let wrong = document.of(Kind::Schema).filter(|schema| is_wrong(schema));
            wrong
                .map(|schema| {
                    schema.fault_at(&["format"], format!("{} is no known format of its type", schema.value["format"]))
                })
                .collect()
        },
    },
    Check {
        id: "schema-integer-format",
        about: "An integer in a body or parameter says its width, int32 or int64: clients that guess overflow.",
        repair: "add `format`",
        run: |document| {
            let of_headers: HashSet<String> =
                document.of(Kind::Header).map(|header| format!("{}/schema", header.pointer)).collect();
            let is_bare = |schema: &Node| schema.value["type"] == "integer" && !schema.has("format");
            schemas(
                document,
                |schema| is_bare(schema) && !of_headers.contains(&schema.pointer),
                "does not say its width",
            )
        },
    },
    Check {
        id: "schema-pattern-portable",
        about: "A pattern is one that every client's engine reads: no look-around, no back-references.",
        repair: "write it with classes, groups and repetitions alone",
        run: |document| {
            let is_wrong = |schema: &Node| regex_syntax::parse(schema.text("pattern")).is_err();
            let wrong = document.of(Kind::Schema).filter(|schema| is_wrong(schema));
            wrong
                .map(|schema| schema.fault_at(&["pattern"], format!("`{}` is not portable", schema.text("pattern"))))
                .collect()
        },
    },
    Check {
        id: "schema-enum-named",
        about: "An enum is a component of its own: clients get one type with a name instead of one a use.",
        repair: "make it an `Enum` type",
        run: |document| {
            let is_inline = |schema: &Node| schema.has("enum") && !schema.pointer.starts_with("/components/schemas/");
            let is_nested = |schema: &Node| schema.has("enum") && schema.pointer.matches('/').count() > 3;
            schemas(document, |schema| is_inline(schema) || is_nested(schema), "is an enum without a name")
        },
    },
    Check {
        id: "typed-enum",
        about: "The values of an enum are of its type.",
        repair: "correct the value or the type",
        run: |document| {
            let fits = |schema: &Node, value: &Value| match schema.text("type") {
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "boolean" => value.is_boolean(),
                _ => true,
            };
            let fits = |schema: &Node, value: &Value| {
                fits(schema, value) || (value.is_null() && schema.value["nullable"] == true)
            };
            let is_wrong = |schema: &Node| {
                schema.value["enum"].as_array().is_some_and(|values| !values.iter().all(|value| fits(schema, value)))
            };
            schemas(document, is_wrong, "has a value of another type in its enum")
        },
    },
    Check {
        id: "duplicated-entry-in-enum",
        about: "No enum lists a value twice.",
        repair: "remove one of the two",
        run: |document| {
            let repeats = |schema: &Node| {
                let mut seen = HashSet::new();
                schema.value["enum"]
                    .as_array()
                    .is_some_and(|values| !values.iter().all(|value| seen.insert(value.to_string())))
            };
            schemas(document, repeats, "lists a value twice")
        },
    },
    Check {
        id: "no-required-schema-properties-undefined",
        about: "Each required field is declared.",
        repair: "declare it under `properties`, or correct its name",
        run: |document| {
            let undeclared = |schema: &Node| {
                let names = schema.texts("required").filter(|name| schema.value["properties"].get(name).is_none());
                names.map(|name| schema.fault(format!("requires `{name}`, which is not declared"))).collect::<Vec<_>>()
            };
            document.of(Kind::Schema).filter(|schema| !schema.has("allOf")).flat_map(undeclared).collect()
        },
    },
    Check {
        id: "property-name-casing",
        about: "Fields are snake_case, in requests and answers alike.",
        repair: "rename the field",
        run: |document| properties(document, |name, _| !words::is_snake_case(name), "is not snake_case"),
    },
    Check {
        id: "property-time-name",
        about: "A time is called `…_at`, or `timestamp` as the Standard Webhooks have it; what is called `…_at` is a `date-time`.",
        repair: "rename the field, or give it `format: date-time`",
        run: |document| {
            properties(
                document,
                |name, property| {
                    let is_time = property.text("format") == "date-time";
                    name.ends_with("_at") != is_time && !(name == "timestamp" && is_time)
                },
                "is a time without `_at`, or has `_at` without being a time",
            )
        },
    },
];

/// Keywords that apply to some types only.
const KEYWORDS: [(&[&str], &[&str]); 4] = [
    (&["string"], &["minLength", "maxLength", "pattern"]),
    (&["integer", "number"], &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    (&["array"], &["items", "minItems", "maxItems", "uniqueItems"]),
    (&["object"], &["properties", "additionalProperties", "required", "minProperties", "maxProperties"]),
];

/// Formats by type.
const FORMATS: [(&str, &[&str]); 3] = [
    ("integer", &["int32", "int64"]),
    ("number", &["float", "double"]),
    ("string", &["date", "date-time", "email", "password", "uri", "uuid", "byte", "binary"]),
];

pub fn schemas(document: &Document, is_wrong: impl Fn(&Node) -> bool, problem: &str) -> Vec<Fault> {
    document.of(Kind::Schema).filter(|schema| is_wrong(schema)).map(|schema| schema.fault(problem)).collect()
}

/// Properties of objects; one that is a bare reference is described by what it names.
pub fn properties(document: &Document, is_wrong: impl Fn(&str, &Node) -> bool, problem: &str) -> Vec<Fault> {
    let named = document.of(Kind::Schema).filter_map(|schema| Some((schema.named_in("properties")?, schema)));
    let wrong = named.filter(|(name, schema)| is_wrong(name, schema));
    wrong.map(|(name, schema)| schema.fault(format!("`{name}` {problem}"))).collect()
}

fn fractions(document: &Document) -> Vec<Fault> {
    let counts = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
    let bounds = ["minimum", "maximum", "multipleOf"];
    let mut faults = vec![];
    for schema in document.of(Kind::Schema) {
        let of_integer = bounds.iter().filter(|_| schema.value["type"] == "integer");
        let wrong = of_integer.chain(&counts).filter(|field| schema.value[**field].is_f64());
        faults.extend(wrong.map(|field| schema.fault_at(&[field], format!("{} has a fraction", schema.value[*field]))));
    }
    faults
}
