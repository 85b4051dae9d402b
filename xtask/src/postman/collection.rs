//! The document as a Postman collection (v2.1) and an environment: pure functions, the same bytes for the same input.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answers::Answers;
use super::operation::{Operation, operations, text};
use super::request::request;
use super::stamp::stamped;
use super::{DemoUsers, flow, prepare, scripts};

pub const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// An id in the form of a UUID that depends on nothing but its name, so that a new import finds the old items. Names
/// are made of operation ids, statuses and codes, never of what people may reword.
pub fn id(name: &str) -> Value {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(format!("accord/postman/{name}"))[..16]);
    // the version and variant bits of a name-based UUID: importers look at them
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex[range].concat();
    json!(format!("{}-{}-{}-{}-{}", part(0..4), part(4..6), part(6..8), part(8..10), part(10..16)))
}

/// The collection of a document: one request for each operation, its saved examples beside it.
pub fn collection(document: &Value, answers: &Answers) -> Value {
    let item = |operation: &Operation<'_>| vec![item(operation, answers)];
    envelope(&Head {
        id: id("collection"),
        name: text(&document["info"]["title"]).into(),
        description: text(&document["info"]["description"]).into(),
        prepare: prepare::successes(document),
        folders: folders(document, "folder", &item),
    })
}

/// What differs between two collections.
pub struct Head {
    pub id: Value,
    pub name: String,
    pub description: String,
    /// The script in front of every request.
    pub prepare: Vec<String>,
    pub folders: Vec<Value>,
}

/// A collection around its folders.
pub fn envelope(head: &Head) -> Value {
    stamped(json!({
        "info": {
            "_postman_id": head.id,
            "name": head.name,
            "description": head.description,
            "schema": SCHEMA,
        },
        "item": head.folders,
        "event": events(&head.prepare, &[]),
        "auth": bearer("{{JWT}}"),
        "variable": [{"key": "baseUrl", "value": BASE_URL, "type": "string"}],
    }))
}

/// A folder for each tag of the document, with the items that each of its operations makes.
pub fn folders(document: &Value, kind: &str, items: &dyn Fn(&Operation<'_>) -> Vec<Value>) -> Vec<Value> {
    let operations = operations(document);
    let tags = document["tags"].as_array().into_iter().flatten();
    let folders = tags.map(|tag| {
        let inside = operations.iter().filter(|operation| operation.value["tags"][0] == tag["name"]);
        let name = text(&tag["name"]);
        folder(id(&format!("{kind}/{name}")), name, text(&tag["description"]), inside.flat_map(items).collect())
    });
    folders.filter(|folder| folder["item"] != json!([])).collect()
}

/// A folder.
pub fn folder(id: Value, name: &str, description: &str, items: Vec<Value>) -> Value {
    json!({"id": id, "name": name, "description": description, "item": items})
}

/// How a request shows who calls.
pub fn bearer(token: &str) -> Value {
    json!({"type": "bearer", "bearer": [{"key": "token", "value": token, "type": "string"}]})
}

/// The scripts of an item; an empty one is none.
pub fn events(before: &[String], after: &[String]) -> Vec<Value> {
    let scripts = [("prerequest", before), ("test", after)].into_iter().filter(|(_, lines)| !lines.is_empty());
    scripts
        .map(|(listen, lines)| json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}}))
        .collect()
}

fn item(operation: &Operation<'_>, answers: &Answers) -> Value {
    let before = flow::before(operation.id, &format!("{{{{baseUrl}}}}{}", operation.path));
    json!({
        "id": id(operation.id),
        "name": operation.title(),
        "event": events(&before, &scripts::success(operation)),
        "request": request(operation),
        "response": answers.examples(operation),
    })
}

const BASE_URL: &str = "http://127.0.0.1:3000";

/// Tokens and passwords: the app masks them.
pub const SECRET: [&str; 10] = [
    "password",
    "JWT",
    "refreshToken",
    "letterCode",
    "strangerJWT",
    "adminPassword",
    "adminJWT",
    "disabledJWT",
    "disabledPassword",
    "disabledRefreshToken",
];

/// The environment: a value for each variable that the collections use, those first that a person sets.
pub fn environment(collections: &[&Value], demo: &DemoUsers) -> Value {
    let first = ["baseUrl", "email", "password", "adminEmail", "adminPassword", "JWT", "refreshToken", "adminJWT"];
    let mut names: Vec<String> = first.map(str::to_owned).into();
    for collection in collections {
        // a person may set one that scripts set where it is empty
        let set = |name: &str, scope: &str| collection.to_string().contains(&format!("pm.{scope}.set(\\\"{name}\\\""));
        for name in variables(collection) {
            // what a script sets for one request needs no place in the environment
            if !names.contains(&name) && (name == "letterCode" || !set(&name, "variables")) {
                names.push(name);
            }
        }
    }
    let values = names.iter().map(|name| {
        let value = match (name.as_str(), &demo.plain, &demo.admin) {
            ("baseUrl", ..) => BASE_URL,
            ("email", Some(user), _) | ("adminEmail", _, Some(user)) => &user.email,
            ("password", Some(user), _) | ("adminPassword", _, Some(user)) => &user.password,
            _ => "",
        };
        let kind = if SECRET.contains(&name.as_str()) { "secret" } else { "default" };
        json!({"key": name, "value": value, "type": kind, "enabled": true})
    });
    json!({
        "id": id("environment/local"),
        "name": "Accord (local)",
        "values": values.collect::<Vec<_>>(),
        "_postman_variable_scope": "environment",
    })
}

/// Every `{{name}}` in a value, once, in order.
pub fn variables(value: &Value) -> Vec<String> {
    let text = value.to_string();
    let mut names: Vec<String> = vec![];
    for part in text.split("{{").skip(1) {
        let Some((name, _)) = part.split_once("}}") else { continue };
        let plain = !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric());
        if plain && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
