//! The Postman collections: generated from the committed document, compared with their files, run with newman. The
//! generator is `crates/postman`; here are the files of this application, and the servers that newman calls.

mod newman;
mod rehearsal;

use std::collections::BTreeMap;
use std::path::PathBuf;

use accord_postman::{Answers, Comparison, Setup, requests, rules, text, unblamed, uncovered};
use anyhow::Context;
use serde_json::Value;

use crate::application::{Application, each};
use crate::report::{Failed, Outcome, Report};
use crate::{run, spec};

pub use newman::find as newman;

/// The files of an application, by their names in the repository.
struct Files {
    collection: String,
    failures: String,
    environment: String,
    answers: String,
    setup: String,
    fixtures: String,
}

impl Files {
    fn of(application: &Application) -> Self {
        let file = |name: &str| application.file(name);
        Self {
            collection: file(&format!("postman/{}.postman_collection.json", application.name)),
            failures: file(&format!("postman/{}-failures.postman_collection.json", application.name)),
            environment: file("postman/local.postman_environment.json"),
            answers: file("postman/answers.json"),
            setup: file(spec::POSTMAN),
            fixtures: file("fixtures/demo.yaml"),
        }
    }
}

#[derive(clap::Subcommand)]
pub enum Task {
    /// Name each part of the files that is not as generated, and its author
    Check,
    /// Write the files
    Write,
    /// Send both collections with newman in every order, each time to a new server
    Run,
}

/// `cargo xtask postman`
pub fn run(task: Task, applications: &[&'static Application]) -> Outcome {
    match task {
        Task::Check => each(applications, check),
        Task::Write => each(applications, write),
        Task::Run => rehearsal::run(applications),
    }
}

/// The files as the committed document and the committed answers make them.
struct Generated {
    files: Files,
    /// Set if each documented response must be stored.
    is_reference: bool,
    document: Value,
    setup: Setup,
    answers: Answers,
    collection: Value,
    failures: Value,
    environment: Value,
}

impl Generated {
    fn files(&self) -> [(&str, &Value); 3] {
        let Files { collection, failures, environment, .. } = &self.files;
        [(collection, &self.collection), (failures, &self.failures), (environment, &self.environment)]
    }
}

fn generate(application: &Application) -> anyhow::Result<Generated> {
    let (files, is_reference) = (Files::of(application), application.is_reference);
    let document = spec::committed_of(application)?;
    let answers = match std::fs::read_to_string(path(&files.answers)) {
        Ok(text) => Answers::parse(&text).with_context(|| files.answers.clone())?,
        Err(_) => Answers::default(),
    };
    let setup = setup(&files)?;
    let collection = accord_postman::collection(&document, &setup, &answers);
    let failures = accord_postman::failures(&document, &setup);
    let environment = accord_postman::environment(&[&collection, &failures], &setup, &demo_values(&files)?);
    Ok(Generated { files, is_reference, document, setup, answers, collection, failures, environment })
}

/// The facts about this API that the document does not contain.
fn setup(files: &Files) -> anyhow::Result<Setup> {
    let name = &files.setup;
    let text = std::fs::read_to_string(path(name)).with_context(|| format!("cannot read {name}"))?;
    Setup::parse(&text).with_context(|| name.clone())
}

fn check(application: &'static Application) -> Outcome {
    let wanted = generate(application)?;
    let setup = &wanted.setup;
    let mut faults = vec![];
    for (name, wanted) in wanted.files() {
        let file = read(name)?;
        let (committed, secret) = (committed(name), &setup.secret);
        faults.extend(Comparison { name, file: &file, wanted, committed, secret }.differences());
    }
    if !faults.is_empty() {
        let count = faults.len();
        faults.push(REPAIR.into());
        return Err(Failed::new(0, count, faults.join("\n")).into());
    }
    // only now: a damaged file is told by what differs, a damaged generator by the rule it breaks
    let faults = faults_of(&wanted);
    if !faults.is_empty() {
        return Err(Failed::new(0, faults.len(), faults.join("\n")).into());
    }
    let count = |collection| requests(collection).len();
    let (requests, failures) = (count(&wanted.collection), count(&wanted.failures));
    let note = format!("{requests} requests and {failures} failures, as the document generates them");
    Ok(Report::passed(wanted.files().len(), note))
}

const REPAIR: &str = "`cargo xtask postman write` makes the files as the document has them, and takes back what was \
    changed by hand or in the app. To keep such a change, make it where it comes from: the document (openapi/, from \
    the code), an answer (postman/answers.json, from `cargo xtask contract`), a postman.yaml of a resource \
    (then `cargo xtask spec write`) or the generator (crates/postman)";

/// The collection as it stands in its file.
pub fn collection(application: &Application) -> anyhow::Result<Value> {
    let name = Files::of(application).collection;
    serde_json::from_str(&read(&name)?).with_context(|| format!("{name} is no JSON"))
}

/// The collection as the document and the answers make it.
pub fn generated(application: &Application) -> anyhow::Result<Value> {
    Ok(generate(application)?.collection)
}

/// Where a collection is not the one that it should be.
pub fn differences(collection: &Value, wanted: &Value) -> Vec<String> {
    let (name, file) = ("the collection", &text(collection));
    Comparison { name, file, wanted, committed: None, secret: &[] }.differences()
}

/// The file as the newest commit has it; none outside of a repository.
fn committed(name: &str) -> Option<Value> {
    let mut git = std::process::Command::new("git");
    let text = run::silently(git.current_dir(run::root()).args(["show", &format!("HEAD:./{name}")])).ok()?;
    serde_json::from_str(&text).ok()
}

/// What is wrong with the generator or its input.
fn faults_of(generated: &Generated) -> Vec<String> {
    let Generated { files, is_reference, document, setup, answers, collection, failures, environment } = generated;
    let mut faults: Vec<String> = vec![];
    for (name, collection) in [(&files.collection, collection), (&files.failures, failures)] {
        let broken = rules::faults(collection, environment).into_iter();
        faults.extend(broken.map(|rule| format!("{name}: {rule}: the generator, crates/postman, breaks this rule")));
    }
    faults.extend(rules::missing_operations(collection, document));
    let gaps = uncovered(document, setup).into_iter().chain(unblamed(document, setup, answers));
    faults.extend(gaps.map(|gap| format!("{gap}: see the postman.yaml of its resource")));
    let missing = answers.missing(document, setup).into_iter().filter(|_| *is_reference);
    let answers_file = &files.answers;
    faults.extend(missing.map(|name| format!("{answers_file}: lacks an answer of {name}; {REFRESH}")));
    let undocumented = answers.undocumented(document, setup).into_iter();
    faults.extend(undocumented.map(|name| format!("{answers_file}: {name}: not in the document; {REFRESH}")));
    faults
}

const REFRESH: &str = "`cargo xtask contract sqlite --write` takes the answers from a run";

fn write(application: &'static Application) -> Outcome {
    let wanted = generate(application)?;
    let mut written = vec![];
    for (name, value) in wanted.files() {
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

fn path(name: &str) -> PathBuf {
    run::root().join(name)
}

fn read(name: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path(name));
    text.with_context(|| format!("cannot read {name}: `cargo xtask postman write` makes it"))
}

/// The first plain account and the first admin of the demo data: what a first start lets one log in with.
struct DemoUsers {
    plain: Option<DemoUser>,
    admin: Option<DemoUser>,
}

/// Address and password.
struct DemoUser {
    email: String,
    password: String,
}

fn demo_users(files: &Files) -> anyhow::Result<DemoUsers> {
    let name = &files.fixtures;
    let text = std::fs::read_to_string(path(name)).with_context(|| format!("cannot read {name}"))?;
    let mut entries = vec![];
    for part in yaml_serde::Deserializer::from_str(&text) {
        let part: Value = serde::Deserialize::deserialize(part).with_context(|| format!("{name} is no YAML"))?;
        match part {
            Value::Array(list) => entries.extend(list),
            entry => entries.push(entry),
        }
    }
    let users = entries.iter().filter(|entry| entry["model"] == "users.User").map(|entry| &entry["properties"]);
    let users: Vec<&Value> = users.collect();
    let first = |admin: bool| {
        let user = users.iter().find(|user| (user["role"] == "admin") == admin)?;
        let text = |name: &str| Some(user[name].as_str()?.to_owned());
        Some(DemoUser { email: text("email")?, password: text("password")? })
    };
    Ok(DemoUsers { plain: first(false), admin: first(true) })
}

/// The variables of the environment that hold the demo accounts.
fn demo_values(files: &Files) -> anyhow::Result<BTreeMap<String, String>> {
    let DemoUsers { plain, admin } = demo_users(files)?;
    let users = [("email", "password", plain), ("adminEmail", "adminPassword", admin)];
    let values = users.into_iter().filter_map(|(email, password, user)| Some((email, password, user?)));
    Ok(values
        .flat_map(|(email, password, user)| [(email, user.email), (password, user.password)])
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::ACCORD;

    fn generated() -> Generated {
        generate(&ACCORD).expect("the committed document")
    }

    fn request<'a>(collection: &'a Value, name: &str) -> &'a Value {
        requests(collection).into_iter().find(|(_, item)| item["name"] == name).expect("a request of this name").1
    }

    /// All lines of a request's scripts.
    fn scripts(item: &Value) -> String {
        let events = item["event"].as_array().into_iter().flatten();
        let lines = events.flat_map(|event| event["script"]["exec"].as_array().into_iter().flatten());
        lines.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_breaks_no_rule() {
        let (one, two) = (generated(), generated());
        for ((name, one), (_, two)) in one.files().into_iter().zip(two.files()) {
            assert_eq!(text(one), text(two), "{name}");
        }
        assert_eq!(faults_of(&one), Vec::<String>::new());
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
        let mut generated = generated();
        generated.collection["item"][0]["item"][0]["request"]["url"]["raw"] = "{{other}}/x".into();
        let faults = faults_of(&generated).join("\n");
        assert!(
            faults.contains("\"Read your account\": url: `raw` is not what `host`, `path` and `query` say"),
            "{faults}"
        );
        assert!(faults.contains("\"get_user\": 0 requests for this operation"), "{faults}");
        assert!(faults.contains("{{other}}: neither in the environment nor set by a script"), "{faults}");
    }

    #[test]
    fn a_refusal_that_names_a_fault_is_asked_to() {
        let mut generated = generated();
        let answer = serde_json::json!({"x": {"operation": "vote", "status": 404, "media_type": null, "headers": {},
            "request": {"method": "POST", "target": "/", "headers": {}, "body": null},
            "body": {"code": "not_voted", "errors": [{"location": "body"}]}}});
        generated.answers = Answers::parse(&answer.to_string()).expect("answers");
        let faults = faults_of(&generated).join("\n");
        assert!(faults.contains("`not_voted` of vote names a part of the request"), "{faults}");
    }

    #[test]
    fn a_new_status_a_new_code_and_a_lost_answer_are_asked_for() {
        let mut generated = generated();
        let document = &mut generated.document;
        let refusal = document["paths"]["/api/v1/user"]["post"]["responses"]["400"].clone();
        document["paths"]["/api/v1/user"]["post"]["responses"]["418"] = refusal;
        let codes = document["components"]["schemas"]["Code"]["enum"].as_array_mut().expect("codes");
        codes.push("teapot".into());
        codes.retain(|code| code != "forbidden");
        let faults = faults_of(&generated).join("\n");
        assert!(faults.contains("no request provokes 418 of register_user"), "{faults}");
        assert!(faults.contains("no request provokes the code `teapot`"), "{faults}");
        assert!(faults.contains("the document has no code `forbidden`"), "{faults}");
        assert!(faults.contains("lacks an answer of register_user 418"), "{faults}");
    }

    /// Every id below a value, in order.
    fn ids(value: &Value) -> Vec<String> {
        let mut found = vec![];
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    if key == "id" || key == "_postman_id" {
                        found.extend(value.as_str().map(str::to_owned));
                    }
                    found.extend(ids(value));
                }
            }
            Value::Array(list) => found.extend(list.iter().flat_map(ids)),
            _ => {}
        }
        found
    }

    /// Rewords every title, summary and description of a document.
    fn reworded(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    match value {
                        Value::String(text) if ["title", "summary", "description"].contains(&key.as_str()) => {
                            *text = format!("Another {text}");
                        }
                        value => reworded(value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(reworded),
            _ => {}
        }
    }

    #[test]
    fn other_words_and_another_order_keep_every_id() {
        let Generated { mut document, setup, answers, collection, failures, .. } = generated();
        reworded(&mut document);
        document["paths"].as_object_mut().expect("paths").sort_keys();
        let again = accord_postman::collection(&document, &setup, &answers);
        for (before, after) in [(collection, again), (failures, accord_postman::failures(&document, &setup))] {
            assert_ne!(before["info"]["name"], after["info"]["name"]);
            let (before, after) = (ids(&before), ids(&after));
            assert!(before.len() > 100, "{}", before.len());
            let lost: Vec<_> = before.iter().filter(|id| !after.contains(id)).collect();
            assert!(lost.is_empty() && before.len() == after.len(), "{lost:?}");
        }
    }

    #[test]
    fn each_failure_differs_from_the_valid_request_in_what_it_is_about() {
        let all = generated().failures;
        let of = |name: &str| request(&all, name)["request"].clone();
        assert_eq!(of("401 unauthenticated – List posts")["auth"]["type"], "noauth");
        assert_eq!(of("403 forbidden – Change a post")["auth"]["bearer"][0]["value"], "{{strangerJWT}}");
        assert_eq!(of("404 not_found – Read a post")["url"]["variable"][0]["value"], "9007199254740991");
        assert_eq!(of("428 precondition_required – Delete a post")["header"], serde_json::json!([]));
        let raw = &of("400 unknown_parameter – Read a post")["url"]["raw"];
        assert!(raw.as_str().is_some_and(|raw| raw.ends_with("?unknown=1")), "{raw}");
        let body = |name: &str| of(name)["body"].clone();
        assert!(!body("400 invalid – Create a post")["raw"].as_str().expect("JSON").contains("title"));
        assert_eq!(body("400 empty_patch – Change a post")["raw"], "{}");
        let vote = body("409 already_voted – Vote for a post");
        assert!(vote["raw"].as_str().expect("JSON").contains(": {{votedPostId}},"), "{vote}");
        let form = body("401 invalid_credentials – Log in")["urlencoded"].clone();
        assert!(form.as_array().expect("a form").iter().any(|field| field["value"] == "not the password"), "{form}");
    }

    #[test]
    fn what_one_operation_shows_for_all_is_asked_once() {
        let all = generated().failures;
        let count = |code: &str| {
            let names = requests(&all).into_iter().filter_map(|(_, item)| item["name"].as_str());
            names.filter(|name| name.starts_with(&format!("401 {code} "))).count()
        };
        assert_eq!(count("token_signature"), 1);
        assert!(count("unauthenticated") > 40);
    }

    #[test]
    fn the_description_gives_the_reason_for_what_no_click_provokes() {
        let Generated { setup, failures, .. } = generated();
        let description = failures["info"]["description"].as_str().expect("a text");
        for reason in &setup.failures.unreachable {
            let named = description.contains(&format!("`{}`", reason.code));
            assert!(named && description.contains(&reason.why), "{description}");
        }
        let timeout = description.contains("408 `request_timeout` (Register");
        assert!(timeout && !description.contains("()"), "{description}");
    }

    #[test]
    fn every_place_of_the_scripts_is_filled_from_the_document() {
        let failures = generated().failures;
        let lines = failures["event"][0]["script"]["exec"].as_array().expect("lines").iter();
        let script = lines.filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
        assert!(script.contains("\"POST\", \"/api/v1/user\""), "{script}");
        let posts = "\"variable\": \"postId\",\n    \"key\": \"id\",\n    \"path\": \"/api/v1/posts\"";
        assert!(script.contains(posts), "{script}");
        assert!(script.contains("\"variable\": \"permissionName\",\n    \"key\": \"name\""), "{script}");
        let blank = script.split('<').skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        assert_eq!(blank, None, "an operation that the document does not have");
    }
}
