//! `postman run`: newman with both collections in every way a tester may use them, each way on a server and a
//! database of its own.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use super::newman::{self, Counted, Newman, Run};
use super::{COLLECTION, ENVIRONMENT, FAILURES, Generated, compare, generate, path, text};
use crate::product::{self, Server};
use crate::report::{Failed, Outcome, Report};

/// One way to use a collection: what is run one after the other on one server.
struct Way {
    name: String,
    runs: Vec<Step>,
}

/// One start of newman.
struct Step {
    collection: PathBuf,
    folder: Option<String>,
    /// With the environment that the step before has left, instead of the committed one.
    goes_on: bool,
    /// How many items must have been sent.
    requests: usize,
}

/// What is the same for all ways.
struct Stage {
    newman: Newman,
    binary: PathBuf,
    scratch: tempfile::TempDir,
}

/// Ways that go on at the same time: newman computes most of the time, and two cores are what one can count on.
const AT_ONCE: usize = 2;

/// Every way is green, with a request for every operation.
pub fn run() -> Outcome {
    let newman = newman::find()?;
    let binary = product::build()?;
    let stage = Stage { newman, binary, scratch: tempfile::tempdir()? };
    let generated = generate()?;
    let ways = ways(&generated, &stage)?;
    let queue = Mutex::new(ways.into_iter());
    let (done, failed) = (Mutex::new(vec![]), Mutex::new(vec![]));
    let next = || queue.lock().map(|mut queue| queue.next()).unwrap_or_default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(way) = next() {
                    let since = Instant::now();
                    let line = |note: &str| format!("{:<34} {note}, {:.1} s", way.name, since.elapsed().as_secs_f64());
                    match go(&stage, &way) {
                        Ok((requests, assertions)) => {
                            eprintln!("{}", line(&format!("{requests:>3} requests, {assertions:>4} checks")));
                            push(&done, (requests, assertions));
                        }
                        Err(error) => {
                            eprintln!("{}", line("FAILED"));
                            push(&failed, (way.name.clone(), error));
                        }
                    }
                }
            });
        }
    });
    let (done, failed) = (done.into_inner().unwrap_or_default(), failed.into_inner().unwrap_or_default());
    if !failed.is_empty() {
        let count = failed.iter().map(|(_, error)| error.downcast_ref::<Failed>().map_or(1, |f| f.failed)).sum();
        let texts: Vec<String> = failed.iter().map(|(name, error)| format!("{name}:\n{error:#}")).collect();
        let repair = "change the code or xtask/src/postman, then `cargo xtask postman run`";
        return Err(Failed::new(done.len(), count, format!("{}\n{repair}", texts.join("\n\n"))).into());
    }
    let requests: usize = done.iter().map(|(requests, _)| requests).sum();
    let assertions: usize = done.iter().map(|(_, assertions)| assertions).sum();
    Ok(Report::passed(done.len(), format!("{requests} requests, {assertions} checks in {} ways", done.len())))
}

fn push<T>(list: &Mutex<Vec<T>>, entry: T) {
    if let Ok(mut list) = list.lock() {
        list.push(entry);
    }
}

/// Every way there is.
fn ways(generated: &Generated, stage: &Stage) -> anyhow::Result<Vec<Way>> {
    let count = |collection: &Value| compare::requests(collection).len();
    let step = |collection: &Path, requests: usize, goes_on: bool| Step {
        collection: collection.to_owned(),
        folder: None,
        goes_on,
        requests,
    };
    let (committed, all) = (path(COLLECTION), count(&generated.collection));
    let (failures, refused) = (path(FAILURES), count(&generated.failures));
    let reversed = stage.scratch.path().join("reversed.json");
    std::fs::write(&reversed, text(&backwards(&generated.collection)))?;
    let mut ways = vec![
        Way { name: "failures".into(), runs: vec![step(&failures, refused, false)] },
        Way { name: "everything, twice".into(), runs: vec![step(&committed, all, false), step(&committed, all, true)] },
        Way { name: "everything, backwards".into(), runs: vec![step(&reversed, all, false)] },
    ];
    let folders = generated.collection["item"].as_array().into_iter().flatten();
    ways.extend(folders.map(|folder| {
        let name = folder["name"].as_str().unwrap_or_default();
        let requests = folder["item"].as_array().map_or(0, Vec::len);
        let step = Step { folder: Some(name.into()), ..step(&committed, requests, false) };
        Way { name: format!("only the folder {name}"), runs: vec![step] }
    }));
    Ok(ways)
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

/// All runs of a way: how many requests were sent, and how many checks were made.
fn go(stage: &Stage, way: &Way) -> anyhow::Result<(usize, usize)> {
    let folder = tempfile::tempdir_in(stage.scratch.path())?;
    let database = format!("sqlite:{}", folder.path().join("postman.db").display());
    let server = Server::start(&stage.binary, folder.path(), &database)?;
    let mut environment = path(ENVIRONMENT);
    let (mut requests, mut assertions) = (0, 0);
    for (number, step) in way.runs.iter().enumerate() {
        let before = if step.goes_on { environment } else { path(ENVIRONMENT) };
        let counted = stage
            .newman
            .run(&Run {
                collection: &step.collection,
                environment: &before,
                folder: step.folder.as_deref(),
                base_url: &server.address,
                scratch: folder.path().join(number.to_string()),
            })
            .with_context(|| format!("the server's last lines:\n{}", server.log_tail()))?;
        hold(step, &counted)?;
        requests += counted.requests;
        assertions += counted.assertions.len();
        environment = counted.environment;
    }
    Ok((requests, assertions))
}

fn hold(step: &Step, counted: &Counted) -> Result<(), Failed> {
    let failures = counted.failures();
    if !failures.is_empty() {
        return Err(Failed::new(0, failures.len(), failures.join("\n")));
    }
    if counted.requests != step.requests {
        let text = format!("{} requests were sent, there are {}", counted.requests, step.requests);
        return Err(Failed::new(0, 1, text));
    }
    Ok(())
}
