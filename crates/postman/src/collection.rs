//! The document as a Postman collection (v2.1) and an environment: pure functions, the same bytes for the same input.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answers::Answers;
use crate::operation::{Operation, operations, text};
use crate::request::request;
use crate::setup::Setup;
use crate::stamp::stamped;
use crate::{prepare, scripts};

pub const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// Returns the collection of a document: a folder for each tag, and in it one request for each operation with its saved
/// examples.
pub fn collection(document: &Value, setup: &Setup, answers: &Answers) -> Value {
    let item = |operation: &Operation<'_>| vec![item(operation, answers)];
    envelope(
        setup,
        &Head {
            id: setup.id("collection"),
            name: text(&document["info"]["title"]).into(),
            description: text(&document["info"]["description"]).into(),
            prepare: prepare::successes(document, setup),
            checks: scripts::checks(document, operations(document, setup).iter().flat_map(scripts::checked)),
            folders: folders(document, setup, "folder", &item),
        },
    )
}

/// The parts in which the two collections differ.
pub struct Head {
    pub id: Value,
    pub name: String,
    pub description: String,
    /// The script in front of every request.
    pub prepare: Vec<String>,
    /// The script behind every request, before its own.
    pub checks: Vec<String>,
    pub folders: Vec<Value>,
}

/// Returns a collection with these folders.
pub fn envelope(setup: &Setup, head: &Head) -> Value {
    let collection = json!({
        "info": {
            "_postman_id": head.id,
            "name": head.name,
            "description": head.description,
            "schema": SCHEMA,
        },
        "item": head.folders,
        "event": events(&head.prepare, &head.checks),
        "auth": caller(setup),
        "variable": [{"key": BASE_URL, "value": setup.base_url, "type": "string"}],
    });
    stamped(collection)
}

/// The variable with the address of the server.
const BASE_URL: &str = "baseUrl";

fn caller(setup: &Setup) -> Value {
    match &setup.token {
        Some(variable) => bearer(&format!("{{{{{variable}}}}}")),
        None => json!({"type": "noauth"}),
    }
}

/// Returns a folder for each tag of the document, with the items of its operations.
pub fn folders(
    document: &Value,
    setup: &Setup,
    kind: &str,
    items: &dyn Fn(&Operation<'_>) -> Vec<Value>,
) -> Vec<Value> {
    let operations = operations(document, setup);
    let tags = document["tags"].as_array().into_iter().flatten();
    let folders = tags.map(|tag| {
        let inside = operations.iter().filter(|operation| operation.value["tags"][0] == tag["name"]);
        let name = text(&tag["name"]);
        folder(setup.id(&format!("{kind}/{name}")), name, text(&tag["description"]), inside.flat_map(items).collect())
    });
    folders.filter(|folder| folder["item"] != json!([])).collect()
}

/// Returns a folder.
pub fn folder(id: Value, name: &str, description: &str, items: Vec<Value>) -> Value {
    json!({"id": id, "name": name, "description": description, "item": items})
}

/// Returns the authorization of a request with a bearer token.
pub fn bearer(token: &str) -> Value {
    json!({"type": "bearer", "bearer": [{"key": "token", "value": token, "type": "string"}]})
}

/// Returns the scripts of an item; an empty script is left out.
pub fn events(before: &[String], after: &[String]) -> Vec<Value> {
    let scripts = [("prerequest", before), ("test", after)].into_iter().filter(|(_, lines)| !lines.is_empty());
    scripts
        .map(|(listen, lines)| json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}}))
        .collect()
}

fn item(operation: &Operation<'_>, answers: &Answers) -> Value {
    let before = prepare::before(operation);
    json!({
        "id": operation.setup.id(operation.id),
        "name": operation.title(),
        "event": events(&before, &scripts::success(operation)),
        "request": request(operation),
        "response": answers.examples(operation),
    })
}

/// Returns the environment: a value for each variable that the collections use, those first that a person sets.
/// `values` are known ones, e.g. of an account that the server has at its first start.
pub fn environment(collections: &[&Value], setup: &Setup, values: &BTreeMap<String, String>) -> Value {
    let mut names = setup.first.clone();
    for collection in collections {
        // a person may set one that scripts set where it is empty
        let set = |name: &str, scope: &str| collection.to_string().contains(&format!("pm.{scope}.set(\\\"{name}\\\""));
        for name in variables(collection) {
            // what a script sets for one request needs no place in the environment
            if !names.contains(&name) && (name == setup.mailed.variable || !set(&name, "variables")) {
                names.push(name);
            }
        }
    }
    let values = names.iter().map(|name| {
        let value = if name == BASE_URL { Some(&setup.base_url) } else { values.get(name) };
        let kind = if setup.secret.contains(name) { "secret" } else { "default" };
        json!({"key": name, "value": value.map_or("", String::as_str), "type": kind, "enabled": true})
    });
    json!({
        "id": setup.id("environment/local"),
        "name": setup.environment,
        "values": values.collect::<Vec<_>>(),
        "_postman_variable_scope": "environment",
    })
}

/// Returns each `{{name}}` in a value, once, in order.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_a_value_for_each_variable_and_masks_secrets() {
        let setup = Setup::parse(
            "base_url: http://localhost\nfirst: [baseUrl, email]\nsecret: [password]\nmailed: { variable: code }",
        );
        let collection = json!({"a": "{{password}} {{made}} {{code}} {{baseUrl}}",
            "b": "pm.variables.set(\"made\", 1); pm.variables.set(\"code\", 1);"});
        let values = [("email".to_owned(), "ada@example.org".to_owned())].into();
        let environment = environment(&[&collection], &setup.expect("a setup"), &values);
        let found = environment["values"].as_array().expect("values").iter();
        let found: Vec<_> = found.map(|v| [&v["key"], &v["value"], &v["type"]].map(text)).collect();
        let wanted = [
            ["baseUrl", "http://localhost", "default"],
            ["email", "ada@example.org", "default"],
            ["password", "", "secret"],
            ["code", "", "default"],
        ];
        assert_eq!(found, wanted);
    }
}
