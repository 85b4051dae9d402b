//! A collection or an environment as a list of places that people know, each with what stands there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stamp;

/// A place, e.g. `request "Log in" › header Accept › value`, and its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    pub place: Vec<String>,
    pub value: Value,
}

impl Part {
    /// Returns whether its last step is this one.
    pub fn is(&self, name: &str) -> bool {
        self.place.last().is_some_and(|last| last == name)
    }

    /// The place of the value that contains it.
    pub fn parent(&self) -> &[String] {
        &self.place[..self.place.len() - 1]
    }

    /// Returns whether it is the value of one of these variables.
    pub fn is_secret(&self, secret: &[String]) -> bool {
        let variable = self.parent().last().and_then(|step| step.strip_prefix("variable "));
        self.is("value") && variable.is_some_and(|variable| secret.iter().any(|name| name == variable))
    }
}

/// Keys that the app adds to every export, and keys without a meaning.
const MARKS: [&str; 9] = [
    "_exporter_id",
    "_collection_link",
    "_postman_exported_at",
    "_postman_exported_using",
    "uid",
    "packages",
    "requests",
    "responseTime",
    "protocolProfileBehavior",
];

/// Returns whether the app has written the file.
pub fn exported(file: &Value) -> bool {
    file["info"].get("_exporter_id").is_some() || file.get("_postman_exported_at").is_some()
}

/// The parts of a file. What has an id that the generated file knows is called as it is called there. The app leaves
/// ids out or makes others: beside an export they do not count.
pub fn parts(file: &Value, generated: &Value, with_ids: bool) -> Vec<Part> {
    let mut walk = Walk { names: names(generated), with_ids, taken: BTreeSet::new(), parts: vec![] };
    walk.value(&[], file);
    walk.parts
}

/// Ids of the generated file and their names.
fn names(generated: &Value) -> Vec<(Value, String)> {
    let mut names = vec![];
    for key in ["item", "response"] {
        for child in generated[key].as_array().into_iter().flatten() {
            if let (Some(id), Some(name)) = (child.get("id"), child["name"].as_str()) {
                names.push((id.clone(), name.to_owned()));
            }
            names.extend(self::names(child));
        }
    }
    names
}

struct Walk {
    names: Vec<(Value, String)>,
    with_ids: bool,
    /// Names that were given to what stands in a list.
    taken: BTreeSet<Vec<String>>,
    parts: Vec<Part>,
}

impl Walk {
    fn value(&mut self, place: &[String], value: &Value) {
        let Some(members) = value.as_object() else { return self.leaf(place, value) };
        for (key, value) in members {
            match (key.as_str(), value) {
                (mark, _) if MARKS.contains(&mark) => {}
                ("id" | "_postman_id", _) if !self.with_ids => {}
                ("item", Value::Array(items)) => items.iter().for_each(|item| self.item(place, item)),
                ("request", Value::Object(_)) => self.value(place, value),
                ("event", Value::Array(events)) => {
                    for event in events {
                        let step = format!("event {}", word(&event["listen"]));
                        self.leaf(&below(place, step), &event["script"]["exec"]);
                    }
                }
                ("response", Value::Array(answers)) => {
                    for answer in answers {
                        let step = format!("example {}", self.name(answer));
                        let place = self.free(below(place, step));
                        self.value(&place, answer);
                    }
                }
                ("header" | "query" | "variable" | "urlencoded" | "values", Value::Array(entries)) => {
                    let kind = if key == "values" { "variable" } else { key };
                    for entry in entries.iter().filter(|entry| entry["key"] != stamp::KEY) {
                        let step = format!("{kind} {}", word(&entry["key"]));
                        let place = self.free(below(place, step));
                        self.value(&place, entry);
                    }
                }
                _ => self.value(&below(place, key.clone()), value),
            }
        }
    }

    /// A request stands on its own, whatever folder it is in; that is a part of it.
    fn item(&mut self, place: &[String], item: &Value) {
        if item.get("request").is_none() {
            let folder = self.free(vec![format!("folder {:?}", self.name(item))]);
            return self.value(&folder, item);
        }
        let request = self.free(vec![format!("request {:?}", self.name(item))]);
        if let Some(folder) = place.last() {
            self.leaf(&below(&request, "folder".into()), &Value::from(folder.as_str()));
        }
        self.value(&request, item);
    }

    fn name(&self, item: &Value) -> String {
        let known = self.names.iter().find(|(id, _)| Some(id) == item.get("id"));
        known.map_or_else(|| word(&item["name"]).to_owned(), |(_, name)| name.clone())
    }

    /// Returns a place that is not taken: a second one of the same name gets a number.
    fn free(&mut self, place: Vec<String>) -> Vec<String> {
        let mut free = place.clone();
        let mut number = 2;
        while !self.taken.insert(free.clone()) {
            free = place.clone();
            if let Some(last) = free.last_mut() {
                last.push_str(&format!(" ({number})"));
            }
            number += 1;
        }
        free
    }

    fn leaf(&mut self, place: &[String], value: &Value) {
        self.parts.push(Part { place: place.to_vec(), value: value.clone() });
    }
}

fn below(place: &[String], step: String) -> Vec<String> {
    place.iter().cloned().chain([step]).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
