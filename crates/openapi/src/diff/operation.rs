//! Paths and operations: matched by method and path, the names of path variables aside.

use super::finding::{Spot, Step};
use super::rules::{self, Rule};
use super::slot::{Joined, Pair, Slot, joined};
use super::walk::{Role, Walk};
use super::{api, parameter, response, security};
use crate::METHODS;

/// An operation and what its path says about it.
pub struct Endpoint<'a> {
    pub method: &'static str,
    pub path: String,
    /// Where the path is written.
    pub path_pointer: String,
    /// The path item: it may have parameters for all its operations.
    pub item: Slot<'a>,
    pub slot: Slot<'a>,
}

impl Endpoint<'_> {
    fn id(&self) -> Option<&str> {
        self.slot.key("operationId").text()
    }

    /// `{id}` in `/posts/{id}/votes/{vote}` is variable 0.
    pub fn variable(&self, name: &str) -> Option<usize> {
        variables(&self.path).iter().position(|variable| *variable == name)
    }

    fn spot(&self) -> Spot {
        Spot::with(&self.slot.pointer, format!("{} {}", self.method.to_uppercase(), self.path))
    }

    fn step(&self) -> Step {
        Step::Operation { method: self.method.to_uppercase(), path: self.path.clone() }
    }
}

/// The names in braces, in their order.
fn variables(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)).collect()
}

/// `/posts/{id}` → `/posts/{}`
fn template(path: &str) -> String {
    let mut parts = path.split('{');
    let mut template = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        template.push_str("{}");
        template.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    template
}

/// The paths of the document.
pub fn paths<'a>(walk: &mut Walk<'a>, paths: &Pair<'a>) {
    let list = |side: &Slot<'a>| -> Vec<(&'a str, Slot<'a>)> {
        side.entries().into_iter().filter(|(path, _)| path.starts_with('/')).collect()
    };
    let (old, new) = (list(&paths.old), list(&paths.new));
    let known: Vec<&str> = old.iter().chain(&new).map(|(path, _)| *path).collect();
    walk.rest(paths, &known);
    items(walk, old, new);
}

/// The requests that the server sends to those who registered (OpenAPI 3.1).
pub fn webhooks<'a>(walk: &mut Walk<'a>, webhooks: &Pair<'a>) {
    let sides = joined(webhooks.old.entries(), webhooks.new.entries());
    let step = |name: &str| Step::Callback(name.to_owned());
    came_and_went(walk, webhooks, &sides, step, &rules::WEBHOOK_ADDED, &rules::WEBHOOK_REMOVED);
    for (name, old, new) in sides.kept {
        walk.within(step(name), |walk| walk.swapped(|walk| items(walk, vec![(name, old)], vec![(name, new)])));
    }
}

/// Tells the names that only one side has.
pub fn came_and_went<'a>(
    walk: &mut Walk<'a>,
    pair: &Pair<'a>,
    sides: &Joined<&'a str, Slot<'a>>,
    step: impl Fn(&str) -> Step,
    added: &'static Rule,
    removed: &'static Rule,
) {
    for (name, old) in &sides.removed {
        walk.within(step(name), |walk| walk.tell(removed, old, &pair.new.absent()));
    }
    for (name, new) in &sides.added {
        walk.within(step(name), |walk| walk.tell(added, &pair.old.absent(), new));
    }
}

/// A path item, behind references.
struct Item<'a> {
    path: String,
    /// Where the path is written.
    pointer: String,
    slot: Slot<'a>,
}

impl<'a> Item<'a> {
    fn new((path, slot): (&str, Slot<'a>), document: &'a serde_json::Value) -> (String, Self) {
        let pointer = slot.pointer.clone();
        (template(path), Self { path: path.to_owned(), pointer, slot: slot.resolved(document).unwrap_or(slot) })
    }

    fn endpoints(&self) -> Vec<(Key, Endpoint<'a>)> {
        let methods = METHODS.into_iter().filter(|method| self.slot.key(method).is_some());
        let endpoint = |method: &'static str| {
            let (path, path_pointer, item) = (self.path.clone(), self.pointer.clone(), self.slot.clone());
            ((template(&path), method), Endpoint { method, path, path_pointer, slot: item.key(method), item })
        };
        methods.map(endpoint).collect()
    }
}

/// Path items by their paths.
fn items<'a>(walk: &mut Walk<'a>, old: Vec<(&'a str, Slot<'a>)>, new: Vec<(&'a str, Slot<'a>)>) {
    let old: Vec<_> = old.into_iter().map(|item| Item::new(item, walk.old)).collect();
    let new: Vec<_> = new.into_iter().map(|item| Item::new(item, walk.new)).collect();
    let endpoints = |items: &[(String, Item<'a>)]| items.iter().flat_map(|(_, item)| item.endpoints()).collect();
    let (before, after) = (endpoints(&old), endpoints(&new));
    let sides = joined(old, new);
    for (_, old, new) in sides.kept {
        walk.used_old.insert(old.slot.pointer.clone());
        walk.used_new.insert(new.slot.pointer.clone());
        let pair = Pair { old: old.slot, new: new.slot };
        walk.within(Step::Part(old.path), |walk| {
            api::servers(walk, &pair.key("servers"));
            let known: Vec<&str> = METHODS.into_iter().chain(["parameters", "servers"]).collect();
            walk.rest(&pair, &known);
        });
    }
    // a path without operations is no part of the API, but of the document
    let is_empty = |(_, item): &(String, Item<'a>)| item.endpoints().is_empty();
    for (_, old) in sides.removed.into_iter().filter(is_empty) {
        let rule = &rules::UNKNOWN_KEYWORD_CHANGED;
        walk.within(Step::Part(old.path), |walk| walk.tell(rule, &old.slot, Spot::bare("/paths")));
    }
    for (_, new) in sides.added.into_iter().filter(is_empty) {
        let rule = &rules::UNKNOWN_KEYWORD_CHANGED;
        walk.within(Step::Part(new.path), |walk| walk.tell(rule, Spot::bare("/paths"), &new.slot));
    }
    operations(walk, before, after);
}

type Key = (String, &'static str);

fn operations<'a>(walk: &mut Walk<'a>, old: Vec<(Key, Endpoint<'a>)>, new: Vec<(Key, Endpoint<'a>)>) {
    let mut sides = joined(old, new);
    for (_, old, new) in &sides.kept {
        both(walk, old, new, None);
    }
    for (_, old) in sides.removed {
        let same_id = |(_, new): &(Key, Endpoint<'_>)| old.id().is_some() && new.id() == old.id();
        match sides.added.iter().position(same_id) {
            Some(index) => both(walk, &old, &sides.added.remove(index).1, Some(&rules::API_OPERATION_MOVED)),
            None => removed(walk, &old),
        }
    }
    for (_, new) in sides.added {
        walk.within_operation(new.id(), new.step(), |walk| {
            let place =
                if walk.old.pointer(&new.path_pointer).is_some() { new.path_pointer.as_str() } else { "/paths" };
            walk.tell(&rules::ENDPOINT_ADDED, Spot::bare(place), new.spot());
        });
    }
}

fn removed<'a>(walk: &mut Walk<'a>, old: &Endpoint<'a>) {
    let rule = match (old.slot.key("deprecated").flag(), sunset_is_over(walk, &old.slot)) {
        (false, _) => &rules::API_REMOVED_WITHOUT_DEPRECATION,
        (true, false) => &rules::API_REMOVED_BEFORE_SUNSET,
        (true, true) => &rules::API_REMOVED_WITH_DEPRECATION,
    };
    walk.within_operation(old.id(), old.step(), |walk| {
        let place = if walk.new.pointer(&old.path_pointer).is_some() { old.path_pointer.as_str() } else { "/paths" };
        walk.tell(rule, old.spot(), Spot::bare(place));
    });
}

/// Has the promised day passed? Without one nothing was promised, and nothing has passed.
pub fn sunset_is_over(walk: &Walk<'_>, slot: &Slot<'_>) -> bool {
    slot.key("x-sunset").text().is_some_and(|day| is_day(day) && day.get(..10) < Some(walk.today.as_str()))
}

/// Does the text begin with a date, `YYYY-MM-DD`?
fn is_day(text: &str) -> bool {
    let is_right =
        |(index, byte): (usize, &u8)| if [4, 7].contains(&index) { *byte == b'-' } else { byte.is_ascii_digit() };
    text.len() >= 10 && text.as_bytes()[..10].iter().enumerate().all(is_right)
}

fn both<'a>(walk: &mut Walk<'a>, old: &Endpoint<'a>, new: &Endpoint<'a>, moved: Option<&'static Rule>) {
    let id = old.id().or_else(|| new.id());
    walk.within_operation(id, old.step(), |walk| {
        let pair = Pair { old: old.slot.clone(), new: new.slot.clone() };
        if let Some(rule) = moved {
            walk.tell(rule, old.spot(), new.spot());
        } else {
            variables_renamed(walk, old, new);
        }
        operation_id(walk, &pair.key("operationId"));
        operation_tags(walk, &pair.key("tags"));
        let rules = [&rules::ENDPOINT_DEPRECATED, &rules::API_DEPRECATED_SUNSET_MISSING, &rules::ENDPOINT_REACTIVATED];
        lifecycle(walk, &pair.key("deprecated"), &pair.key("x-sunset"), rules);
        security::operation(walk, &pair);
        api::servers(walk, &pair.key("servers"));
        parameter::all(walk, old, new);
        request_body(walk, &pair.key("requestBody"));
        response::all(walk, &pair.key("responses"), old.method);
        callbacks(walk, &pair.key("callbacks"));
        const KNOWN: [&str; 10] = [
            "operationId",
            "tags",
            "deprecated",
            "x-sunset",
            "security",
            "servers",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
        ];
        walk.rest(&pair, &KNOWN);
    });
}

fn variables_renamed(walk: &mut Walk<'_>, old: &Endpoint<'_>, new: &Endpoint<'_>) {
    for (one, two) in variables(&old.path).into_iter().zip(variables(&new.path)) {
        if one != two {
            let (old, new) = (Spot::with(&old.path_pointer, one), Spot::with(&new.path_pointer, two));
            walk.tell(&rules::PATH_PARAMETER_RENAMED, old, new);
        }
    }
}

fn operation_id(walk: &mut Walk<'_>, id: &Pair<'_>) {
    match (id.old.value, id.new.value) {
        (None, Some(_)) => walk.tell_pair(&rules::API_OPERATION_ID_ADDED, id),
        _ if !id.is_same() => walk.tell_pair(&rules::API_OPERATION_ID_REMOVED, id),
        _ => {}
    }
}

fn operation_tags(walk: &mut Walk<'_>, tags: &Pair<'_>) {
    let set = |side: &Slot<'_>| {
        let mut names: Vec<String> = side.items().iter().filter_map(|tag| Some(tag.text()?.to_owned())).collect();
        names.sort();
        names
    };
    if set(&tags.old) != set(&tags.new) {
        walk.tell_pair(&rules::TAG_CHANGED, tags);
    }
}

/// `deprecated` and the date of removal; the rules for: deprecated with a date, without one, and no longer.
pub fn lifecycle(walk: &mut Walk<'_>, flag: &Pair<'_>, sunset: &Pair<'_>, rules: [&'static Rule; 3]) {
    match flag.flags() {
        (false, true) if sunset.new.is_some() => walk.tell_pair(rules[0], flag),
        (false, true) => walk.tell_pair(rules[1], flag),
        (true, false) => walk.tell_pair(rules[2], flag),
        _ => {}
    }
    let (before, after) = flag.flags();
    let rule = match (sunset.old.text(), sunset.new.text()) {
        _ if sunset.is_same() => return,
        // part of what was told above
        (None, Some(new)) if is_day(new) && !before && after => return,
        (_, None) if before && !after => return,
        (old, Some(new)) if is_day(new) && !old.is_some_and(is_day) => &rules::SUNSET_ADDED,
        (_, None) => &rules::SUNSET_DELETED,
        (Some(old), Some(new)) if is_day(new) && new > old => &rules::SUNSET_MOVED_LATER,
        _ => &rules::SUNSET_MOVED_EARLIER,
    };
    walk.tell_pair(rule, sunset);
}

fn request_body<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    walk.within(Step::RequestBody, |walk| {
        walk.acting(Role::RequestBody, |walk| match (pair.old.value, pair.new.value) {
            (None, None) => {}
            (None, Some(_)) => {
                let new = pair.new.resolved(walk.new).unwrap_or(pair.new.clone());
                let required = new.key("required").flag();
                let rule =
                    if required { &rules::REQUEST_BODY_ADDED_REQUIRED } else { &rules::REQUEST_BODY_ADDED_OPTIONAL };
                walk.tell_pair(rule, pair);
            }
            (Some(_), None) => walk.tell_pair(&rules::REQUEST_BODY_REMOVED, pair),
            (Some(_), Some(_)) => {
                if let Some(pair) = walk.resolved(pair) {
                    request_bodies(walk, &pair);
                }
            }
        });
    });
}

fn request_bodies<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let required = pair.key("required");
    match required.flags() {
        (false, true) => walk.tell_pair(&rules::REQUEST_BODY_BECAME_REQUIRED, &required),
        (true, false) => walk.tell_pair(&rules::REQUEST_BODY_BECAME_OPTIONAL, &required),
        _ => {}
    }
    let (added, removed) = (&rules::REQUEST_BODY_MEDIA_TYPE_ADDED, &rules::REQUEST_BODY_MEDIA_TYPE_REMOVED);
    response::content(walk, &pair.key("content"), added, removed);
    walk.rest(pair, &["required", "content"]);
}

fn callbacks<'a>(walk: &mut Walk<'a>, callbacks: &Pair<'a>) {
    let sides = joined(callbacks.old.entries(), callbacks.new.entries());
    let step = |name: &str| Step::Callback(name.to_owned());
    came_and_went(walk, callbacks, &sides, step, &rules::CALLBACK_ADDED, &rules::CALLBACK_REMOVED);
    for (name, old, new) in sides.kept {
        walk.within(step(name), |walk| {
            let Some(pair) = walk.resolved(&Pair { old, new }) else { return };
            let list = |side: &Slot<'a>| -> Vec<(&'a str, Slot<'a>)> {
                side.entries().into_iter().filter(|(address, _)| !address.starts_with("x-")).collect()
            };
            let (old, new) = (list(&pair.old), list(&pair.new));
            let known: Vec<&str> = old.iter().chain(&new).map(|(address, _)| *address).collect();
            walk.rest(&pair, &known);
            walk.swapped(|walk| items(walk, old, new));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_path_variables_do_not_count() {
        assert_eq!(template("/posts/{id}/votes/{vote}.json"), "/posts/{}/votes/{}.json");
        assert_eq!(template("/posts"), "/posts");
        assert_eq!(variables("/posts/{id}/votes/{vote}"), ["id", "vote"]);
    }

    #[test]
    fn a_day_is_year_month_and_day() {
        assert!(is_day("2027-01-31") && is_day("2027-01-31T00:00:00Z"));
        assert!(!is_day("soon") && !is_day("2027-1-31") && !is_day("31.01.2027"));
    }
}
