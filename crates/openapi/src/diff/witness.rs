//! The proof of a breaking difference: a value that one side takes and the other refuses.

use std::collections::BTreeSet;

use crate::to_json_schema;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::finding::{Between, Finding};
use super::rules::Verdict;
use super::shape::{BOUNDS, Shape};
use super::slot::Slot;

/// A value between the schemas of a finding: callers may send it no longer, or may receive it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    pub value: Value,
    /// Callers send it; else they receive it.
    pub sent: bool,
}

/// The smallest value that proves a breaking difference between two schemas, if one is found.
pub fn find(old: &Value, new: &Value, finding: &Finding) -> Option<Witness> {
    let between = finding.between.as_ref().filter(|_| finding.verdict == Verdict::Breaking)?;
    let Between { sent, .. } = *between;
    let (old, new) = (Side::new(old, &between.old), Side::new(new, &between.new));
    let (taking, refusing) = if sent { (&old, &new) } else { (&new, &old) };
    let (takes, refuses) = (taking.validator()?, refusing.validator()?);
    let mut values = taking.candidates();
    values.extend(refusing.candidates());
    values.retain(|value| takes.is_valid(value) && !refuses.is_valid(value));
    let value = values.into_iter().min_by_key(|value| value.to_string().len())?;
    Some(Witness { value, sent })
}

/// A schema in its document.
pub struct Side<'a> {
    document: &'a Value,
    slots: Vec<Slot<'a>>,
}

impl<'a> Side<'a> {
    /// A schema that is written at each of these places; at none of them anything is allowed.
    pub fn new(document: &'a Value, pointers: &[String]) -> Self {
        let slot = |pointer: &String| Slot { value: document.pointer(pointer), pointer: pointer.clone() };
        Self { document, slots: pointers.iter().map(slot).collect() }
    }

    /// None if a reference leads nowhere or a pattern is none.
    pub fn validator(&self) -> Option<Validator> {
        let all: Vec<Value> = self.slots.iter().filter_map(|slot| slot.value).map(to_json_schema).collect();
        if all.is_empty() {
            return jsonschema::draft202012::new(&json!(true)).ok();
        }
        let mut shared = Map::new();
        for slot in &self.slots {
            slot.value.into_iter().for_each(|schema| collect(self.document, schema, &mut shared));
        }
        let schema = json!({ "allOf": all, "components": { "schemas": shared } });
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema).ok()
    }

    /// Values at the edges of what the schema allows.
    pub fn candidates(&self) -> Vec<Value> {
        Edges { document: self.document }.of(&self.slots, DEPTH)
    }
}

/// The shared schemas that a schema refers to, and those that they refer to.
fn collect(document: &Value, schema: &Value, shared: &mut Map<String, Value>) {
    const SHARED: &str = "#/components/schemas/";
    match schema {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(SHARED));
            let name = name.and_then(|name| name.split('/').next());
            let target = name.and_then(|name| document["components"]["schemas"].get(name).map(|target| (name, target)));
            if let Some((name, target)) = target
                && !shared.contains_key(name)
            {
                shared.insert(name.to_owned(), to_json_schema(target));
                collect(document, target, shared);
            }
            map.values().for_each(|schema| collect(document, schema, shared));
        }
        Value::Array(list) => list.iter().for_each(|schema| collect(document, schema, shared)),
        _ => {}
    }
}

/// How deep objects and lists are varied.
const DEPTH: usize = 3;

/// Longer texts and lists than this prove nothing that shorter ones do not.
const LONGEST: u64 = 100_000;

/// Makes values at the edges of schemas.
struct Edges<'a> {
    document: &'a Value,
}

impl<'a> Edges<'a> {
    fn of(&self, slots: &[Slot<'a>], depth: usize) -> Vec<Value> {
        let shape = Shape::of(self.document, slots);
        let mut values = vec![Value::Null];
        for word in &shape.words {
            match word.key {
                "example" | "default" => values.push((*word.value).clone()),
                "enum" | "examples" => values.extend(word.value.as_array().cloned().unwrap_or_default()),
                _ => {}
            }
        }
        for alternative in shape.union.iter().flat_map(|union| &union.alternatives) {
            values.extend(self.of(std::slice::from_ref(alternative), depth));
        }
        for excluded in inner(&shape, "not") {
            values.extend(self.of(&[excluded], depth));
        }
        let any = ["string", "integer", "number", "boolean", "array", "object"];
        let types = shape.types.clone().filter(|types| !types.is_empty()).unwrap_or_else(|| any.into());
        for name in types {
            match name {
                "string" => values.extend(texts(&shape)),
                "integer" => values.extend(integers(&shape)),
                "number" => values.extend(integers(&shape).into_iter().chain(fractions(&shape))),
                "boolean" => values.extend([json!(false), json!(true)]),
                "array" if depth > 0 => values.extend(self.lists(&shape, depth - 1)),
                "object" if depth > 0 => values.extend(self.objects(&shape, depth - 1)),
                _ => {}
            }
        }
        values
    }

    /// One value that should be valid.
    fn sample(&self, slots: &[Slot<'a>], depth: usize) -> Value {
        let Some(validator) = (Side { document: self.document, slots: slots.to_vec() }).validator() else {
            return Value::Null;
        };
        let valid = self.of(slots, depth).into_iter().filter(|value| validator.is_valid(value));
        // null is the shortest of all, and says the least
        valid.min_by_key(|value| (value.is_null(), value.to_string().len())).unwrap_or_default()
    }

    fn lists(&self, shape: &Shape<'a>, depth: usize) -> Vec<Value> {
        let items: Vec<Slot<'a>> = inner(shape, "items");
        let entries = if items.is_empty() { vec![] } else { self.of(&items, depth) };
        let sample = if items.is_empty() { json!("a") } else { self.sample(&items, depth) };
        let mut lists: Vec<Value> = lengths(shape, "minItems", "maxItems")
            .into_iter()
            .map(|length| Value::Array(vec![sample.clone(); length]))
            .collect();
        lists.extend(lengths(shape, "minItems", "maxItems").into_iter().map(|length| (0..length).collect()));
        lists.extend(entries.into_iter().map(|entry| json!([entry])));
        lists
    }

    /// The smallest object, then each with one property more, one less, one that nobody knows, one varied.
    fn objects(&self, shape: &Shape<'a>, depth: usize) -> Vec<Value> {
        let described = |name: &str| shape.properties.iter().find(|(other, _)| *other == name).map(|(_, slots)| slots);
        let value = |name: &str| described(name).map_or(json!("a"), |slots| self.sample(slots, depth));
        let least: Map<String, Value> = shape.required.keys().map(|name| ((*name).to_owned(), value(name))).collect();
        let with = |name: &str, value: Value| {
            let mut object = least.clone();
            object.insert(name.to_owned(), value);
            Value::Object(object)
        };
        let without = |name: &str| {
            let mut object = least.clone();
            object.shift_remove(name);
            Value::Object(object)
        };
        let mut objects: Vec<Value> = vec![json!({}), Value::Object(least.clone()), with("unknown", json!("a"))];
        objects.extend(least.keys().map(|name| without(name)));
        for (name, slots) in &shape.properties {
            objects.extend(self.of(slots, depth).into_iter().map(|value| with(name, value)));
        }
        for length in lengths(shape, "minProperties", "maxProperties") {
            let mut object = least.clone();
            for (name, _) in &shape.properties {
                if object.len() < length {
                    object.insert((*name).to_owned(), value(name));
                }
            }
            for number in 0..length.saturating_sub(object.len()) {
                object.insert(format!("more{number}"), json!("a"));
            }
            objects.push(Value::Object(object));
        }
        for slot in inner(shape, "additionalProperties") {
            objects.extend(self.of(&[slot], depth).into_iter().map(|value| with("unknown", value)));
        }
        objects
    }
}

/// The schema under a keyword, if it is there and is one.
fn inner<'a>(shape: &Shape<'a>, key: &str) -> Vec<Slot<'a>> {
    let words = shape.words.iter().filter(|word| word.key == key && word.value.is_object());
    words.filter_map(|word| Some(Slot { value: Some(word.written()?), pointer: word.pointer.clone() })).collect()
}

/// The numbers that bounds name, of these keywords.
fn bounds(shape: &Shape<'_>, keywords: &[&str]) -> Vec<f64> {
    let named = shape.words.iter().filter(|word| keywords.contains(&word.key));
    debug_assert!(
        keywords.iter().all(|keyword| BOUNDS.iter().any(|(key, _)| key == keyword) || *keyword == "multipleOf")
    );
    named.filter_map(|word| word.value.as_f64()).collect()
}

/// Lengths at the bounds and beside them, and the small ones.
fn lengths(shape: &Shape<'_>, least: &str, most: &str) -> BTreeSet<usize> {
    let mut lengths = BTreeSet::from([0, 1, 2]);
    for bound in bounds(shape, &[least, most]) {
        let bound = bound as u64;
        let beside = bound.saturating_sub(1)..=bound.saturating_add(1);
        lengths.extend(beside.filter(|length| *length <= LONGEST).filter_map(|length| usize::try_from(length).ok()));
    }
    lengths
}

fn texts(shape: &Shape<'_>) -> Vec<Value> {
    const FORMS: [&str; 12] = [
        "2026-01-02T03:04:05Z",
        "2026-01-02",
        "03:04:05Z",
        "ann@example.com",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "https://example.com/a",
        "example.com",
        "192.0.2.1",
        "2001:db8::1",
        "YQ==",
        "1",
        "-1 \u{e4}!",
    ];
    let lengths = lengths(shape, "minLength", "maxLength").into_iter();
    lengths.map(|length| json!("a".repeat(length))).chain(FORMS.iter().map(|text| json!(text))).collect()
}

const NUMBERS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

fn integers(shape: &Shape<'_>) -> Vec<Value> {
    let mut numbers = BTreeSet::from([-1, 0, 1, 2, i64::from(i32::MAX) + 1]);
    for bound in bounds(shape, &NUMBERS) {
        let bound = bound as i64;
        numbers.extend([bound.saturating_sub(1), bound, bound.saturating_add(1)]);
    }
    numbers.into_iter().map(Value::from).collect()
}

fn fractions(shape: &Shape<'_>) -> Vec<Value> {
    let mut numbers = vec![0.5];
    numbers.extend(bounds(shape, &NUMBERS).into_iter().flat_map(|bound| [bound - 0.5, bound + 0.5, bound / 2.0]));
    numbers.into_iter().map(Value::from).collect()
}
