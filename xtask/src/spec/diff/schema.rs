//! Two schemas, as they count: what values they allow, and what generated code makes of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::{Finding, Spot, Step};
use super::operation::lifecycle;
use super::rules::{self, Rule, Verdict};
use super::shape::{Shape, Union, Word, takes};
use super::slot::{Pair, Slot, joined, same, unambiguous};
use super::walk::{Role, Walk, word};

/// Compares two schemas; where there is none, anything is allowed.
pub fn compare<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    if pair.old.is_some() || pair.new.is_some() {
        schemas(walk, std::slice::from_ref(&pair.old), std::slice::from_ref(&pair.new));
    }
}

/// Compares two schemas, each written in one or more places.
fn schemas<'a>(walk: &mut Walk<'a>, old: &[Slot<'a>], new: &[Slot<'a>]) {
    walk.visit(identity(walk.old, old), identity(walk.new, new), |walk| {
        let (one, two) = (Shape::of(walk.old, old), Shape::of(walk.new, new));
        if unresolved(walk, &one, &two) {
            return;
        }
        names(walk, &one, &two);
        shapes(walk, (old, one), (new, two));
    });
}

/// What tells a schema from all others: where it is written, behind references.
fn identity<'a>(document: &'a Value, slots: &[Slot<'a>]) -> String {
    let one = |slot: &Slot<'a>| match (slot.value, slot.entries().len()) {
        (None, _) => format!("{}?", slot.pointer),
        (_, 1) => slot.resolved(document).map_or_else(|broken| broken.pointer, |slot| slot.pointer),
        _ => slot.pointer.clone(),
    };
    slots.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// References that lead nowhere on one side only: what they would have said cannot be compared.
fn unresolved(walk: &mut Walk<'_>, old: &Shape<'_>, new: &Shape<'_>) -> bool {
    let texts = |shape: &Shape<'_>| shape.unresolved.iter().map(|slot| slot.value.cloned()).collect::<Vec<_>>();
    if texts(old) == texts(new) {
        return false;
    }
    let spot = |shape: &Shape<'_>| shape.unresolved.first().map_or(Spot::bare(&shape.pointer), Spot::from);
    walk.tell(&rules::REFERENCE_UNRESOLVED, spot(old), spot(new));
    true
}

/// The name of a shared schema is the name of a type in generated code.
fn names(walk: &mut Walk<'_>, old: &Shape<'_>, new: &Shape<'_>) {
    if old.name == new.name {
        return;
    }
    let pointer = |name: &str| format!("/components/schemas/{name}");
    let exists = |document: &Value, name: &Option<String>| {
        name.as_deref().is_none_or(|name| document.pointer(&pointer(name)).is_some())
    };
    let (stays, was) = (exists(walk.new, &old.name), exists(walk.old, &new.name));
    match (&old.name, &new.name) {
        (Some(one), Some(two)) if !stays && !was => {
            let (old, new) = (Spot::with(&pointer(one), one.as_str()), Spot::with(&pointer(two), two.as_str()));
            walk.tell(&rules::SCHEMA_RENAMED, old, new);
        }
        (one, two) if stays && was => {
            let spot = |name: &Option<String>, shape: &Shape<'_>| match name {
                Some(name) => Spot::with(&shape.pointer, name.as_str()),
                None => Spot::bare(&shape.pointer),
            };
            walk.tell(&rules::SCHEMA_REFERENCE_CHANGED, spot(one, old), spot(two, new));
        }
        // that the name is new, or gone, is told by itself
        _ => {}
    }
}

fn is_about_names(finding: &Finding) -> bool {
    [rules::SCHEMA_RENAMED.name, rules::SCHEMA_REFERENCE_CHANGED.name].contains(&finding.rule.name)
}

/// Do both allow the same, texts and names aside?
fn alike<'a>(walk: &mut Walk<'a>, old: &[Slot<'a>], new: &[Slot<'a>]) -> bool {
    let found = walk.probe(|walk| schemas(walk, old, new));
    found.iter().all(|finding| finding.verdict == Verdict::Wording || is_about_names(finding))
}

type Side<'s, 'a> = (&'s [Slot<'a>], Shape<'a>);

fn shapes<'a>(walk: &mut Walk<'a>, (old_slots, mut old): Side<'_, 'a>, (new_slots, mut new): Side<'_, 'a>) {
    match (old.union.take(), new.union.take()) {
        (None, None) => {}
        (Some(one), Some(two)) => {
            unions(walk, &one, &two);
            discriminator(walk, &mut old, &mut new);
        }
        (None, Some(union)) => return wrapped(walk, old_slots, &union, Wrapped::Now),
        (Some(union), None) => return wrapped(walk, new_slots, &union, Wrapped::Before),
    }
    nullable(walk, &old, &new);
    let types = types(walk, &old, &new);
    if types != Types::Same {
        // the format goes with the type
        old.take("format");
        new.take("format");
    }
    if types == Types::Changed {
        // so do bounds, values and parts; texts and extensions stay
        let of_type = |word: &Word<'_>| word_rule(word.key).is_none();
        old.words.retain(|word| !of_type(word));
        new.words.retain(|word| !of_type(word));
    } else {
        format(walk, &mut old, &mut new);
        bounds(walk, &mut old, &mut new);
        values(walk, &mut old, &mut new);
        default(walk, &mut old, &mut new);
        let role = walk.role.inside();
        walk.acting(role, |walk| {
            properties(walk, &old, &new);
            additional_properties(walk, &mut old, &mut new);
            inner(walk, "items", &mut old, &mut new);
        });
    }
    let flag = words(&mut old, &mut new, "deprecated").slots();
    let sunset = words(&mut old, &mut new, "x-sunset").slots();
    lifecycle(walk, &flag, &sunset, [&rules::DEPRECATED, &rules::DEPRECATED, &rules::REACTIVATED]);
    remaining(walk, old, new);
}

/// The same keyword on both sides, and where it is or would be.
struct Words<'a> {
    old: Option<Word<'a>>,
    new: Option<Word<'a>>,
    old_pointer: String,
    new_pointer: String,
}

fn words<'a>(old: &mut Shape<'a>, new: &mut Shape<'a>, key: &str) -> Words<'a> {
    let (one, two) = (old.take(key), new.take(key));
    let pointer = |word: &Option<Word<'_>>, shape: &Shape<'_>| {
        word.as_ref().map_or_else(|| shape.pointer.clone(), |word| word.pointer.clone())
    };
    Words { old_pointer: pointer(&one, old), new_pointer: pointer(&two, new), old: one, new: two }
}

impl<'a> Words<'a> {
    fn values(&self) -> (Option<&Value>, Option<&Value>) {
        (self.old.as_ref().map(|word| &*word.value), self.new.as_ref().map(|word| &*word.value))
    }

    fn is_same(&self) -> bool {
        match self.values() {
            (Some(old), Some(new)) => same(old, new),
            (old, new) => old.is_none() && new.is_none(),
        }
    }

    fn tell(&self, walk: &mut Walk<'_>, rule: &'static Rule) {
        let (old, new) = self.values();
        let spot = |pointer: &str, value: Option<&Value>| Spot { pointer: pointer.to_owned(), value: value.cloned() };
        walk.tell(rule, spot(&self.old_pointer, old), spot(&self.new_pointer, new));
    }

    /// By one of three rules: only new, only old, different.
    fn tell_by(&self, walk: &mut Walk<'_>, [added, removed, changed]: [&'static Rule; 3]) {
        match self.values() {
            (None, Some(_)) => self.tell(walk, added),
            (Some(_), None) => self.tell(walk, removed),
            _ if !self.is_same() => self.tell(walk, changed),
            _ => {}
        }
    }

    /// As they are written.
    fn slots(&self) -> Pair<'a> {
        let slot = |word: &Option<Word<'a>>, pointer: &str| Slot {
            value: word.as_ref().and_then(Word::written),
            pointer: pointer.to_owned(),
        };
        Pair { old: slot(&self.old, &self.old_pointer), new: slot(&self.new, &self.new_pointer) }
    }
}

fn nullable(walk: &mut Walk<'_>, old: &Shape<'_>, new: &Shape<'_>) {
    let rule = match (old.nullable, new.nullable) {
        (false, true) => &rules::BECAME_NULLABLE,
        (true, false) => &rules::BECAME_NOT_NULLABLE,
        _ => return,
    };
    let spot = |shape: &Shape<'_>| Spot::with(&shape.nullable_pointer, shape.nullable);
    walk.tell(rule, spot(old), spot(new));
}

#[derive(PartialEq)]
enum Types {
    Same,
    Wider,
    Narrower,
    Changed,
}

fn types(walk: &mut Walk<'_>, old: &Shape<'_>, new: &Shape<'_>) -> Types {
    let is_text = matches!(walk.role, Role::RequestParameter | Role::ResponseHeader);
    let holds = |one: &Option<BTreeSet<&str>>, other: &Option<BTreeSet<&str>>| match (one, other) {
        (None, _) => true,
        (Some(_), None) => false,
        // outside of bodies every plain value is written as text
        (Some(one), Some(other)) => other
            .iter()
            .all(|name| takes(one, name) || (is_text && one.contains("string") && !["array", "object"].contains(name))),
    };
    let (types, rule) = match (holds(&new.types, &old.types), holds(&old.types, &new.types)) {
        (true, true) => return Types::Same,
        (true, _) => (Types::Wider, &rules::TYPE_GENERALIZED),
        (_, true) => (Types::Narrower, &rules::TYPE_SPECIALIZED),
        _ => (Types::Changed, &rules::TYPE_CHANGED),
    };
    let spot = |shape: &Shape<'_>| match shape.types.as_ref().map(|types| types.iter().copied().collect::<Vec<_>>()) {
        None => Spot::bare(&shape.types_pointer),
        Some(types) => Spot::with(&shape.types_pointer, types.join(" or ")),
    };
    walk.tell(rule, spot(old), spot(new));
    types
}

fn format<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let words = words(old, new, "format");
    if words.is_same() {
        return;
    }
    let name = |value: Option<&Value>| value.map(|value| value.as_str().unwrap_or_default().to_owned());
    let (one, two) = words.values();
    let narrower = match (name(one).as_deref(), name(two).as_deref()) {
        // what the type says anyway, or what only people see
        (None, Some("int64" | "float" | "double" | "password")) => Some(false),
        (None, Some(_)) | (Some("int64"), Some("int32")) | (Some("double"), Some("float")) => Some(true),
        (Some("password"), _) | (_, None | Some("password")) => Some(false),
        (Some("int32"), Some("int64")) | (Some("float"), Some("double")) => Some(false),
        _ => None,
    };
    let rule = match narrower {
        Some(true) if walk.is_sent() => &rules::FORMAT_NARROWED,
        Some(_) => &rules::FORMAT_CHANGED,
        None => &rules::FORMAT_REPLACED,
    };
    words.tell(walk, rule);
}

/// A bound and its rules: set, unset, stricter, looser.
struct Limit {
    keyword: &'static str,
    exclusive: &'static str,
    upper: bool,
    rules: [&'static Rule; 4],
}

const LIMITS: [Limit; 8] = [
    Limit {
        keyword: "maximum",
        exclusive: "exclusiveMaximum",
        upper: true,
        rules: [&rules::MAX_SET, &rules::MAX_UNSET, &rules::MAX_DECREASED, &rules::MAX_INCREASED],
    },
    Limit {
        keyword: "minimum",
        exclusive: "exclusiveMinimum",
        upper: false,
        rules: [&rules::MIN_SET, &rules::MIN_UNSET, &rules::MIN_INCREASED, &rules::MIN_DECREASED],
    },
    Limit {
        keyword: "maxLength",
        exclusive: "",
        upper: true,
        rules: [
            &rules::MAX_LENGTH_SET,
            &rules::MAX_LENGTH_UNSET,
            &rules::MAX_LENGTH_DECREASED,
            &rules::MAX_LENGTH_INCREASED,
        ],
    },
    Limit {
        keyword: "minLength",
        exclusive: "",
        upper: false,
        rules: [
            &rules::MIN_LENGTH_SET,
            &rules::MIN_LENGTH_UNSET,
            &rules::MIN_LENGTH_INCREASED,
            &rules::MIN_LENGTH_DECREASED,
        ],
    },
    Limit {
        keyword: "maxItems",
        exclusive: "",
        upper: true,
        rules: [
            &rules::MAX_ITEMS_SET,
            &rules::MAX_ITEMS_UNSET,
            &rules::MAX_ITEMS_DECREASED,
            &rules::MAX_ITEMS_INCREASED,
        ],
    },
    Limit {
        keyword: "minItems",
        exclusive: "",
        upper: false,
        rules: [
            &rules::MIN_ITEMS_SET,
            &rules::MIN_ITEMS_UNSET,
            &rules::MIN_ITEMS_INCREASED,
            &rules::MIN_ITEMS_DECREASED,
        ],
    },
    Limit {
        keyword: "maxProperties",
        exclusive: "",
        upper: true,
        rules: [
            &rules::MAX_PROPERTIES_SET,
            &rules::MAX_PROPERTIES_UNSET,
            &rules::MAX_PROPERTIES_DECREASED,
            &rules::MAX_PROPERTIES_INCREASED,
        ],
    },
    Limit {
        keyword: "minProperties",
        exclusive: "",
        upper: false,
        rules: [
            &rules::MIN_PROPERTIES_SET,
            &rules::MIN_PROPERTIES_UNSET,
            &rules::MIN_PROPERTIES_INCREASED,
            &rules::MIN_PROPERTIES_DECREASED,
        ],
    },
];

fn bounds<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    for limit in &LIMITS {
        // a length or a count is never below zero
        let says = |shape: &mut Shape<'a>| {
            let bound = shape.take_bound(limit.keyword, limit.exclusive, limit.upper);
            let counts = limit.exclusive.is_empty() && !limit.upper;
            bound.filter(|bound| !(counts && bound.number.as_f64() == Some(0.0)))
        };
        let (one, two) = (says(old), says(new));
        let rule = match (&one, &two) {
            (None, None) => continue,
            (None, Some(_)) => limit.rules[0],
            (Some(_), None) => limit.rules[1],
            (Some(one), Some(two)) if one.is_same(two) => continue,
            (Some(one), Some(two)) if two.is_stricter(one, limit.upper) => limit.rules[2],
            _ => limit.rules[3],
        };
        let spot = |bound: Option<super::shape::Bound>, shape: &Shape<'_>| match bound {
            Some(bound) => Spot::with(&bound.pointer, bound.shown(limit.upper)),
            None => Spot::bare(&shape.pointer),
        };
        walk.tell(rule, spot(one, old), spot(two, new));
    }
    let pattern = [&rules::PATTERN_ADDED, &rules::PATTERN_REMOVED, &rules::PATTERN_CHANGED];
    words(old, new, "pattern").tell_by(walk, pattern);
    multiple_of(walk, &words(old, new, "multipleOf"));
    let unique = words(old, new, "uniqueItems");
    match unique.slots().flags() {
        (false, true) => unique.tell(walk, &rules::UNIQUE_ITEMS_SET),
        (true, false) => unique.tell(walk, &rules::UNIQUE_ITEMS_UNSET),
        _ => {}
    }
}

fn multiple_of(walk: &mut Walk<'_>, words: &Words<'_>) {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let (old, new) = words.values();
    let divides = number(old).zip(number(new)).is_some_and(|(old, new)| (old / new).fract() == 0.0);
    let changed = if divides { &rules::MULTIPLE_OF_GENERALIZED } else { &rules::MULTIPLE_OF_CHANGED };
    words.tell_by(walk, [&rules::MULTIPLE_OF_SET, &rules::MULTIPLE_OF_UNSET, changed]);
}

fn values<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    const GROWS: &str = "x-extensible-enum";
    let is_flag =
        |shape: &Shape<'_>| shape.words.iter().filter(|word| word.key == GROWS).all(|word| word.value.is_boolean());
    let mut grows = false;
    if is_flag(old) && is_flag(new) {
        let extensible = words(old, new, GROWS);
        let flags = extensible.slots().flags();
        grows = flags.0;
        match flags {
            (false, true) => extensible.tell(walk, &rules::ENUM_BECAME_EXTENSIBLE),
            (true, false) => extensible.tell(walk, &rules::ENUM_BECAME_CLOSED),
            _ => {}
        }
    }
    let words = words(old, new, "enum");
    let (Some(one), Some(two)) = (&words.old, &words.new) else {
        return words.tell_by(walk, [&rules::BECAME_ENUM, &rules::ENUM_UNSET, &rules::BECAME_ENUM]);
    };
    for (value, pointer) in only_in(one, two) {
        walk.tell(&rules::ENUM_VALUE_REMOVED, Spot::with(&pointer, value), Spot::bare(&two.pointer));
    }
    let added = if grows { &rules::EXTENSIBLE_ENUM_VALUE_ADDED } else { &rules::ENUM_VALUE_ADDED };
    for (value, pointer) in only_in(two, one) {
        walk.tell(added, Spot::bare(&one.pointer), Spot::with(&pointer, value));
    }
}

/// The values that only one list has, and where they are written.
fn only_in(one: &Word<'_>, other: &Word<'_>) -> Vec<(Value, String)> {
    let list = |word: &Word<'_>| word.value.as_array().cloned().unwrap_or_default();
    let others = list(other);
    let entries = list(one).into_iter().enumerate();
    let only = entries.filter(|(_, value)| !others.iter().any(|other| same(value, other)));
    let is_list = one.written().is_some();
    only.map(|(index, value)| (value, if is_list { format!("{}/{index}", one.pointer) } else { one.pointer.clone() }))
        .collect()
}

fn default<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let rules = [&rules::DEFAULT_VALUE_ADDED, &rules::DEFAULT_VALUE_REMOVED, &rules::DEFAULT_VALUE_CHANGED];
    words(old, new, "default").tell_by(walk, rules);
}

/// A property on one side.
#[derive(Clone)]
struct Property<'a> {
    slots: Vec<Slot<'a>>,
    required: bool,
    /// Where it is said that it is required; else the object.
    required_pointer: String,
}

fn list<'a>(shape: &Shape<'a>) -> Vec<(&'a str, Property<'a>)> {
    let property = |name: &str, slots: Vec<Slot<'a>>| {
        let required = shape.required.get(name);
        let required_pointer = required.unwrap_or(&shape.pointer).clone();
        Property { slots, required: required.is_some(), required_pointer }
    };
    let described = shape.properties.iter().map(|(name, slots)| (*name, property(name, slots.clone())));
    let undescribed = shape.required.keys().filter(|name| shape.properties.iter().all(|(other, _)| other != *name));
    let anything = || vec![Slot { value: None, pointer: shape.pointer.clone() }];
    described.chain(undescribed.map(|name| (*name, property(name, anything())))).collect()
}

fn properties<'a>(walk: &mut Walk<'a>, old: &Shape<'a>, new: &Shape<'a>) {
    let mut sides = joined(list(old), list(new));
    for (name, old, new) in sides.kept {
        walk.within(Step::Field(name.to_owned()), |walk| property(walk, &old, &new));
    }
    let renamed = renamed(walk, &sides.removed, &sides.added);
    for (before, after) in renamed {
        let (one, two) = (take(&mut sides.removed, before), take(&mut sides.added, after));
        if let (Some(one), Some(two)) = (one, two) {
            walk.within(Step::Field(before.to_owned()), |walk| {
                let spot = |property: &Property<'_>, name: &str| Spot::with(&property.slots[0].pointer, name);
                walk.tell(&rules::PROPERTY_RENAMED, spot(&one, before), spot(&two, after));
                schemas(walk, &one.slots, &two.slots);
            });
        }
    }
    let closed = new.words.iter().any(|word| word.key == "additionalProperties" && *word.value == Value::Bool(false));
    for (name, property) in sides.removed {
        let rule = match (walk.is_sent(), closed, property.required) {
            (true, true, _) => &rules::REQUEST_PROPERTY_REMOVED,
            (true, false, _) => &rules::REQUEST_PROPERTY_NO_LONGER_READ,
            (false, _, true) => &rules::RESPONSE_REQUIRED_PROPERTY_REMOVED,
            (false, _, false) => &rules::RESPONSE_OPTIONAL_PROPERTY_REMOVED,
        };
        let idle = is_idle(walk, walk.old, &property);
        walk.within(Step::Field(name.to_owned()), |walk| {
            walk.idling(idle, |walk| walk.tell(rule, &property.slots[0], Spot::bare(&new.pointer)));
        });
    }
    for (name, property) in sides.added {
        let rule = match (walk.is_sent(), property.required) {
            (true, true) => &rules::NEW_REQUIRED_REQUEST_PROPERTY,
            (true, false) => &rules::NEW_OPTIONAL_REQUEST_PROPERTY,
            (false, true) => &rules::RESPONSE_REQUIRED_PROPERTY_ADDED,
            (false, false) => &rules::RESPONSE_OPTIONAL_PROPERTY_ADDED,
        };
        let idle = is_idle(walk, walk.new, &property);
        walk.within(Step::Field(name.to_owned()), |walk| {
            walk.idling(idle, |walk| walk.tell(rule, Spot::bare(&old.pointer), &property.slots[0]));
        });
    }
}

fn take<'a>(list: &mut Vec<(&'a str, Property<'a>)>, name: &str) -> Option<Property<'a>> {
    let index = list.iter().position(|(other, _)| *other == name)?;
    Some(list.remove(index).1)
}

type Properties<'a> = [(&'a str, Property<'a>)];

/// Properties that differ only in their names, each alike to exactly one.
fn renamed<'a>(walk: &mut Walk<'a>, removed: &Properties<'a>, added: &Properties<'a>) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![];
    for (before, old) in removed {
        for (after, new) in added {
            let described = old.slots[0].is_some() && new.slots[0].is_some();
            if described && old.required == new.required && alike(walk, &old.slots, &new.slots) {
                pairs.push((*before, *after));
            }
        }
    }
    unambiguous(&pairs)
}

/// A property that callers do not send because it is read only, or do not receive because it is write only.
fn is_idle<'a>(walk: &Walk<'a>, document: &'a Value, property: &Property<'a>) -> bool {
    let key = if walk.is_sent() { "readOnly" } else { "writeOnly" };
    flag(&mut Shape::of(document, &property.slots), key)
}

fn flag(shape: &mut Shape<'_>, key: &str) -> bool {
    shape.take(key).is_some_and(|word| *word.value == Value::Bool(true))
}

fn property<'a>(walk: &mut Walk<'a>, old: &Property<'a>, new: &Property<'a>) {
    let idle = (is_idle(walk, walk.old, old), is_idle(walk, walk.new, new));
    mutability(walk, old, new);
    walk.idling(walk.role != Role::Shared && (idle.0 || idle.1), |walk| {
        let word = |property: &Property<'_>| if property.required { "required" } else { "optional" };
        let spot = |property: &Property<'_>| Spot::with(&property.required_pointer, word(property));
        match (old.required, new.required) {
            (false, true) => walk.tell(&rules::PROPERTY_BECAME_REQUIRED, spot(old), spot(new)),
            (true, false) => walk.tell(&rules::PROPERTY_BECAME_OPTIONAL, spot(old), spot(new)),
            _ => {}
        }
        schemas(walk, &old.slots, &new.slots);
    });
}

/// Whether callers may only read it, or only write it.
fn mutability<'a>(walk: &mut Walk<'a>, old: &Property<'a>, new: &Property<'a>) {
    let (mut one, mut two) = (Shape::of(walk.old, &old.slots), Shape::of(walk.new, &new.slots));
    let sent = walk.is_sent();
    for (key, became, became_not) in [
        ("readOnly", &rules::PROPERTY_BECAME_READ_ONLY, &rules::PROPERTY_BECAME_NOT_READ_ONLY),
        ("writeOnly", &rules::PROPERTY_BECAME_WRITE_ONLY, &rules::PROPERTY_BECAME_NOT_WRITE_ONLY),
    ] {
        let words = words(&mut one, &mut two, key);
        match words.slots().flags() {
            (false, true) => words.tell(walk, became),
            // now it must be sent
            (true, false) if sent && key == "readOnly" && new.required => {
                words.tell(walk, &rules::NEW_REQUIRED_REQUEST_PROPERTY);
            }
            (true, false) => words.tell(walk, became_not),
            _ => {}
        }
    }
}

fn additional_properties<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    const KEY: &str = "additionalProperties";
    let is_closed =
        |shape: &Shape<'_>| shape.words.iter().any(|word| word.key == KEY && *word.value == Value::Bool(false));
    match (is_closed(old), is_closed(new)) {
        (false, true) => words(old, new, KEY).tell(walk, &rules::ADDITIONAL_PROPERTIES_CLOSED),
        (true, false) => words(old, new, KEY).tell(walk, &rules::ADDITIONAL_PROPERTIES_OPENED),
        (true, true) => drop(words(old, new, KEY)),
        (false, false) => inner(walk, KEY, old, new),
    }
}

/// The schema of a list's entries, or of an object's other values.
fn inner<'a>(walk: &mut Walk<'a>, key: &str, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let pair = words(old, new, key).slots();
    walk.within(Step::Field("*".into()), |walk| compare(walk, &pair));
}

fn unions<'a>(walk: &mut Walk<'a>, old: &Union<'a>, new: &Union<'a>) {
    if old.keyword != new.keyword {
        let (old, new) = (Spot::with(&old.pointer, old.keyword), Spot::with(&new.pointer, new.keyword));
        walk.tell(&rules::UNION_KIND_CHANGED, old, new);
    }
    let by_name = |union: &Union<'a>| -> Vec<(String, Slot<'a>)> {
        union.alternatives.iter().map(|slot| (label(slot), slot.clone())).collect()
    };
    let sides = joined(by_name(old), by_name(new));
    let mut pairs: Vec<(String, Slot<'a>, Slot<'a>)> = sides.kept;
    let (mut removed, mut added) = (vec![], sides.added);
    for (name, one) in sides.removed {
        let twin = added.iter().position(|(_, two)| alike(walk, std::slice::from_ref(&one), std::slice::from_ref(two)));
        match twin {
            Some(index) => pairs.push((name, one, added.remove(index).1)),
            None => removed.push((name, one)),
        }
    }
    // one that is left on each side was changed in place
    if let ([(name, one)], [(_, two)]) = (&removed[..], &added[..])
        && !name.starts_with("#/")
    {
        pairs.push((name.clone(), one.clone(), two.clone()));
        (removed, added) = (vec![], vec![]);
    }
    for (name, one, two) in pairs {
        walk.within(alternative(&name), |walk| schemas(walk, &[one], &[two]));
    }
    for (name, one) in removed {
        walk.within(alternative(&name), |walk| walk.tell(&rules::ONE_OF_REMOVED, &one, Spot::bare(&new.pointer)));
    }
    for (name, two) in added {
        walk.within(alternative(&name), |walk| walk.tell(&rules::ONE_OF_ADDED, Spot::bare(&old.pointer), &two));
    }
}

/// What an alternative is called: its reference, else its place in the list.
fn label(slot: &Slot<'_>) -> String {
    match slot.key("$ref").text() {
        Some(reference) => reference.to_owned(),
        None => slot.value.map(Value::to_string).unwrap_or_default(),
    }
}

fn alternative(label: &str) -> Step {
    let name = label.rsplit('/').next().filter(|_| label.starts_with("#/")).unwrap_or("alternative");
    Step::Field(format!("({name})"))
}

/// On which side the alternatives are, where the other has one schema.
enum Wrapped {
    Before,
    Now,
}

/// One schema that became an alternative among others, or the only one left.
fn wrapped<'a>(walk: &mut Walk<'a>, plain: &[Slot<'a>], union: &Union<'a>, wrapped: Wrapped) {
    let twin = union.alternatives.iter().position(|slot| {
        let slot = std::slice::from_ref(slot);
        match wrapped {
            Wrapped::Now => alike(walk, plain, slot),
            Wrapped::Before => alike(walk, slot, plain),
        }
    });
    let (one, many) = (Spot::from(&plain[0]), Spot::with(&union.pointer, union.keyword));
    let Some(twin) = twin else {
        return match wrapped {
            Wrapped::Now => walk.tell(&rules::UNION_CHANGED, one, many),
            Wrapped::Before => walk.tell(&rules::UNION_CHANGED, many, one),
        };
    };
    for (_, slot) in union.alternatives.iter().enumerate().filter(|(index, _)| *index != twin) {
        let one = Spot::bare(&plain[0].pointer);
        walk.within(alternative(&label(slot)), |walk| match wrapped {
            Wrapped::Now => walk.tell(&rules::ONE_OF_ADDED, one, slot),
            Wrapped::Before => walk.tell(&rules::ONE_OF_REMOVED, slot, one),
        });
    }
}

/// The property that says which alternative a value is.
fn discriminator<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let words = words(old, new, "discriminator");
    match words.values() {
        (None, Some(_)) => return words.tell(walk, &rules::DISCRIMINATOR_ADDED),
        (Some(_), None) => return words.tell(walk, &rules::DISCRIMINATOR_REMOVED),
        _ => {}
    }
    let pair = words.slots();
    walk.each(&pair, &["propertyName"], &rules::DISCRIMINATOR_PROPERTY_NAME_CHANGED);
    let mapping = pair.key("mapping");
    let sides = joined(mapping.old.entries(), mapping.new.entries());
    for (_, one, two) in sides.kept {
        let pair = Pair { old: one, new: two };
        if !pair.is_same() {
            walk.tell_pair(&rules::DISCRIMINATOR_MAPPING_CHANGED, &pair);
        }
    }
    for (_, one) in sides.removed {
        walk.tell(&rules::DISCRIMINATOR_MAPPING_DELETED, &one, &mapping.new.absent());
    }
    for (_, two) in sides.added {
        walk.tell(&rules::DISCRIMINATOR_MAPPING_ADDED, &mapping.old.absent(), &two);
    }
    walk.rest(&pair, &["propertyName", "mapping"]);
}

/// Texts and extensions: what a type does not change.
fn word_rule(key: &str) -> Option<&'static Rule> {
    Some(word(key)).filter(|rule| rule.name != rules::UNKNOWN_KEYWORD_CHANGED.name)
}

/// Keywords of JSON Schema that restrict values, compared as they are written.
const CONSTRAINTS: [&str; 18] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "contentMediaType",
    "contentEncoding",
    "pattern",
];

/// All keywords that are left.
fn remaining<'a>(walk: &mut Walk<'a>, mut old: Shape<'a>, mut new: Shape<'a>) {
    // told where the property is
    for key in ["readOnly", "writeOnly"] {
        words(&mut old, &mut new, key);
    }
    while let Some(key) = old.words.first().or(new.words.first()).map(|word| word.key.to_owned()) {
        let words = words(&mut old, &mut new, &key);
        if CONSTRAINTS.contains(&key.as_str()) {
            let constraint = [&rules::CONSTRAINT_ADDED, &rules::CONSTRAINT_REMOVED, &rules::CONSTRAINT_CHANGED];
            words.tell_by(walk, constraint);
        } else if !words.is_same() {
            words.tell(walk, word(&key));
        }
    }
}
