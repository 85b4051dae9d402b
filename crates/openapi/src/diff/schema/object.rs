//! Objects: which properties they have, which of those must be there, and who may send or receive them.

use serde_json::Value;

use super::{alike, schemas, words};
use crate::diff::finding::{Spot, Step};
use crate::diff::rules;
use crate::diff::shape::Shape;
use crate::diff::slot::{Slot, joined, unambiguous};
use crate::diff::walk::{Role, Walk};

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

/// The properties of an object, and what else it takes.
pub fn compare<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    properties(walk, old, new);
    additional_properties(walk, old, new);
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
    let (was_closed, closed) = (is_closed(old), is_closed(new));
    for (name, property) in sides.removed {
        let rule = match (walk.is_sent(), closed, property.required) {
            (true, true, _) => &rules::REQUEST_PROPERTY_REMOVED,
            (true, false, _) => &rules::REQUEST_PROPERTY_NO_LONGER_READ,
            (false, _, true) => &rules::RESPONSE_REQUIRED_PROPERTY_REMOVED,
            (false, _, false) => &rules::RESPONSE_OPTIONAL_PROPERTY_REMOVED,
        };
        let idle = is_idle(walk, &Shape::of(walk.old, &property.slots));
        walk.within(Step::Field(name.to_owned()), |walk| {
            walk.idling(idle, |walk| walk.tell(rule, &property.slots[0], Spot::bare(&new.pointer)));
        });
    }
    for (name, property) in sides.added {
        let rule = match (walk.is_sent(), property.required) {
            (true, true) => &rules::NEW_REQUIRED_REQUEST_PROPERTY,
            (true, false) => &rules::NEW_OPTIONAL_REQUEST_PROPERTY,
            (false, _) if was_closed => &rules::RESPONSE_PROPERTY_ADDED_TO_CLOSED_OBJECT,
            (false, true) => &rules::RESPONSE_REQUIRED_PROPERTY_ADDED,
            (false, false) => &rules::RESPONSE_OPTIONAL_PROPERTY_ADDED,
        };
        let idle = is_idle(walk, &Shape::of(walk.new, &property.slots));
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
fn is_idle(walk: &Walk<'_>, shape: &Shape<'_>) -> bool {
    let key = if walk.is_sent() { "readOnly" } else { "writeOnly" };
    walk.role != Role::Shared && says(shape, key, true)
}

/// Is this keyword written with this value?
fn says(shape: &Shape<'_>, key: &str, value: bool) -> bool {
    shape.words.iter().any(|word| word.key == key && *word.value == Value::Bool(value))
}

fn property<'a>(walk: &mut Walk<'a>, old: &Property<'a>, new: &Property<'a>) {
    let (mut one, mut two) = (Shape::of(walk.old, &old.slots), Shape::of(walk.new, &new.slots));
    let idle = is_idle(walk, &one) || is_idle(walk, &two);
    mutability(walk, &mut one, &mut two, new.required);
    walk.idling(idle, |walk| {
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
fn mutability<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>, required: bool) {
    let sent = walk.is_sent();
    for (key, became, became_not) in [
        ("readOnly", &rules::PROPERTY_BECAME_READ_ONLY, &rules::PROPERTY_BECAME_NOT_READ_ONLY),
        ("writeOnly", &rules::PROPERTY_BECAME_WRITE_ONLY, &rules::PROPERTY_BECAME_NOT_WRITE_ONLY),
    ] {
        let words = words(old, new, key);
        match words.slots().flags() {
            (false, true) => words.tell(walk, became),
            // now it must be sent
            (true, false) if sent && key == "readOnly" && required => {
                words.tell(walk, &rules::NEW_REQUIRED_REQUEST_PROPERTY);
            }
            (true, false) => words.tell(walk, became_not),
            _ => {}
        }
    }
}

const KEY: &str = "additionalProperties";

/// Does the object take no properties but those it names?
fn is_closed(shape: &Shape<'_>) -> bool {
    says(shape, KEY, false)
}

fn additional_properties<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    match (is_closed(old), is_closed(new)) {
        (false, true) => words(old, new, KEY).tell(walk, &rules::ADDITIONAL_PROPERTIES_CLOSED),
        (true, false) => words(old, new, KEY).tell(walk, &rules::ADDITIONAL_PROPERTIES_OPENED),
        (true, true) => drop(words(old, new, KEY)),
        (false, false) => super::inner(walk, KEY, old, new),
    }
}
