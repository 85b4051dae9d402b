//! Goes through the schema of a body, and finds every change that breaks one of its constraints, or touches its edge.

use serde_json::{Value, json};

use super::constraint::Constraint;
use super::draft::{Change, set};
use super::values::{self, Form};
use crate::document::{Document, token};

/// Changes that break, or touch, one constraint of a body.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Which.
    pub constraint: Constraint,
    /// The name among other variants of the same constraint and place.
    pub label: String,
    /// The part of the body that it is about.
    pub pointer: String,
    /// The JSON pointer to the constraint in the document.
    pub at: String,
    /// The changes to the sample.
    pub changes: Vec<Change>,
}

/// Which side of the bounds is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Values that are still allowed.
    Inside,
    /// Values that are no longer allowed.
    Outside,
}

/// A body to change: its schema, where that stands, and a valid value.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    pub document: &'a Document,
    pub schema: &'a Value,
    pub at: &'a str,
    pub value: &'a Value,
    pub form: Form,
    /// Properties that only answers have.
    pub owned: &'a [String],
}

/// Every change to the sample that breaks, or touches, one constraint.
pub fn variants(sample: Sample<'_>, side: Side) -> Vec<Variant> {
    let mut walk = Walk { sample, side, found: vec![] };
    let place = Place { pointer: String::new(), at: sample.at.into(), before: vec![] };
    walk.value(sample.schema, &place, sample.value);
    let Walk { mut found, .. } = walk;
    found.retain(|variant| {
        let mut value = sample.value.clone();
        variant.changes.iter().for_each(|change| edit(&mut value, change));
        let judged = sample.document.allows(sample.schema, &value);
        judged == (side == Side::Inside)
    });
    found
}

/// Does a change of the body to a value.
pub fn edit(value: &mut Value, change: &Change) {
    match change {
        Change::Body(pointer, part) => set(value, pointer, part.clone()),
        Change::Ensure(pointer, part) if value.pointer(pointer).is_none() => set(value, pointer, Some(part.clone())),
        _ => {}
    }
}

struct Walk<'a> {
    sample: Sample<'a>,
    side: Side,
    found: Vec<Variant>,
}

/// The position of the walk.
#[derive(Clone)]
struct Place {
    /// The JSON pointer in the body.
    pointer: String,
    /// The JSON pointer in the document.
    at: String,
    /// The changes that make the part exist.
    before: Vec<Change>,
}

impl Place {
    fn below(&self, key: &str, keyword: &str) -> Self {
        let at = if keyword.is_empty() { self.at.clone() } else { format!("{}/{keyword}", self.at) };
        Self { pointer: format!("{}/{}", self.pointer, token(key)), at, before: self.before.clone() }
    }
}

impl Walk<'_> {
    fn add(&mut self, constraint: Constraint, label: &str, place: &Place, change: Change, keyword: &str) {
        self.add_all(constraint, label, place, vec![change], keyword);
    }

    fn add_all(&mut self, constraint: Constraint, label: &str, place: &Place, changes: Vec<Change>, keyword: &str) {
        self.found.push(Variant {
            constraint,
            label: values::word(&label.into()),
            pointer: place.pointer.clone(),
            at: format!("{}/{keyword}", place.at),
            changes: place.before.iter().cloned().chain(changes).collect(),
        });
    }

    /// Puts this value in the place.
    fn put(&mut self, constraint: Constraint, label: &str, place: &Place, value: Value, keyword: &str) {
        self.add(constraint, label, place, Change::Body(place.pointer.clone(), Some(value)), keyword);
    }

    fn value(&mut self, schema: &Value, place: &Place, given: &Value) {
        let (document, form) = (self.sample.document, self.sample.form);
        let found = match self.side {
            Side::Inside => values::edges(document, schema, given, form),
            Side::Outside => values::breaks(document, schema, given, form),
        };
        for edge in found {
            self.put(edge.constraint, &edge.label, place, edge.value, edge.constraint.word());
        }
        if form == Form::Text && self.side == Side::Outside {
            for (constraint, label, text) in values::misspelled(schema) {
                self.put(constraint, label, place, json!(text), "type");
            }
        }
        if given.is_object() {
            self.object(schema, place, given);
        }
        if let Some(items) = given.as_array() {
            self.array(schema, place, items);
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for (index, branch) in schema[key].as_array().into_iter().flatten().enumerate() {
                let here = Place { at: format!("{}/{key}/{index}", place.at), ..place.clone() };
                if document.allows(branch, given) {
                    self.value(branch, &here, given);
                } else if let Some(value) = values::valid(document, branch, None)
                    && self.side == Side::Inside
                {
                    // a branch that the sample does not take
                    self.put(Constraint::Composition, &format!("{key}-{index}"), &here, value, "");
                }
            }
        }
    }

    fn object(&mut self, schema: &Value, place: &Place, given: &Value) {
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match self.side {
            Side::Outside => self.broken_object(schema, place, given, &required),
            Side::Inside => self.edges_of_object(schema, place, given, &required),
        }
        for (name, property) in &properties {
            let mut below = place.below(name, &format!("properties/{}", token(name)));
            let present = given.get(name).filter(|value| !value.is_null()).cloned();
            let present = present.or_else(|| values::valid(self.sample.document, &not_null(property), None));
            let Some(present) = present else { continue };
            below.before.push(Change::Ensure(below.pointer.clone(), present.clone()));
            self.value(property, &below, &present);
        }
    }

    fn broken_object(&mut self, schema: &Value, place: &Place, given: &Value, required: &[&str]) {
        for name in required {
            let below = place.below(name, "");
            let change = Change::Body(below.pointer.clone(), None);
            self.add(Constraint::Required, "missing", &below, change, "required");
        }
        let properties = &schema["properties"];
        if schema["additionalProperties"] == false {
            let strange = ["nonsense", "a/b~c", "", "__proto__"];
            for name in strange.into_iter().filter(|name| properties.get(name).is_none()) {
                let label = if name.is_empty() { "empty" } else { name };
                self.put(
                    Constraint::AdditionalProperties,
                    label,
                    &place.below(name, ""),
                    json!("1"),
                    "additionalProperties",
                );
            }
            if place.pointer.is_empty() {
                for name in self.sample.owned.iter().filter(|name| properties.get(name).is_none()) {
                    self.put(Constraint::ServerOwned, name, &place.below(name, ""), json!("1"), "additionalProperties");
                }
            }
        } else if schema["additionalProperties"].is_object() {
            let more = &schema["additionalProperties"];
            let below = place.below("more", "additionalProperties");
            if let Some(value) = values::valid(self.sample.document, more, None) {
                self.value(more, &below, &value);
            }
        }
        let present = given.as_object().cloned().unwrap_or_default();
        let count = |key: &str| schema[key].as_u64().and_then(|count| usize::try_from(count).ok());
        if let Some(least) = count("minProperties").filter(|least| *least > required.len()) {
            let optional = present.keys().filter(|name| !required.contains(&name.as_str()));
            let surplus = present.len().saturating_sub(least - 1);
            let dropped = optional.take(surplus).map(|name| Change::Body(place.below(name, "").pointer, None));
            self.add_all(Constraint::MinProperties, "too-few", place, dropped.collect(), "minProperties");
        }
        if let Some(most) = count("maxProperties") {
            let mut many = present.clone();
            for (name, property) in properties.as_object().into_iter().flatten() {
                if many.len() <= most && !many.contains_key(name) {
                    many.extend(values::valid(self.sample.document, property, None).map(|value| (name.clone(), value)));
                }
            }
            let more = (0..=most).map(|number| (format!("more{number}"), json!("x")));
            let missing = (most + 1).saturating_sub(many.len());
            many.extend(more.take(missing));
            self.put(Constraint::MaxProperties, "too-many", place, many.into(), "maxProperties");
        }
    }

    fn edges_of_object(&mut self, schema: &Value, place: &Place, given: &Value, required: &[&str]) {
        let optional = |name: &&String| !required.contains(&name.as_str());
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        for name in properties.keys().filter(optional) {
            let below = place.below(name, &format!("properties/{}", token(name)));
            if given.get(name).is_some() {
                let change = Change::Body(below.pointer.clone(), None);
                let constraint =
                    if properties[name].get("default").is_some() { Constraint::Default } else { Constraint::Optional };
                self.add(
                    constraint,
                    "absent",
                    &below,
                    change,
                    if constraint == Constraint::Default { "default" } else { "" },
                );
            }
        }
        let at = |name: &str| format!("{}/{}", place.pointer, token(name));
        let drop_optional = |kept: Option<&String>| {
            let names = given.as_object().into_iter().flatten().map(|(name, _)| name);
            let dropped = names.filter(|name| !required.contains(&name.as_str()) && Some(*name) != kept);
            dropped.map(|name| Change::Body(at(name), None)).collect::<Vec<_>>()
        };
        let few = drop_optional(None);
        if !few.is_empty() {
            self.add_all(Constraint::Optional, "only-required", place, few, "required");
        }
        let made = |name: &String, property: &Value| {
            let value = given.get(name).cloned().or_else(|| values::valid(self.sample.document, property, None))?;
            Some(Change::Ensure(at(name), value))
        };
        let missing = properties.iter().filter(|(name, _)| given.get(name).is_none());
        let all: Vec<Change> = missing.filter_map(|(name, property)| made(name, property)).collect();
        let alone: Vec<(&String, Change)> =
            properties.iter().filter_map(|(name, property)| Some((name, made(name, property)?))).collect();
        // what is not closed is open
        let open = schema
            .get("additionalProperties")
            .filter(|more| more.is_object())
            .cloned()
            .unwrap_or(json!({ "type": "string" }));
        if schema["additionalProperties"] != false
            && schema["type"] == "object"
            && let Some(value) = values::valid(self.sample.document, &open, None)
        {
            let change = Change::Body(at("nonsense"), Some(value));
            self.add(Constraint::AdditionalProperties, "one-more", place, change, "additionalProperties");
        }
        if !all.is_empty() {
            self.add_all(Constraint::Optional, "all", place, all, "properties");
        }
        if schema["minProperties"].as_u64() == Some(1) && required.is_empty() {
            for (name, ensured) in alone {
                let changes = drop_optional(Some(name)).into_iter().chain([ensured]).collect();
                self.add_all(Constraint::MinProperties, name, place, changes, "minProperties");
            }
        }
    }

    fn array(&mut self, schema: &Value, place: &Place, given: &[Value]) {
        let document = self.sample.document;
        let count = |key: &str| schema[key].as_u64().and_then(|count| usize::try_from(count).ok());
        let of = |count: usize| -> Option<Value> {
            let mut wanted = schema.clone();
            for key in ["minItems", "maxItems", "example", "default"] {
                wanted.as_object_mut()?.shift_remove(key);
            }
            wanted["minItems"] = json!(count);
            if count == 0 { Some(json!([])) } else { values::valid(document, &wanted, None) }
        };
        let (least, most) = (count("minItems"), count("maxItems").filter(|most| *most < 10_000));
        let counts = match self.side {
            Side::Inside => [least.or(Some(0)), most],
            Side::Outside => [least.and_then(|least| least.checked_sub(1)), most.map(|most| most + 1)],
        };
        let labels = if self.side == Side::Inside { ["fewest", "most"] } else { ["too-few", "too-many"] };
        let kinds = [(Constraint::MinItems, labels[0], "minItems"), (Constraint::MaxItems, labels[1], "maxItems")];
        for (count, (constraint, label, keyword)) in counts.into_iter().zip(kinds) {
            if let Some(list) = count.and_then(of) {
                self.put(constraint, label, place, list, keyword);
            }
        }
        let Some(first) = given.first().cloned().or_else(|| values::valid(document, &schema["items"], None)) else {
            return;
        };
        if self.side == Side::Outside && schema["uniqueItems"] == true {
            let twice: Vec<Value> = given.iter().cloned().chain([first.clone()]).collect();
            let twice = if given.is_empty() { vec![first.clone(), first.clone()] } else { twice };
            // one item less, so that it is not too many
            let twice = if most.is_some_and(|most| twice.len() > most) { twice[1..].to_vec() } else { twice };
            self.put(Constraint::UniqueItems, "twice", place, twice.into(), "uniqueItems");
        }
        let mut below = place.below("0", "items");
        below.before.push(Change::Ensure(below.pointer.clone(), first.clone()));
        self.value(&schema["items"], &below, &first);
    }
}

/// The schema without null.
fn not_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema.as_object_mut().map(|map| map.shift_remove("nullable"));
    schema
}

/// The names of the properties that a value may have by a schema.
pub fn names(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Unnamed;

    /// Whether the changed sample breaks the schema only where it is meant to.
    fn stray(sample: Sample<'_>, variant: &Variant) -> Vec<String> {
        let mut value = sample.value.clone();
        variant.changes.iter().for_each(|change| edit(&mut value, change));
        let faults = sample.document.judge(sample.schema, Unnamed::Allowed, &value);
        let parent = variant.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        let near = |pointer: &str| {
            pointer == parent || pointer.starts_with(&variant.pointer) || variant.pointer.starts_with(pointer)
        };
        faults.into_iter().filter(|fault| !near(&fault.pointer)).map(|fault| fault.sentence).collect()
    }

    fn found(schema: Value, value: Value, side: Side) -> Vec<String> {
        let document = Document::parse("{ openapi: 3.0.3, paths: {} }".into()).unwrap();
        let owned = ["id".to_owned()];
        let sample =
            Sample { document: &document, schema: &schema, at: "", value: &value, form: Form::Json, owned: &owned };
        let variants = variants(sample, side);
        if side == Side::Outside {
            for variant in &variants {
                assert_eq!(stray(sample, variant), Vec::<String>::new(), "{variant:?}");
            }
        }
        let name = |variant: Variant| format!("{} {} {}", variant.pointer, variant.constraint.word(), variant.label);
        variants.into_iter().map(name).collect()
    }

    fn has(found: &[String], names: &[&str]) {
        for name in names {
            assert!(found.iter().any(|other| other == name), "{name} is not in {found:#?}");
        }
    }

    #[test]
    fn objects_and_lists_in_objects_are_broken_part_by_part() {
        let item = json!({ "type": "object", "additionalProperties": false, "required": ["name"],
            "properties": { "name": { "type": "string", "minLength": 2 }, "size": { "type": "integer", "maximum": 3 } } });
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["tags"], "properties": {
            "tags": { "type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": item },
            "address": { "type": "object", "maxProperties": 1, "properties": { "city": { "type": "string", "nullable": true } } } } });
        let value = json!({ "tags": [{ "name": "ab" }] });
        let outside = found(schema.clone(), value.clone(), Side::Outside);
        has(
            &outside,
            &[
                "/tags required missing",
                "/tags minItems too-few",
                "/tags maxItems too-many",
                "/tags uniqueItems twice",
                "/tags/0/name minLength too-short",
                "/tags/0/name required missing",
                "/tags/0/nonsense additionalProperties nonsense",
                "/tags/0/size maximum 4",
                "/address type digits",
                "/address maxProperties too-many",
                "/address/city type number",
                "/id serverOwned id",
            ],
        );
        let inside = found(schema, value, Side::Inside);
        has(
            &inside,
            &[
                "/tags/0/name minLength shortest",
                "/tags/0/size maximum largest",
                "/address/city nullable null",
                " optional all",
            ],
        );
    }

    #[test]
    fn maps_and_alternatives_are_walked_through() {
        let schema = json!({ "type": "object", "properties": {
            "scores": { "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } },
            "by": { "oneOf": [{ "type": "string", "maxLength": 3 }, { "type": "integer", "minimum": 1 }] } } });
        let value = json!({ "by": "ann", "scores": {} });
        let outside = found(schema.clone(), value.clone(), Side::Outside);
        has(&outside, &["/scores/more minimum -1", "/by maxLength too-long", "/by type boolean"]);
        has(
            &found(schema, value, Side::Inside),
            &["/by composition oneOf-1", " additionalProperties one-more", "/scores additionalProperties one-more"],
        );
    }

    #[test]
    fn a_change_has_at_least_one_property() {
        let schema = json!({ "type": "object", "minProperties": 1, "additionalProperties": false,
            "properties": { "a": { "type": "string" }, "b": { "type": "boolean" } } });
        has(&found(schema.clone(), json!({ "a": "x" }), Side::Outside), &[" minProperties too-few"]);
        has(&found(schema, json!({ "a": "x" }), Side::Inside), &[" minProperties a", " minProperties b"]);
    }
}
