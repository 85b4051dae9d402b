//! Values on either side of each bound of a schema, always the same ones.
//!
//! Every value is tried on the schema before it is used: what is meant to be valid is valid, and what is meant to break
//! a keyword breaks it.

mod known;
mod texts;

use serde_json::{Value, json};

use super::constraint::Constraint;
use super::expression::UNIQUE;
use crate::document::{Document, Parameter, Unnamed};
use known::{formatted, misformatted};
use texts::{of_length, text};

pub use known::misspelled;

/// A value at a bound, with the keyword whose bound it is.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The constraint whose edge it is.
    pub constraint: Constraint,
    /// The name among other values of the same constraint.
    pub label: String,
    /// The value.
    pub value: Value,
}

/// A text of everything that is easily mistaken for something else.
pub const UNICODE: &str =
    "Gr\u{fc}\u{df}e 100% %41 \"'\\ <b>\n\u{65e5}\u{672c}\u{8a9e} e\u{301} \u{202e}\u{2028}\u{1f600}";

/// The notation of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// JSON.
    Json,
    /// Texts of a query, a path, or a form.
    Text,
    /// Headers: visible ASCII.
    Header,
}

fn edge(constraint: Constraint, label: impl Into<String>, value: Value) -> Edge {
    Edge { constraint, label: label.into(), value }
}

/// A valid value: one that is given if it is valid, or else made up.
pub fn valid(document: &Document, schema: &Value, given: Option<&Value>) -> Option<Value> {
    let shown = [given, schema.get("example"), schema.get("default")];
    let shown = shown.into_iter().flatten().chain(schema["enum"].as_array().into_iter().flatten());
    if let Some(value) = shown.into_iter().find(|value| document.allows(schema, value)) {
        return Some(value.clone());
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for branch in schema[key].as_array().into_iter().flatten() {
            let value = valid(document, branch, given).filter(|value| document.allows(schema, value));
            if value.is_some() {
                return value;
            }
        }
    }
    let number = |key: &str| schema[key].as_i64();
    let made = match schema["type"].as_str() {
        Some("integer" | "number") => {
            let step = number("multipleOf").unwrap_or(1).max(1);
            let least = number("minimum").or(number("maximum")).unwrap_or(1);
            let candidates = (0..=2 * step).flat_map(|more| [least.saturating_add(more), least.saturating_sub(more)]);
            return candidates.map(Value::from).find(|value| document.allows(schema, value));
        }
        Some("boolean") => json!(true),
        Some("array") => {
            let count = number("minItems").unwrap_or(1).max(0);
            let item = valid(document, &schema["items"], None)?;
            let count = usize::try_from(count).unwrap_or(0);
            let more = (1..=count).filter_map(|number| numbered(document, &schema["items"], &item, number));
            let mut list: Vec<Value> = vec![];
            for value in std::iter::once(item.clone()).chain(more) {
                if list.len() < count && !list.contains(&value) {
                    list.push(value);
                }
            }
            while schema["uniqueItems"] != true && list.len() < count {
                list.push(item.clone());
            }
            Value::Array(list)
        }
        Some("string") => return text(document, schema, "", number("minLength").unwrap_or(0).max(1)),
        Some("object") | None => {
            let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let property = |name: &str| Some((name.to_owned(), valid(document, &schema["properties"][name], None)?));
            let mut object: serde_json::Map<String, Value> = names.filter_map(property).collect();
            let wanted = schema["minProperties"].as_u64().unwrap_or(0) as usize;
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if object.len() < wanted && !object.contains_key(name) {
                    object.extend(valid(document, schema, None).map(|value| (name.clone(), value)));
                }
            }
            Value::Object(object)
        }
        Some(_) => return None,
    };
    Some(made).filter(|value| document.allows(schema, value))
}

/// A valid value like another, and a different one for each number.
fn numbered(document: &Document, schema: &Value, like: &Value, number: usize) -> Option<Value> {
    let candidates = match like {
        Value::String(text) => vec![json!(format!("{text}{number}")), json!(number.to_string())],
        Value::Number(start) => vec![json!(start.as_i64()?.checked_add(i64::try_from(number).ok()?)?)],
        Value::Object(map) => {
            let other = |(name, part): (&String, &Value)| {
                let part = numbered(document, &schema["properties"][name], part, number)?;
                let mut other = map.clone();
                other.insert(name.clone(), part);
                Some(Value::Object(other))
            };
            map.iter().filter_map(other).collect()
        }
        _ => vec![],
    };
    let listed = schema["enum"].as_array().and_then(|values| values.get(number)).cloned();
    candidates.into_iter().chain(listed).find(|value| document.allows(schema, value))
}

/// Valid values at the bounds of a schema, each with the keyword whose bound it is; `given` is a valid one.
pub fn edges(document: &Document, schema: &Value, given: &Value, form: Form) -> Vec<Edge> {
    use Constraint as C;
    let mut found = vec![];
    if schema["nullable"] == true && form == Form::Json {
        found.push(edge(C::Nullable, "null", Value::Null));
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        found.push(edge(C::Enum, word(value), value.clone()));
    }
    let number = |key: &str| schema[key].as_i64();
    match schema["type"].as_str() {
        Some("boolean") => found.extend([true, false].map(|flag| edge(C::Type, flag.to_string(), json!(flag)))),
        Some("integer" | "number") => {
            let [lowest, highest] = bounds(schema);
            let step = number("multipleOf").unwrap_or(1).max(1);
            let within = |from: i64, by: i64| (0..=step + 1).filter_map(move |more| from.checked_add(by * more));
            let first = |mut candidates: Box<dyn Iterator<Item = i64>>| {
                candidates.find(|number| document.allows(schema, &json!(number)))
            };
            let from = |constraint, label: &str, bound: Option<i64>, by| {
                let value = bound.and_then(|bound| first(Box::new(within(bound, by))));
                value.map(|value| edge(constraint, label, json!(value)))
            };
            found.extend(from(C::Minimum, "least", number("minimum").or(lowest), 1));
            found.extend(from(C::Maximum, "largest", number("maximum").or(highest), -1));
            if schema["type"] == "number" {
                let middle = given.as_f64().unwrap_or_default() + 0.5;
                found.push(edge(C::Type, "fraction", json!(middle)));
            }
        }
        Some("string") if schema["enum"].is_null() => {
            let seed = given.as_str().unwrap_or_default();
            let length = |key: &str| number(key).and_then(|length| of_length(document, schema, seed, length));
            found.extend(length("minLength").map(|value| edge(C::MinLength, "shortest", value)));
            found.extend(length("maxLength").map(|value| edge(C::MaxLength, "longest", value)));
            if form != Form::Header && !seed.contains(UNIQUE) {
                found.push(edge(C::Pattern, "unicode", json!(UNICODE)));
                if let Some(longest) = number("maxLength").and_then(|length| usize::try_from(length).ok()) {
                    found.push(edge(C::MaxLength, "longest-unicode", json!("\u{1f600}".repeat(longest))));
                }
                found.push(edge(C::Pattern, "spaces", json!("  ")));
                // what no pattern forbids, many databases cannot keep
                found.push(edge(C::Pattern, "nul", json!("a\0b")));
            }
            for text in formatted(schema["format"].as_str().unwrap_or_default()) {
                found.push(edge(C::Format, *text, json!(text)));
            }
        }
        _ => {}
    }
    found.retain(|edge| document.allows(schema, &edge.value));
    distinct(found)
}

/// Values that break one keyword of a schema each; `given` is a valid one.
pub fn breaks(document: &Document, schema: &Value, given: &Value, form: Form) -> Vec<Edge> {
    use Constraint as C;
    let mut found = vec![];
    let number = |key: &str| schema[key].as_i64();
    if form == Form::Json {
        if schema["nullable"] != true {
            found.push(edge(C::Nullable, "null", Value::Null));
        }
        found.extend(other_types(schema).into_iter().map(|(label, value)| edge(C::Type, label, value)));
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        let text = first.as_str().unwrap_or_default();
        let others = [("nonsense", json!("nonsense")), ("empty", json!("")), ("upper", json!(text.to_uppercase()))];
        found.extend(others.into_iter().map(|(label, value)| edge(C::Enum, label, value)));
        found.extend([-1, 0, 99].map(|value| edge(C::Enum, value.to_string(), json!(value))));
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => {
            let around = |constraint, bound: Option<i64>, by: i64| {
                let candidates = bound.into_iter().flat_map(move |bound| [bound.checked_add(by), Some(bound)]);
                let broken = candidates.flatten().find(|number| !document.allows(schema, &json!(number)));
                broken.map(|number| edge(constraint, number.to_string(), json!(number)))
            };
            found.extend(around(C::Minimum, number("minimum"), -1));
            found.extend(around(C::Maximum, number("maximum"), 1));
            if let Some(bound) = schema["minimum"].as_f64().filter(|bound| bound.fract() != 0.0) {
                found.push(edge(C::Minimum, "below", json!(bound - 1.0)));
            }
            if let Some(bound) = schema["maximum"].as_f64().filter(|bound| bound.fract() != 0.0) {
                found.push(edge(C::Maximum, "above", json!(bound + 1.0)));
            }
            if let (Some(step), Some(given)) = (number("multipleOf").filter(|step| *step > 1), given.as_i64()) {
                found.push(edge(C::MultipleOf, "between", json!(given.saturating_add(step / 2))));
                found.push(edge(C::MultipleOf, "one-more", json!(given.saturating_add(1))));
            }
            if schema["type"] == "integer" && form == Form::Json {
                let huge = [("int32", json!(1_i64 << 31)), ("int64", json!(u64::MAX)), ("huge", json!(1e300))];
                found.extend(huge.into_iter().map(|(label, value)| edge(C::Format, label, value)));
            }
        }
        Some("string") if schema["enum"].is_null() => strings(document, schema, given, form, &mut found),
        _ => {}
    }
    found.retain(|edge| {
        let faults = document.judge(schema, Unnamed::Allowed, &edge.value);
        !faults.is_empty() && faults.iter().all(|fault| fault.pointer.is_empty())
    });
    distinct(found)
}

fn strings(document: &Document, schema: &Value, given: &Value, form: Form, found: &mut Vec<Edge>) {
    use Constraint as C;
    let number = |key: &str| schema[key].as_i64();
    let seed = given.as_str().unwrap_or_default();
    let without = |key: &str| {
        let mut schema = schema.clone();
        schema.as_object_mut().map(|map| map.shift_remove(key));
        schema
    };
    let plain = |length: i64| usize::try_from(length).ok().map(|length| json!("x".repeat(length)));
    if let Some(length) = number("minLength").filter(|length| *length > 0).map(|length| length - 1) {
        let value = of_length(document, &without("minLength"), seed, length).or_else(|| plain(length));
        found.extend(value.map(|value| edge(C::MinLength, "too-short", value)));
    }
    if let Some(length) = number("maxLength").filter(|length| *length < 1 << 21).map(|length| length + 1) {
        let value = of_length(document, &without("maxLength"), seed, length).or_else(|| plain(length));
        found.extend(value.map(|value| edge(C::MaxLength, "too-long", value)));
    }
    if schema["pattern"].is_string() {
        let middle = seed.chars().count() / 2;
        let with = |character: char| {
            let (before, after): (String, String) =
                (seed.chars().take(middle).collect(), seed.chars().skip(middle).collect());
            format!("{before}{character}{after}")
        };
        let odd: Vec<(&str, String)> = vec![
            ("nul", with('\0')),
            ("space", with(' ')),
            ("newline", format!("{seed}\n")),
            ("symbol", with('!')),
            ("umlaut", with('\u{fc}')),
            ("empty", String::new()),
            ("letter", with('x')),
            ("digit", with('1')),
        ];
        // a header holds neither NUL nor line ends, and spaces around its value are no part of it (RFC 9110 section 5.5)
        let fits = |label: &str, text: &str| !["nul", "newline", "umlaut"].contains(&label) && text.trim() == text;
        let odd = odd.into_iter().filter(|(label, text)| form != Form::Header || fits(label, text));
        found.extend(odd.map(|(label, text)| edge(C::Pattern, label, json!(text))));
    }
    for text in misformatted(schema["format"].as_str().unwrap_or_default()) {
        found.push(edge(C::Format, *text, json!(text)));
    }
}

/// Values of every type but that of the schema.
fn other_types(schema: &Value) -> Vec<(&'static str, Value)> {
    let all = [
        ("number", json!(1)),
        ("fraction", json!(1.5)),
        ("boolean", json!(true)),
        ("digits", json!("1")),
        ("word", json!("true")),
        ("array", json!([])),
        ("list", json!(["x"])),
        ("object", json!({})),
        ("map", json!({ "x": 1 })),
    ];
    let own: &[&str] = match schema["type"].as_str() {
        Some("string") => &["digits", "word"],
        Some("integer") => &["number"],
        Some("number") => &["number", "fraction"],
        Some("boolean") => &["boolean"],
        Some("array") => &["array", "list"],
        Some("object") => &["object", "map"],
        // of any type, or of those that its branches say: what is no value of it is seen when it is tried
        _ => &[],
    };
    all.into_iter().filter(|(label, _)| !own.contains(label)).collect()
}

/// Whether a parameter is one text: lists and objects are written in several ways, and cookies are the client's.
pub fn is_plain(parameter: &Parameter) -> bool {
    let kind = parameter.schema["type"].as_str();
    parameter.place != "cookie" && !matches!(kind, Some("array" | "object"))
}

/// The bounds of an integer's format.
fn bounds(schema: &Value) -> [Option<i64>; 2] {
    match schema["format"].as_str() {
        Some("int32") => [Some(i32::MIN.into()), Some(i32::MAX.into())],
        Some("int64") => [Some(i64::MIN), Some(i64::MAX)],
        _ => [None, None],
    }
}

/// A value as a word for an id.
pub fn word(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
    text.chars()
        .take(30)
        .map(|character| if character.is_whitespace() || character == '/' { '_' } else { character })
        .collect()
}

fn distinct(edges: Vec<Edge>) -> Vec<Edge> {
    let mut kept: Vec<Edge> = vec![];
    for edge in edges {
        if !kept.iter().any(|other| other.value == edge.value) {
            kept.push(edge);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document::parse("{ openapi: 3.0.3, paths: {} }".into()).unwrap()
    }

    fn labels(edges: &[Edge], constraint: Constraint) -> Vec<String> {
        edges.iter().filter(|edge| edge.constraint == constraint).map(|edge| edge.value.to_string()).collect()
    }

    #[test]
    fn each_bound_of_a_number_has_a_value_on_either_side() {
        let schema =
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 20, "multipleOf": 5 });
        let (inside, outside) =
            (edges(&document(), &schema, &json!(5), Form::Json), breaks(&document(), &schema, &json!(5), Form::Json));
        assert_eq!(labels(&inside, Constraint::Minimum), ["5"]);
        assert_eq!(labels(&inside, Constraint::Maximum), ["20"]);
        assert_eq!(labels(&outside, Constraint::Minimum), ["0"]);
        assert_eq!(labels(&outside, Constraint::Maximum), ["21"]);
        assert_eq!(labels(&outside, Constraint::MultipleOf), ["7", "6"]);
        assert_eq!(valid(&document(), &schema, None), Some(json!(5)));
    }

    #[test]
    fn the_longest_text_of_a_pattern_is_found() {
        let pattern = r"^[a-z0-9-]+@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$";
        let schema = json!({ "type": "string", "format": "email", "maxLength": 254, "pattern": pattern });
        let found = edges(&document(), &schema, &json!("ann@example.com"), Form::Json);
        let longest = found.iter().find(|edge| edge.label == "longest").unwrap();
        assert_eq!(longest.value.as_str().unwrap().len(), 254);
        let outside = breaks(&document(), &schema, &json!("ann@example.com"), Form::Json);
        assert!(outside.iter().any(|edge| edge.constraint == Constraint::MaxLength));
        assert!(outside.iter().any(|edge| edge.value == json!("a b@example.com")));
    }

    #[test]
    fn a_word_that_is_to_be_another_each_time_survives() {
        let schema = json!({ "type": "string", "maxLength": 40, "minLength": 3 });
        for edge in edges(&document(), &schema, &json!(format!("{UNIQUE}-x")), Form::Json) {
            assert!(edge.label == "shortest" || edge.value.as_str().unwrap().contains(UNIQUE), "{edge:?}");
        }
    }

    #[test]
    fn a_list_is_made_of_different_items_where_it_must_be() {
        let schema = json!({ "type": "array", "minItems": 3, "uniqueItems": true, "items": { "type": "string", "maxLength": 9 } });
        assert_eq!(valid(&document(), &schema, None).unwrap().as_array().unwrap().len(), 3);
    }

    #[test]
    fn null_breaks_what_is_not_nullable_and_is_an_edge_of_what_is() {
        let schema = |nullable: bool| json!({ "type": "boolean", "nullable": nullable });
        let null = |edges: Vec<Edge>| edges.iter().any(|edge| edge.value.is_null());
        assert!(null(edges(&document(), &schema(true), &json!(true), Form::Json)));
        assert!(!null(breaks(&document(), &schema(true), &json!(true), Form::Json)));
        assert!(null(breaks(&document(), &schema(false), &json!(true), Form::Json)));
    }
}
