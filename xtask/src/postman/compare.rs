//! Where a file differs from what the document generates: named by request and part, not by line.

use serde_json::{Map, Value};

use super::text;

/// One sentence for each part of the file that is not as generated.
pub fn differences(name: &str, file: &str, wanted: &Value) -> Vec<String> {
    if file == text(wanted) {
        return vec![];
    }
    let found: Value = match serde_json::from_str(file) {
        Ok(found) => found,
        Err(error) => return vec![format!("{name}: no JSON: {error}")],
    };
    let (mut found_parts, mut wanted_parts) = (parts(&found), parts(wanted));
    let mut faults = vec![];
    // a whole request is one sentence, not one for each of its parts
    for (here, there, parts, what) in [
        (wanted, &found, &mut wanted_parts, "missing"),
        (&found, wanted, &mut found_parts, "not generated from the document"),
    ] {
        for (_, item) in requests(here) {
            if requests(there).iter().all(|(_, other)| other["name"] != item["name"]) {
                let request = format!("request {}", item["name"]);
                parts.retain(|place, _| !place.starts_with(&format!("{request} › ")));
                faults.push(format!("{name}: {request}: {what}"));
            }
        }
    }
    for (place, wanted) in &wanted_parts {
        match found_parts.get(place) {
            None => faults.push(format!("{name}: {place}: missing")),
            Some(found) if found != wanted => faults.push(format!("{name}: {place}: {}", changed(found, wanted))),
            Some(_) => {}
        }
    }
    let unexpected = found_parts.keys().filter(|place| !wanted_parts.contains_key(*place));
    faults.extend(unexpected.map(|place| format!("{name}: {place}: not generated from the document")));
    if faults.is_empty() {
        faults.push(format!("{name}: the right content, but not in the order or layout that is generated"));
    }
    faults
}

/// The requests of a collection with their folders.
pub fn requests(collection: &Value) -> Vec<(&str, &Value)> {
    let folders = collection["item"].as_array().into_iter().flatten();
    folders
        .flat_map(|folder| {
            let name = folder["name"].as_str().unwrap_or_default();
            folder["item"].as_array().into_iter().flatten().map(move |item| (name, item))
        })
        .collect()
}

/// The file as a map from a place people know to what stands there.
fn parts(file: &Value) -> Map<String, Value> {
    let mut parts = Map::new();
    for (key, value) in file.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_array()) {
            ("item", Some(folders)) => {
                for folder in folders {
                    put(&mut parts, format!("folder {}", folder["name"]), without(folder, "item"));
                }
            }
            ("values", Some(values)) => {
                for value in values {
                    put(&mut parts, format!("variable {}", value["key"]), value.clone());
                }
            }
            _ => put(&mut parts, key.clone(), value.clone()),
        }
    }
    for (_, item) in requests(file) {
        let request = format!("request {}", item["name"]);
        for (key, value) in item.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("event", Value::Array(events)) => {
                    for event in events {
                        let listen = event["listen"].as_str().unwrap_or_default();
                        put(&mut parts, format!("{request} › event {listen}"), event["script"]["exec"].clone());
                    }
                }
                ("request", Value::Object(members)) => {
                    for (key, value) in members {
                        put(&mut parts, format!("{request} › {key}"), value.clone());
                    }
                }
                ("response", Value::Array(answers)) => {
                    for answer in answers {
                        let name = answer["name"].as_str().unwrap_or_default();
                        put(&mut parts, format!("{request} › example {name}"), answer.clone());
                    }
                }
                _ => put(&mut parts, format!("{request} › {key}"), value.clone()),
            }
        }
    }
    parts
}

/// Two parts of one name are told apart by a number.
fn put(parts: &mut Map<String, Value>, place: String, value: Value) {
    let mut name = place.clone();
    let mut number = 2;
    while parts.contains_key(&name) {
        name = format!("{place} ({number})");
        number += 1;
    }
    parts.insert(name, value);
}

fn without(value: &Value, key: &str) -> Value {
    let members = value.as_object().into_iter().flatten().filter(|(name, _)| *name != key);
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn changed(found: &Value, wanted: &Value) -> String {
    if let (Some(found), Some(wanted)) = (found.as_array(), wanted.as_array())
        && found.iter().chain(wanted).all(Value::is_string)
    {
        return changed_lines(found, wanted);
    }
    if let (Some(found), Some(wanted)) = (found.as_object(), wanted.as_object()) {
        let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
        let differing = keys.filter(|key| found.get(*key) != wanted.get(*key));
        let members = differing.map(|key| {
            let value = |side: &Map<String, Value>| side.get(key).map_or("nothing".into(), short);
            format!("{key} is {}, generated is {}", value(found), value(wanted))
        });
        return members.collect::<Vec<_>>().join("; ");
    }
    format!("is {}, generated is {}", short(found), short(wanted))
}

fn changed_lines(found: &[Value], wanted: &[Value]) -> String {
    let line = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let only = |one: &[Value], other: &[Value]| -> Vec<String> {
        one.iter().filter(|value| !other.contains(value)).map(|value| format!("`{}`", line(value))).collect()
    };
    let (missing, unexpected) = (only(wanted, found), only(found, wanted));
    let list = |lines: &[String]| {
        let more = lines.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", lines.iter().take(3).cloned().collect::<Vec<_>>().join(", "))
    };
    match (missing.is_empty(), unexpected.is_empty()) {
        (false, true) => format!("lacks {}", list(&missing)),
        (true, false) => format!("has {}, which is not generated", list(&unexpected)),
        (false, false) => format!("lacks {}; has {} instead", list(&missing), list(&unexpected)),
        (true, true) => "the same lines in another order".into(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 { text } else { format!("{}…", text.chars().take(80).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({"info": {"name": "x"}, "item": [{"name": "Session", "item": [{
            "name": "Log in",
            "event": [{"listen": "test", "script": {"exec": ["one();", "pm.environment.set(\"JWT\", 1);"]}}],
            "request": {"method": "POST"},
            "response": [{"name": "200 OK", "code": 200}],
        }]}]})
    }

    fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut file = sample();
        change(&mut file);
        differences("c.json", &text(&file), &sample())
    }

    #[test]
    fn a_removed_script_line_is_quoted_with_its_request() {
        let found = after(|file| file["item"][0]["item"][0]["event"][0]["script"]["exec"] = json!(["one();"]));
        assert_eq!(found, ["c.json: request \"Log in\" › event test: lacks `pm.environment.set(\"JWT\", 1);`"]);
        let found = after(|file| file["item"][0]["item"][0]["event"] = json!([]));
        assert_eq!(found, ["c.json: request \"Log in\" › event test: missing"]);
    }

    #[test]
    fn other_parts_are_named() {
        assert!(after(|_| ()).is_empty());
        let found = after(|file| file["item"][0]["item"][0]["request"]["method"] = json!("GET"));
        assert_eq!(found, ["c.json: request \"Log in\" › method: is \"GET\", generated is \"POST\""]);
        let found = after(|file| file["item"][0]["item"][0]["response"][0]["code"] = json!(201));
        assert_eq!(found, ["c.json: request \"Log in\" › example 200 OK: code is 201, generated is 200"]);
        let found = after(|file| file["item"][0]["item"][0]["name"] = json!("Log on"));
        assert_eq!(
            found,
            ["c.json: request \"Log in\": missing", "c.json: request \"Log on\": not generated from the document"]
        );
        let found = differences("c.json", &sample().to_string(), &sample());
        assert_eq!(found, ["c.json: the right content, but not in the order or layout that is generated"]);
    }
}
