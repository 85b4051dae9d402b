//! The Postman collection: generated from the committed document, checked against it, run with newman.

mod collection;
mod compare;
mod example;
mod flow;
mod newman;
mod rules;
mod schema;
mod scripts;

use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::report::{Failed, Outcome, Report, Usage};
use crate::{run, spec};

pub use newman::find as newman;

const COLLECTION: &str = "postman/accord.postman_collection.json";
const ENVIRONMENT: &str = "postman/local.postman_environment.json";
const FIXTURES: &str = "fixtures/demo.yaml";

/// `cargo xtask postman check | write | run`
pub fn run(arguments: &[String]) -> Outcome {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(),
        ["write"] => write(),
        ["run"] => {
            newman::run_twice(&path(COLLECTION), &path(ENVIRONMENT), spec::operations(&spec::committed()?).len())
        }
        _ => Err(Usage("say `cargo xtask postman check`, `… write` or `… run`".into()).into()),
    }
}

/// Both files as the committed document makes them.
struct Generated {
    collection: Value,
    environment: Value,
}

fn generate() -> anyhow::Result<Generated> {
    let document = spec::committed()?;
    let collection = collection::collection(&document);
    let environment = collection::environment(&collection, demo_user()?.as_ref());
    Ok(Generated { collection, environment })
}

fn check() -> Outcome {
    let wanted = generate()?;
    let mut faults = compare::differences(COLLECTION, &read(COLLECTION)?, &wanted.collection);
    faults.extend(compare::differences(ENVIRONMENT, &read(ENVIRONMENT)?, &wanted.environment));
    if !faults.is_empty() {
        let count = faults.len();
        faults.push("repair with `cargo xtask postman write`; to change what is generated: xtask/src/postman".into());
        return Err(Failed::new(0, count, faults.join("\n")).into());
    }
    // only now: a damaged file is told by what differs, a damaged generator by the rule it breaks
    let faults = rules::faults(&wanted.collection, &wanted.environment, &spec::committed()?);
    if !faults.is_empty() {
        let text = format!("{}\nthe generator breaks these rules of the format: xtask/src/postman", faults.join("\n"));
        return Err(Failed::new(0, faults.len(), text).into());
    }
    let requests = compare::requests(&wanted.collection).len();
    Ok(Report::passed(2, format!("{requests} requests, as the document generates them")))
}

fn write() -> Outcome {
    let wanted = generate()?;
    let mut written = vec![];
    for (name, value) in [(COLLECTION, &wanted.collection), (ENVIRONMENT, &wanted.environment)] {
        let text = text(value);
        if std::fs::read_to_string(path(name)).ok().as_deref() != Some(text.as_str()) {
            std::fs::create_dir_all(path(name).parent().expect("a file lies in a folder"))?;
            std::fs::write(path(name), text)?;
            written.push(name);
        }
    }
    let note = if written.is_empty() { "nothing to write".into() } else { format!("wrote {}", written.join(", ")) };
    Ok(Report::passed(0, note))
}

/// The form on disk: two spaces, one newline at the end.
fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn path(name: &str) -> PathBuf {
    run::root().join(name)
}

fn read(name: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path(name));
    text.with_context(|| format!("cannot read {name}: `cargo xtask postman write` makes it"))
}

/// Address and password of the first plain account of the demo data: what a first start lets one log in with.
struct DemoUser {
    email: String,
    password: String,
}

fn demo_user() -> anyhow::Result<Option<DemoUser>> {
    let text = std::fs::read_to_string(path(FIXTURES)).with_context(|| format!("cannot read {FIXTURES}"))?;
    let mut entries = vec![];
    for part in yaml_serde::Deserializer::from_str(&text) {
        let part: Value = serde::Deserialize::deserialize(part).with_context(|| format!("{FIXTURES} is no YAML"))?;
        match part {
            Value::Array(list) => entries.extend(list),
            entry => entries.push(entry),
        }
    }
    let users = entries.iter().filter(|entry| entry["model"] == "users.User").map(|entry| &entry["properties"]);
    let plain = users.into_iter().find(|user| user["role"] != "admin");
    Ok(plain.and_then(|user| {
        let text = |name: &str| Some(user[name].as_str()?.to_owned());
        Some(DemoUser { email: text("email")?, password: text("password")? })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> Generated {
        generate().expect("the committed document")
    }

    fn request<'a>(collection: &'a Value, name: &str) -> &'a Value {
        let requests = compare::requests(collection);
        requests.into_iter().find(|(_, item)| item["name"] == name).expect("a request of this name").1
    }

    /// All lines of a request's scripts.
    fn scripts(item: &Value) -> String {
        let events = item["event"].as_array().into_iter().flatten();
        let lines = events.flat_map(|event| event["script"]["exec"].as_array().into_iter().flatten());
        lines.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_document_gives_the_same_bytes_and_breaks_no_rule() {
        let (one, two) = (generated(), generated());
        assert_eq!(text(&one.collection), text(&two.collection));
        assert_eq!(text(&one.environment), text(&two.environment));
        let document = spec::committed().expect("the committed document");
        assert_eq!(rules::faults(&one.collection, &one.environment, &document), Vec::<String>::new());
    }

    #[test]
    fn what_logs_in_keeps_the_token_and_needs_none() {
        let collection = generated().collection;
        for (name, member) in [("Log in", "access_token"), ("Authenticate", "token"), ("Register", "token")] {
            let item = request(&collection, name);
            let line = format!("pm.environment.set(\"JWT\", pm.response.json().{member});");
            assert!(scripts(item).contains(&line), "{name}");
            assert_eq!(item["request"]["auth"]["type"], "noauth", "{name}");
        }
        assert!(request(&collection, "Read a post")["request"].get("auth").is_none());
    }

    #[test]
    fn a_change_of_a_post_sends_the_tag_it_has() {
        let collection = generated().collection;
        assert!(
            scripts(request(&collection, "Create a post"))
                .contains("pm.environment.set(\"postId\", pm.response.json().id);")
        );
        let headers = &request(&collection, "Change a post")["request"]["header"];
        let tag = headers.as_array().into_iter().flatten().find(|header| header["key"] == "If-Match");
        let tag = tag.expect("If-Match is sent");
        assert_eq!((&tag["value"], tag.get("disabled")), (&Value::from("{{etag}}"), None));
    }

    #[test]
    fn a_broken_rule_is_told_with_its_request() {
        let Generated { mut collection, environment } = generated();
        let document = spec::committed().expect("the committed document");
        collection["item"][0]["item"][0]["request"]["url"]["raw"] = "{{other}}/x".into();
        let faults = rules::faults(&collection, &environment, &document).join("\n");
        assert!(faults.contains("\"Register\": url: `raw` is not what `host`, `path` and `query` say"), "{faults}");
        assert!(faults.contains("\"register_user\": 0 requests for this operation"), "{faults}");
        assert!(faults.contains("{{other}}: neither in the environment nor set by a script"), "{faults}");
    }
}
