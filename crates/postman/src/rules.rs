//! The rules of the collection format (v2.1) that matter for a good import, and ours: one request for each operation,
//! tests in each, no variable without a value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::collection::{SCHEMA, variables};
use crate::compare::requests;

/// Returns every rule that a generated collection breaks, with the place.
pub fn faults(collection: &Value, environment: &Value) -> Vec<String> {
    let mut faults = vec![];
    let mut check = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };
    check(filled(&collection["info"]["name"]), "info.name is required".into());
    check(collection["info"]["schema"] == SCHEMA, format!("info.schema is not {SCHEMA}"));
    check(collection["event"].as_array().is_some_and(|events| events.iter().all(is_event)), "event: no scripts".into());
    check(has_tests(&collection["event"]), "event: no checks".into());
    check(is_auth(&collection["auth"]), "auth: not of the form {type, TYPE: [{key, value, type}]}".into());
    check(collection["item"].as_array().is_some_and(|items| !items.is_empty()), "item: no folders".into());
    for (folder, item) in requests(collection) {
        let place = format!("{folder} › {}", item["name"]);
        for fault in item_faults(item) {
            check(false, format!("{place}: {fault}"));
        }
    }
    let ids = ids(collection);
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    check(ids.len() == distinct.len(), "id: two items have the same".into());
    for id in distinct {
        check(is_uuid(id), format!("id {id:?}: no UUID"));
    }
    let known = environment["values"].as_array().into_iter().flatten();
    let known: Vec<&str> = known.filter_map(|value| value["key"].as_str()).collect();
    let scripts = collection.to_string();
    for name in variables(collection) {
        let set = scripts.contains(&format!("pm.variables.set(\\\"{name}\\\""));
        check(
            set || known.contains(&name.as_str()),
            format!("{{{{{name}}}}}: neither in the environment nor set by a script"),
        );
    }
    faults
}

/// Returns the operations of the document without a request of their own, and the requests that are no operation.
pub fn missing_operations(collection: &Value, document: &Value) -> Vec<String> {
    let (operations, requests) = (accord_openapi::operations(document), requests(collection));
    let mut faults = vec![];
    for (path, method, operation) in &operations {
        let address = format!("{{{{baseUrl}}}}{path}");
        let same = requests.iter().filter(|(_, item)| {
            let raw = item["request"]["url"]["raw"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
            item["request"]["method"] == method.to_uppercase() && braces(raw) == address
        });
        let count = same.count();
        if count != 1 {
            faults.push(format!("{}: {count} requests for this operation", operation["operationId"]));
        }
    }
    if requests.len() != operations.len() {
        faults.push("there are requests that are no operation".into());
    }
    faults
}

/// `:id` as the document writes it.
fn braces(raw: &str) -> String {
    let segments = raw.split('/').map(|segment| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn item_faults(item: &Value) -> Vec<String> {
    let mut faults = vec![];
    let mut check = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    let request = &item["request"];
    check(filled(&item["name"]), "name is required");
    check(
        request["method"]
            .as_str()
            .is_some_and(|method| accord_openapi::METHODS.contains(&method.to_lowercase().as_str())),
        "method",
    );
    check(request.get("auth").is_none_or(is_auth), "auth: not of the form {type, TYPE: [{key, value, type}]}");
    check(is_url(&request["url"]), "url: `raw` is not what `host`, `path` and `query` say");
    check(
        request["header"].as_array().is_some_and(|list| list.iter().all(is_entry)),
        "header: entries need key and value",
    );
    check(request.get("body").is_none_or(is_body), "body: `mode` does not name a member of the right type");
    let events = item["event"].as_array();
    check(
        events.is_some_and(|events| events.iter().all(is_event)),
        "event: not of the form {listen, script: {type, exec: [lines]}}",
    );
    check(has_tests(&item["event"]), "event: no tests");
    for answer in item["response"].as_array().into_iter().flatten() {
        let typed = answer["code"].is_u64()
            && answer["status"].is_string()
            && answer["body"].is_string()
            && answer["originalRequest"]["url"].is_object()
            && answer["header"].as_array().is_some_and(|list| list.iter().all(is_entry));
        check(typed, "response: needs code, status, header, body and originalRequest");
    }
    check(item["response"].is_array(), "response: no list of saved examples");
    faults
}

fn has_tests(events: &Value) -> bool {
    events.as_array().is_some_and(|events| events.iter().any(|event| event["listen"] == "test"))
}

fn filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_entry(value: &Value) -> bool {
    filled(&value["key"]) && value["value"].is_string()
}

fn is_auth(auth: &Value) -> bool {
    match auth["type"].as_str() {
        Some("noauth") => true,
        Some(kind) => {
            auth[kind].as_array().is_some_and(|list| list.iter().all(|entry| is_entry(entry) && filled(&entry["type"])))
        }
        None => false,
    }
}

fn is_url(url: &Value) -> bool {
    let strings = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|part| Some(part.as_str()?.to_owned())).collect()
    };
    let (Some(host), Some(path)) = (strings(&url["host"]), strings(&url["path"])) else { return false };
    let query = url["query"].as_array().into_iter().flatten().filter(|entry| entry["disabled"] != true);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let query: Vec<String> = query.map(|entry| format!("{}={}", text(&entry["key"]), text(&entry["value"]))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let variables = url["variable"].as_array().into_iter().flatten();
    let variables: BTreeSet<String> = variables.map(|entry| format!(":{}", text(&entry["key"]))).collect();
    let in_path: BTreeSet<String> = path.iter().filter(|part| part.starts_with(':')).cloned().collect();
    url["raw"] == format!("{}/{}{mark}{}", host.join("."), path.join("/"), query.join("&")) && variables == in_path
}

fn is_body(body: &Value) -> bool {
    match body["mode"].as_str() {
        Some("raw") => body["raw"].is_string(),
        Some("urlencoded") => body["urlencoded"].as_array().is_some_and(|list| list.iter().all(is_entry)),
        _ => false,
    }
}

fn is_event(event: &Value) -> bool {
    let lines = event["script"]["exec"].as_array();
    ["prerequest", "test"].contains(&event["listen"].as_str().unwrap_or_default())
        && event["script"]["type"] == "text/javascript"
        && lines.is_some_and(|lines| lines.iter().all(Value::is_string))
}

fn ids(value: &Value) -> Vec<&str> {
    let mut found = vec![];
    match value {
        Value::Object(members) => {
            found.extend(members.get("id").and_then(Value::as_str));
            // examples and scripts are text: what is nested is an item or an answer
            for key in ["item", "response"] {
                found.extend(members.get(key).map(ids).unwrap_or_default());
            }
        }
        Value::Array(list) => found.extend(list.iter().flat_map(ids)),
        _ => {}
    }
    found
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.concat().chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
}
