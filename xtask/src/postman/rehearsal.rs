//! `postman run`: newman with both collections in every way a tester may use them, each way on a server and a
//! database of its own.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use super::newman::{self, Counted, Newman, Run};
use super::{Files, demo_users, path, read, setup, text};
use crate::application::Application;
use crate::product::{self, Server};
use crate::report::{Failed, Outcome, Report};
use crate::spec;

/// One way to use a collection: what is run one after the other on one server.
struct Way<'s> {
    stage: &'s Stage,
    name: String,
    runs: Vec<Step>,
}

/// One start of newman.
struct Step {
    collection: PathBuf,
    folder: Option<String>,
    /// How many items must have been sent.
    requests: usize,
    /// Set if one of its requests asks for the rate limit.
    limited: bool,
    /// With the environment that the step before has left, instead of the committed one.
    goes_on: bool,
    /// On a new server with an empty database, which knows nothing of what the environment holds.
    elsewhere: bool,
}

/// The common parts of all ways of an application.
struct Stage {
    application: &'static Application,
    files: Files,
    newman: Newman,
    binary: PathBuf,
    scratch: tempfile::TempDir,
}

/// Ways that go on at the same time: newman computes most of the time, and two cores are what one can count on.
const AT_ONCE: usize = 2;

/// How many requests a way has sent, and how many checks they have made.
type Sent = (usize, usize);

/// Every way is green.
pub fn run(applications: &[&'static Application]) -> Outcome {
    let stages = applications.iter().map(|application| Stage::of(application)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut all = vec![];
    for stage in &stages {
        all.extend(ways(stage)?);
    }
    let queue = Mutex::new(all.into_iter());
    let ended: Vec<(String, anyhow::Result<Sent>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| work(&queue))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let (mut requests, mut checks, mut faults, mut failed) = (0, 0, vec![], 0);
    let count = ended.len();
    for (name, result) in ended {
        match result {
            Ok(sent) => (requests, checks) = (requests + sent.0, checks + sent.1),
            Err(error) => {
                failed += error.downcast_ref::<Failed>().map_or(1, |failed| failed.failed);
                faults.push(format!("{name}:\n{error:#}"));
            }
        }
    }
    if !faults.is_empty() {
        let passed = count - faults.len();
        faults.push(
            "change the code, the postman.yaml of a resource or crates/postman, then `cargo xtask postman run`".into(),
        );
        return Err(Failed::new(passed, failed, faults.join("\n\n")).into());
    }
    Ok(Report::passed(count, format!("{requests} requests, {checks} checks in {count} ways")))
}

/// Goes one way after the other, as long as there is one left.
fn work<'s>(queue: &Mutex<impl Iterator<Item = Way<'s>>>) -> Vec<(String, anyhow::Result<Sent>)> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut ended = vec![];
    while let Some(way) = next() {
        let since = Instant::now();
        let sent = go(&way);
        let what = match &sent {
            Ok((requests, checks)) => format!("{requests:>3} requests, {checks:>4} checks"),
            Err(_) => "FAILED".to_owned(),
        };
        eprintln!("{:<30} {what}, {:.1} s", way.name, since.elapsed().as_secs_f64());
        ended.push((way.name, sent));
    }
    ended
}

/// The ways of an application. The requests for the operations of the foundation are the same in each application, and so
/// are their scripts: the reference application sends them in every order. Of another application, the failures are sent
/// that only it has.
fn ways(stage: &Stage) -> anyhow::Result<Vec<Way<'_>>> {
    let Stage { application, files, .. } = stage;
    let (document, setup) = (spec::committed_of(application)?, setup(files)?);
    let (all, refused) = (stage.committed(&files.collection, false)?, stage.committed(&files.failures, true)?);
    let way = |name: &str, runs: Vec<Step>| {
        let prefix = if application.is_reference { String::new() } else { format!("{}: ", application.name) };
        Way { stage, name: prefix + name, runs }
    };
    let folders = |collection: &Collection| collection.value["item"].as_array().cloned().unwrap_or_default();
    let one = |collection: &Collection, folder: &Value| {
        let (name, requests) = (text_of(&folder["name"]), folder["item"].as_array().map_or(0, Vec::len));
        Step { folder: Some(name), requests, ..collection.step() }
    };
    if !application.is_reference {
        let refused = Collection { limited: false, ..refused };
        let names = |document: &Value| -> Vec<Value> {
            document["tags"].as_array().into_iter().flatten().map(|tag| tag["name"].clone()).collect()
        };
        let (tags, known) = (names(&document), names(&spec::committed()?));
        let is_own = |folder: &Value| tags.contains(&folder["name"]) && !known.contains(&folder["name"]);
        let own = folders(&refused).into_iter().filter(is_own).map(|folder| one(&refused, &folder)).collect();
        return Ok(vec![way("all", vec![all.step()]), way("its own failures", own)]);
    }
    let damaged = accord_postman::damaged(&document, &setup, &all.value, &refused.value);
    let damaged = Collection { limited: true, ..stage.temporary("damaged", damaged)? };
    let backwards = stage.temporary("backwards", backwards(&all.value))?;
    let alone = stage.temporary("alone", each_alone(&all.value, &json(&files.environment)?))?;
    let again = Step { goes_on: true, ..all.step() };
    let mut ways = vec![
        way("failures", vec![refused.step()]),
        way("on damaged answers", vec![damaged.step()]),
        way(
            "twice, and on another server",
            vec![all.step(), again, Step { goes_on: true, elsewhere: true, ..all.step() }],
        ),
        way("backwards", vec![backwards.step()]),
        way("each request alone", vec![alone.step()]),
    ];
    // of the failures only the folder that gets in the way of what comes behind it
    let limits = folders(&refused).into_iter().filter(|folder| folder["name"] == setup.failures.last.name.as_str());
    let single = folders(&all).into_iter().map(|folder| (&all, folder)).chain(limits.map(|folder| (&refused, folder)));
    ways.extend(single.map(|(collection, folder)| {
        way(&format!("only the folder {}", text_of(&folder["name"])), vec![one(collection, &folder)])
    }));
    Ok(ways)
}

/// A collection and the file it is in.
struct Collection {
    value: Value,
    file: PathBuf,
    limited: bool,
}

impl Collection {
    fn step(&self) -> Step {
        let requests = accord_postman::requests(&self.value).len();
        let (collection, limited) = (self.file.clone(), self.limited);
        Step { collection, folder: None, requests, limited, goes_on: false, elsewhere: false }
    }
}

impl Stage {
    fn of(application: &'static Application) -> anyhow::Result<Self> {
        let (files, newman, binary) = (Files::of(application), newman::find()?, application.build()?);
        Ok(Self { application, files, newman, binary, scratch: tempfile::tempdir()? })
    }

    fn committed(&self, name: &str, limited: bool) -> anyhow::Result<Collection> {
        Ok(Collection { value: json(name)?, file: path(name), limited })
    }

    fn temporary(&self, name: &str, value: Value) -> anyhow::Result<Collection> {
        let file = self.scratch.path().join(format!("{name}.json"));
        std::fs::write(&file, text(&value))?;
        Ok(Collection { value, file, limited: false })
    }
}

fn json(name: &str) -> anyhow::Result<Value> {
    serde_json::from_str(&read(name)?).with_context(|| format!("{name} is no JSON: `cargo xtask postman write`"))
}

/// As if each request were clicked with the environment just imported.
fn each_alone(collection: &Value, environment: &Value) -> Value {
    let mut alone = collection.clone();
    let imported = environment["values"].as_array().into_iter().flatten().filter(|value| value["key"] != "baseUrl");
    let imported = imported.map(|value| (text_of(&value["key"]), value["value"].clone()));
    let lines = [
        "const address = pm.environment.get(\"baseUrl\");".to_owned(),
        "pm.environment.clear();".to_owned(),
        "pm.environment.set(\"baseUrl\", address);".to_owned(),
        format!("const imported = {};", Value::Object(imported.collect())),
        "Object.entries(imported).forEach(([name, value]) => pm.environment.set(name, value));".to_owned(),
    ];
    let events = alone["event"].as_array_mut().into_iter().flatten();
    for event in events.filter(|event| event["listen"] == "prerequest") {
        if let Some(script) = event["script"]["exec"].as_array_mut() {
            script.splice(0..0, lines.iter().map(|line| Value::from(line.as_str())));
        }
    }
    alone
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The last folder first, and in each the last request first.
fn backwards(collection: &Value) -> Value {
    let mut reversed = collection.clone();
    for folder in reversed["item"].as_array_mut().into_iter().flatten() {
        if let Some(items) = folder["item"].as_array_mut() {
            items.reverse();
        }
    }
    if let Some(folders) = reversed["item"].as_array_mut() {
        folders.reverse();
    }
    reversed
}

/// All runs of a way.
fn go(way: &Way<'_>) -> anyhow::Result<Sent> {
    let stage = way.stage;
    let folder = tempfile::tempdir_in(stage.scratch.path())?;
    let mut server = stage.server(folder.path(), way)?;
    let committed = path(&stage.files.environment);
    let mut environment = committed.clone();
    let (mut requests, mut assertions) = (0, 0);
    for (number, step) in way.runs.iter().enumerate() {
        let scratch = folder.path().join(number.to_string());
        std::fs::create_dir(&scratch)?;
        if step.elsewhere {
            server = stage.server(&scratch, way)?;
        }
        let before = if step.goes_on { environment } else { committed.clone() };
        let run = Run {
            collection: &step.collection,
            environment: &before,
            folder: step.folder.as_deref(),
            base_url: &server.address,
            scratch,
        };
        let counted = stage.newman.run(&run);
        let counted = counted.with_context(|| format!("the server's last lines:\n{}", server.log_tail()))?;
        hold(step, &counted)?;
        requests += counted.requests;
        assertions += counted.assertions.len();
        environment = counted.environment;
    }
    Ok((requests, assertions))
}

impl Stage {
    /// A server in this folder whose database has an admin, and nobody else. Where no request asks for the limit it
    /// allows more calls than by default, or most of the time would be spent waiting; where one does, passwords take
    /// little memory, or a slow machine would never call often enough to be refused.
    fn server(&self, folder: &Path, way: &Way<'_>) -> anyhow::Result<Server> {
        let limited = way.runs.iter().any(|step| step.limited);
        // webhooks call nobody
        // on a busy machine minutes pass between the login of a run and the end of its account
        let mut settings = vec![("TASK_WORKERS", "0"), ("FRESH_LOGIN", "86400")];
        if limited {
            settings.push(("PASSWORD_MEMORY", "64"));
        } else {
            settings.extend([("RATE_LIMIT", "300"), ("RATE_LIMIT_ACCOUNT", "300")]);
        }
        // the same wrong password again and again: each run of a collection tries it once
        settings.push(("LOGIN_FAILURES", "0"));
        let database = format!("sqlite:{}", folder.join("postman.db").display());
        let server = Server::start_with(&self.binary, folder, &database, &settings)?;
        let admin = demo_users(&self.files)?.admin.context("the demo data has no admin")?;
        let properties = json!({"email": admin.email, "password": admin.password, "role": "admin"});
        let file = folder.join("admin.yaml");
        std::fs::write(&file, json!([{"model": "users.User", "properties": properties}]).to_string())?;
        product::load(&self.binary, folder, &database, &["--paths", &file.display().to_string()])?;
        Ok(server)
    }
}

fn hold(step: &Step, counted: &Counted) -> Result<(), Failed> {
    let failures = counted.failures();
    if !failures.is_empty() {
        return Err(Failed::new(0, failures.len(), failures.join("\n")));
    }
    if counted.requests != step.requests {
        let text = format!("{} of {} requests were sent", counted.requests, step.requests);
        return Err(Failed::new(0, 1, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backwards_is_the_other_way_round_at_both_levels() {
        let collection = json!({"item": [{"item": [1, 2]}, {"item": [3]}]});
        assert_eq!(backwards(&collection), json!({"item": [{"item": [3]}, {"item": [2, 1]}]}));
    }

    #[test]
    fn alone_means_that_the_environment_is_imported_anew_each_time() {
        let collection = json!({"event": [{"listen": "prerequest", "script": {"exec": ["prepare();"]}}]});
        let environment = json!({"values": [{"key": "baseUrl", "value": "a"}, {"key": "email", "value": "b"}]});
        let alone = each_alone(&collection, &environment);
        let lines = alone["event"][0]["script"]["exec"].as_array().expect("lines").clone();
        assert_eq!(lines.last(), Some(&json!("prepare();")));
        assert!(lines.contains(&json!("const imported = {\"email\":\"b\"};")), "{lines:?}");
    }

    #[test]
    fn a_failed_check_and_a_request_that_was_not_sent_are_failures() {
        let step = Step {
            collection: PathBuf::new(),
            folder: None,
            requests: 2,
            limited: false,
            goes_on: false,
            elsewhere: false,
        };
        let counted = |requests, error: Option<&str>| Counted {
            requests,
            assertions: vec![newman::Assertion {
                request: "Log in".into(),
                test: "status is 200".into(),
                error: error.map(Into::into),
            }],
            environment: PathBuf::new(),
        };
        assert!(hold(&step, &counted(2, None)).is_ok());
        let found = hold(&step, &counted(1, None)).expect_err("one is missing").to_string();
        assert_eq!(found, "1 of 2 requests were sent");
        let found = hold(&step, &counted(2, Some("no"))).expect_err("a check failed").to_string();
        assert_eq!(found, "request \"Log in\" › status is 200: no");
    }
}
