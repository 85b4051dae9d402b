//! Which plain values a schema allows, and which one stands for what is left out.

use serde_json::Value;

use super::{Words, words};
use crate::diff::finding::Spot;
use crate::diff::rules::{self, Rule};
use crate::diff::shape::{Bound, Shape, Word};
use crate::diff::slot::same;
use crate::diff::walk::Walk;

/// The format, the bounds, the pattern, the listed values and the default.
pub fn compare<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    format(walk, old, new);
    bounds(walk, old, new);
    listed(walk, old, new);
    default(walk, old, new);
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
        let spot = |bound: Option<Bound>, shape: &Shape<'_>| match bound {
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

fn listed<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
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
