//! Two schemas, as they count: what values they allow, and what generated code makes of them.

mod object;
mod union;
mod values;

use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::{Finding, Spot, Step};
use super::operation::lifecycle;
use super::rules::{self, Rule, Verdict};
use super::shape::{Shape, Word, takes};
use super::slot::{Pair, Slot, same};
use super::walk::{Role, Walk, word};
use union::Wrapped;

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
        walk.between(old, new, |walk| {
            names(walk, &one, &two);
            shapes(walk, (old, one), (new, two));
        });
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
    let pointer = |name: &str| format!("/components/schemas/{name}");
    let stays = |name: &String| walk.new.pointer(&pointer(name)).is_some();
    let was = |name: &String| walk.old.pointer(&pointer(name)).is_some();
    let is_known = old.name.iter().all(stays) && new.name.iter().all(was);
    let parts = |shape: &Shape<'_>| -> Vec<String> {
        shape.parts.iter().filter(|name| stays(name) && was(name)).cloned().collect()
    };
    let (old_parts, new_parts) = (parts(old), parts(new));
    match (&old.name, &new.name) {
        (Some(one), Some(two)) if !stays(one) && !was(two) => {
            let (old, new) = (Spot::with(&pointer(one), one.as_str()), Spot::with(&pointer(two), two.as_str()));
            walk.tell(&rules::SCHEMA_RENAMED, old, new);
        }
        (one, two) if one != two && is_known => {
            let spot =
                |shape: &Shape<'_>| Spot { pointer: shape.pointer.clone(), value: shape.name.clone().map(Value::from) };
            walk.tell(&rules::SCHEMA_REFERENCE_CHANGED, spot(old), spot(new));
        }
        // a name that is new, or gone, is told by itself
        (one, two) if one == two && old_parts != new_parts => {
            let (old, new) = (Spot::with(&old.pointer, old_parts), Spot::with(&new.pointer, new_parts));
            walk.tell(&rules::SCHEMA_REFERENCE_CHANGED, old, new);
        }
        _ => {}
    }
}

/// Texts and the names of types do not change which values are allowed.
fn does_not_count(finding: &Finding) -> bool {
    let names = [rules::SCHEMA_RENAMED.name, rules::SCHEMA_REFERENCE_CHANGED.name];
    finding.verdict == Verdict::Wording || names.contains(&finding.rule.name)
}

/// Do both allow the same?
fn alike<'a>(walk: &mut Walk<'a>, old: &[Slot<'a>], new: &[Slot<'a>]) -> bool {
    walk.probe(|walk| schemas(walk, old, new)).iter().all(does_not_count)
}

type Side<'s, 'a> = (&'s [Slot<'a>], Shape<'a>);

fn shapes<'a>(walk: &mut Walk<'a>, (old_slots, mut old): Side<'_, 'a>, (new_slots, mut new): Side<'_, 'a>) {
    match (old.union.take(), new.union.take()) {
        (None, None) => {}
        (Some(one), Some(two)) => {
            union::compare(walk, &one, &two);
            union::discriminator(walk, &mut old, &mut new);
        }
        (None, Some(union)) if union::unwrap(walk, old_slots, &union, &mut new, Wrapped::Now) => {}
        (Some(union), None) if union::unwrap(walk, new_slots, &union, &mut old, Wrapped::Before) => {}
        _ => return,
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
        values::compare(walk, &mut old, &mut new);
        let role = walk.role.inside();
        walk.acting(role, |walk| {
            object::compare(walk, &mut old, &mut new);
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
        Some(types) if types.is_empty() => Spot::with(&shape.types_pointer, "none"),
        Some(types) => Spot::with(&shape.types_pointer, types.join(" or ")),
    };
    walk.tell(rule, spot(old), spot(new));
    types
}

/// The schema of a list's entries, or of an object's other values.
fn inner<'a>(walk: &mut Walk<'a>, key: &str, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let pair = words(old, new, key).slots();
    walk.within(Step::Field("*".into()), |walk| compare(walk, &pair));
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
