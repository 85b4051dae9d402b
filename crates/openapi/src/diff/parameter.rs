//! Parameters of an operation, known by where they are sent and their name; and how a value is written, which
//! response headers share.

use super::finding::{Spot, Step};
use super::operation::{Endpoint, lifecycle, sunset_is_over};
use super::rules::{self, Rule, Verdict};
use super::slot::{Pair, Slot, joined, unambiguous};
use super::walk::{Role, Walk};
use super::{response, schema};

/// Where it is sent, and its name there: headers in lower case, path variables by their position.
type Key = (String, String);

/// The parameters of an operation and of its path.
pub fn all<'a>(walk: &mut Walk<'a>, old: &Endpoint<'a>, new: &Endpoint<'a>) {
    walk.acting(Role::RequestParameter, |walk| {
        let mut sides = joined(list(old, walk.old), list(new, walk.new));
        for (_, old, new) in sides.kept {
            let pair = Pair { old, new };
            walk.within(step(&pair.old), |walk| {
                if let Some(pair) = walk.resolved(&pair) {
                    parameter(walk, &pair);
                }
            });
        }
        for (before, after) in renamed(walk, &sides.removed, &sides.added) {
            let pair = Pair { old: take(&mut sides.removed, &before), new: take(&mut sides.added, &after) };
            let pair = behind_references(walk, &pair);
            walk.within(step(&pair.old), |walk| {
                walk.tell_pair(&rules::REQUEST_PARAMETER_RENAMED, &pair.key("name"));
                parameter(walk, &pair);
            });
        }
        let place = Pair { old: old.slot.absent(), new: new.slot.absent() };
        for (_, old) in sides.removed {
            let Pair { old, new } = behind_references(walk, &Pair { old, new: place.new.clone() });
            walk.within(step(&old), |walk| removed(walk, &old, &new));
        }
        for (_, new) in sides.added {
            let Pair { old, new } = behind_references(walk, &Pair { old: place.old.clone(), new });
            let required = new.key("required").flag();
            let rule =
                if required { &rules::NEW_REQUIRED_REQUEST_PARAMETER } else { &rules::NEW_OPTIONAL_REQUEST_PARAMETER };
            walk.within(step(&new), |walk| walk.tell(rule, &old, &new));
        }
    });
}

fn take<'a>(list: &mut Vec<(Key, Slot<'a>)>, key: &Key) -> Slot<'a> {
    let index = list.iter().position(|(other, _)| other == key).expect("the key was found in this list");
    list.remove(index).1
}

/// What references lead to; one that leads nowhere stays.
fn behind_references<'a>(walk: &Walk<'a>, pair: &Pair<'a>) -> Pair<'a> {
    let behind = |slot: &Slot<'a>, document| slot.resolved(document).unwrap_or(slot.clone());
    Pair { old: behind(&pair.old, walk.old), new: behind(&pair.new, walk.new) }
}

/// The parameters in effect, as they are written: those of the operation stand before those of its path.
fn list<'a>(endpoint: &Endpoint<'a>, document: &'a serde_json::Value) -> Vec<(Key, Slot<'a>)> {
    let mut list: Vec<(Key, Slot<'a>)> = vec![];
    let own = endpoint.slot.key("parameters").items();
    for slot in own.into_iter().chain(endpoint.item.key("parameters").items()) {
        let key = match slot.resolved(document) {
            Ok(parameter) => key(endpoint, &parameter),
            Err(reference) => ("$ref".to_owned(), reference.text().unwrap_or_default().to_owned()),
        };
        if list.iter().all(|(other, _)| *other != key) {
            list.push((key, slot));
        }
    }
    list
}

fn key(endpoint: &Endpoint<'_>, parameter: &Slot<'_>) -> Key {
    let text = |key: &str| parameter.key(key).text().unwrap_or_default().to_owned();
    let (location, name) = (text("in"), text("name"));
    let name = match location.as_str() {
        "header" => name.to_lowercase(),
        "path" => endpoint.variable(&name).map_or(name, |position| position.to_string()),
        _ => name,
    };
    (location, name)
}

fn step(parameter: &Slot<'_>) -> Step {
    let text = |key: &str| parameter.key(key).text().unwrap_or_default().to_owned();
    match parameter.key("$ref").text() {
        Some(reference) => Step::Parameter { location: "$ref".into(), name: reference.into() },
        None => Step::Parameter { location: text("in"), name: text("name") },
    }
}

/// Parameters of the same kind that differ only in their names, each alike to exactly one.
fn renamed<'a>(walk: &mut Walk<'a>, removed: &[(Key, Slot<'a>)], added: &[(Key, Slot<'a>)]) -> Vec<(Key, Key)> {
    let mut pairs = vec![];
    for (before, old) in removed {
        for (after, new) in added.iter().filter(|(after, _)| after.0 == before.0) {
            let pair = behind_references(walk, &Pair { old: old.clone(), new: new.clone() });
            let found = walk.probe(|walk| parameter(walk, &pair));
            if found.iter().all(|finding| finding.verdict == Verdict::Wording) {
                pairs.push((before, after));
            }
        }
    }
    unambiguous(&pairs).into_iter().map(|(before, after)| (before.clone(), after.clone())).collect()
}

fn removed<'a>(walk: &mut Walk<'a>, old: &Slot<'a>, place: &Slot<'a>) {
    let announced = old.key("deprecated").flag() && sunset_is_over(walk, old);
    let rule = match announced {
        true => &rules::REQUEST_PARAMETER_REMOVED_WITH_DEPRECATION,
        false => &rules::REQUEST_PARAMETER_REMOVED,
    };
    walk.tell(rule, old, place);
}

fn parameter<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let required = pair.key("required");
    match required.flags() {
        (false, true) => walk.tell_pair(&rules::REQUEST_PARAMETER_BECAME_REQUIRED, &required),
        (true, false) => walk.tell_pair(&rules::REQUEST_PARAMETER_BECAME_OPTIONAL, &required),
        _ => {}
    }
    let empty = pair.key("allowEmptyValue");
    match empty.flags() {
        (false, true) => walk.tell_pair(&rules::REQUEST_PARAMETER_EMPTY_VALUE_ALLOWED, &empty),
        (true, false) => walk.tell_pair(&rules::REQUEST_PARAMETER_EMPTY_VALUE_REFUSED, &empty),
        _ => {}
    }
    let reserved = pair.key("allowReserved");
    if reserved.old.flag() != reserved.new.flag() {
        walk.tell_pair(&rules::REQUEST_PARAMETER_ALLOW_RESERVED_CHANGED, &reserved);
    }
    let lives = [&rules::DEPRECATED, &rules::DEPRECATED, &rules::REACTIVATED];
    lifecycle(walk, &pair.key("deprecated"), &pair.key("x-sunset"), lives);
    let default = match pair.old.key("in").text() {
        Some("query" | "cookie") => "form",
        _ => "simple",
    };
    let (style, explode) = (&rules::REQUEST_PARAMETER_STYLE_CHANGED, &rules::REQUEST_PARAMETER_EXPLODE_CHANGED);
    value(walk, pair, default, [style, explode, &rules::REQUEST_PARAMETER_CONTENT_CHANGED]);
    const OWN: [&str; 5] = ["name", "in", "required", "allowEmptyValue", "allowReserved"];
    let known: Vec<&str> = OWN.into_iter().chain(VALUE).collect();
    walk.rest(pair, &known);
}

/// The keywords that [`value`] and [`lifecycle`] read.
pub const VALUE: [&str; 6] = ["style", "explode", "schema", "content", "deprecated", "x-sunset"];

/// How the value of a parameter or header is written, and its schema. Rules for: style, explode, plain or in a media
/// type.
pub fn value<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>, default_style: &str, rules: [&'static Rule; 3]) {
    let style = |slot: &Slot<'a>| slot.key("style").text().unwrap_or(default_style).to_owned();
    let explode = |slot: &Slot<'a>| {
        slot.key("explode").value.and_then(serde_json::Value::as_bool).unwrap_or(style(slot) == "form")
    };
    if style(&pair.old) != style(&pair.new) {
        let shown = |slot: &Slot<'a>| Spot::with(&slot.key("style").pointer, style(slot));
        walk.tell(rules[0], shown(&pair.old), shown(&pair.new));
    } else if explode(&pair.old) != explode(&pair.new) {
        let shown = |slot: &Slot<'a>| Spot::with(&slot.key("explode").pointer, explode(slot));
        walk.tell(rules[1], shown(&pair.old), shown(&pair.new));
    }
    let content = pair.key("content");
    if content.old.is_some() == content.new.is_some() {
        schema::compare(walk, &pair.key("schema"));
        response::content(walk, &content, rules[2], rules[2]);
    } else {
        let shown = |slot: &Slot<'a>| match slot.key("content") {
            content if content.is_some() => Spot::with(&content.pointer, "content"),
            _ => Spot::with(&slot.key("schema").pointer, "schema"),
        };
        walk.tell(rules[2], shown(&pair.old), shown(&pair.new));
    }
}
