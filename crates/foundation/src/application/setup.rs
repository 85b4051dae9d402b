//! The setup files of the tools: facts that the document does not contain. The foundation states those of every
//! application, each resource states its own, and here they become one file for each tool.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Resource, application, example_permission};
use crate::server::document;

const CONTRACT: &str = include_str!("setup/contract.yaml");
const POSTMAN: &str = include_str!("setup/postman.yaml");
const PREPARE: &str = include_str!("setup/prepare.js");

/// Returns the setup file of `accord-contract`.
///
/// # Errors
/// Returns a sentence that names the resource whose facts are not YAML, or two resources that state the same fact.
pub fn contract() -> Result<String, String> {
    let mut facts = merged(CONTRACT, application().resources, |resource| resource.contract)?;
    let operations = accord_openapi::operations(document::document());
    let is_served = |id: &Value| operations.iter().any(|(_, _, operation)| operation["operationId"] == *id);
    if let Some(identities) = facts.pointer_mut("/access/identities").and_then(Value::as_array_mut) {
        identities.retain(|identity| needed(identity).all(is_served));
    }
    Ok(text("contract.yaml", &facts))
}

/// Returns the setup file of the Postman collections.
///
/// # Errors
/// As [`contract`].
pub fn postman() -> Result<String, String> {
    let mut facts = merged(POSTMAN, application().resources, |resource| resource.postman)?;
    facts["prepare"]["script"] = PREPARE.into();
    Ok(text("postman.yaml", &facts))
}

/// The ids of the operations that an identity of the access matrix needs.
fn needed(identity: &Value) -> impl Iterator<Item = &Value> {
    let steps = ["before", "after"].into_iter().flat_map(|key| identity[key].as_array().into_iter().flatten());
    steps.chain(identity.get("login")).map(|step| &step["operation"])
}

fn text(part: &str, facts: &Value) -> String {
    let head = format!(
        "# Written by `cargo xtask spec write` from the `{part}` of the foundation (crates/foundation/src/application/setup)\n\
         # and of each resource of the application. Change it there: each fact stands there with its reason.\n"
    );
    head + &yaml_serde::to_string(facts).expect("plain data")
}

/// The facts of the foundation and of all resources. `<name>`, `<title>`, `<example>` (the object) and `<permission>` in
/// them stand for those of the application.
fn merged(core: &str, resources: &[&Resource], part: fn(&Resource) -> &'static str) -> Result<Value, String> {
    let application = application();
    let example = application.example.things[0].name.to_lowercase();
    let names = [
        ("<name>", application.name),
        ("<title>", application.about.title),
        ("<example>", &example),
        ("<permission>", example_permission(application).name),
    ];
    let of_resources = resources.iter().map(|resource| (resource.name, part(resource)));
    let mut merger = Merger::default();
    for (source, text) in [("the foundation", core)].into_iter().chain(of_resources) {
        let text = names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        merger.add(source, &text)?;
    }
    Ok(Value::Object(merger.facts))
}

/// Facts, and for each value the resource that states it.
#[derive(Default)]
struct Merger {
    facts: Map<String, Value>,
    sources: BTreeMap<String, String>,
}

impl Merger {
    fn add(&mut self, source: &str, text: &str) -> Result<(), String> {
        let facts: Option<Map<String, Value>> =
            yaml_serde::from_str(text).map_err(|error| format!("the facts of {source} are no map in YAML: {error}"))?;
        merge(&mut self.facts, facts.unwrap_or_default(), source, "", &mut self.sources)
    }
}

/// Merges maps and appends lists. No value may be stated twice.
fn merge(
    into: &mut Map<String, Value>,
    facts: Map<String, Value>,
    source: &str,
    above: &str,
    sources: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    for (key, fact) in facts {
        let place = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match (into.get_mut(&key), fact) {
            (None, Value::Object(fact)) => {
                let mut inner = Map::new();
                merge(&mut inner, fact, source, &place, sources)?;
                into.insert(key, Value::Object(inner));
            }
            (None, fact) => {
                sources.insert(place, source.to_owned());
                into.insert(key, fact);
            }
            (Some(Value::Object(known)), Value::Object(fact)) => merge(known, fact, source, &place, sources)?,
            (Some(Value::Array(known)), Value::Array(fact)) => known.extend(fact),
            (Some(_), _) => {
                let first = sources.get(&place).or_else(|| {
                    let below = format!("{place}.");
                    sources.iter().find(|(known, _)| known.starts_with(&below)).map(|(_, source)| source)
                });
                let first = first.map_or("the foundation", String::as_str);
                return Err(format!("`{place}` is stated by {first} and by {source}: leave one of the two out"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(parts: &[(&str, &str)]) -> Result<Value, String> {
        let mut merger = Merger::default();
        parts.iter().try_for_each(|(source, text)| merger.add(source, text))?;
        Ok(Value::Object(merger.facts))
    }

    #[test]
    fn maps_are_merged_and_lists_appended() {
        let found = facts(&[
            ("a", "x: { one: 1 }\nlist: [1]"),
            ("b", ""),
            ("c", "# nothing but a comment\n"),
            ("d", "x: { two: { y: 2 } }\nlist: [2]"),
        ]);
        assert_eq!(found, Ok(json!({ "x": { "one": 1, "two": { "y": 2 } }, "list": [1, 2] })));
    }

    #[test]
    fn a_fact_that_is_stated_twice_names_both_resources() {
        let said = |one, other| facts(&[("books", one), ("loans", other)]).expect_err("a conflict");
        let wanted = "`x.y` is stated by books and by loans: leave one of the two out";
        assert_eq!(said("x: { y: 1 }", "x: { y: 1 }"), wanted);
        assert_eq!(said("x: { y: { z: 1 } }", "x: { y: [1] }"), wanted);
        assert!(said("x: [1", "").starts_with("the facts of books are no map in YAML: "));
    }

    #[test]
    fn resources_that_are_left_out_bring_no_facts() {
        crate::application::install_for_tests();
        let facts: Value = yaml_serde::from_str(&contract().expect("no conflict")).expect("YAML");
        assert_eq!(facts["operations"]["create_group"]["body"]["name"], "{unique}");
        assert!(!facts["access"]["identities"].as_array().expect("a list").is_empty());
        let resources = [&crate::resources::users::ACCOUNT, &crate::resources::info::RESOURCE];
        let facts = merged(CONTRACT, &resources, |resource| resource.contract).expect("no conflict");
        assert_eq!(facts["operations"]["register_user"]["body"]["email"], "{unique}@example.com");
        assert_eq!(facts["operations"].get("create_group"), None);
        assert_eq!(facts["people"]["privileged"]["scopes"], json!(["admin"]));
    }

    #[test]
    fn names_of_the_application_are_filled_in() {
        crate::application::install_for_tests();
        let facts: Value = yaml_serde::from_str(&postman().expect("no conflict")).expect("YAML");
        assert_eq!((&facts["environment"], &facts["ids"]), (&json!("Tests (local)"), &json!("accord/postman")));
        let script = facts["prepare"]["script"].as_str().expect("a script");
        assert!(script.contains("    <parts>\n") && script.contains("<resources>"), "{script}");
    }
}
