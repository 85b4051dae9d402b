//! Holds every exchange to the document, and notes which of its answers were seen.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;

use serde_json::Value;

use crate::answers;
use crate::call::{Answer, Request};
use crate::document::{Document, Operation, Unnamed, document};

/// Names the file that each exchange appends a line to: operation, status, media type.
const SEEN_VARIABLE: &str = "ACCORD_CONTRACT_SEEN";

/// Names the file that each documented answer is appended to, whole, as a line of JSON.
const ANSWERS_VARIABLE: &str = "ACCORD_CONTRACT_ANSWERS";

/// Paths that are served and not documented.
const UNDOCUMENTED: &[&str] =
    &["/", "/docs", "/openapi.json", "/openapi.yaml", "/postman.json", "/health/live", "/health/ready"];

/// Headers that may be sent only where the document declares them.
const DECLARED: &[&str] = &["ETag", "Location", "Retry-After", "WWW-Authenticate"];

const PROBLEM: &str = "application/problem+json";

/// A promise that an answer breaks.
struct Violation {
    check: &'static str,
    sentence: String,
    expected: String,
}

/// Holds an answer to the document.
///
/// # Panics
/// It breaks a promise: with the promise, and with the request as a line to paste.
pub(crate) fn record(answer: &Answer, told: bool) {
    let operation = document().operation(&answer.request.method, answer.request.path());
    let name = operation.map_or("-", |operation| &operation.id);
    let place = operation.map_or(String::new(), |operation| format!(" ({} {})", operation.method, operation.path));
    if let Err(violation) = hold(answer, operation) {
        let Violation { check, sentence, expected } = violation;
        let got = String::from_utf8_lossy(&answer.bytes);
        panic!(
            "{check} {name}{place}: {sentence}\nexpected: {expected}\ngot: {} {:#?}\n{}\n{}",
            answer.status,
            answer.headers,
            got.chars().take(2000).collect::<String>(),
            curl(&answer.request),
        );
    }
    let cell = if answer.request.method == "HEAD" { "-" } else { name };
    append(SEEN_VARIABLE, || format!("{cell} {} {}", answer.status, media_type(answer).unwrap_or("-")));
    if let Some(operation) = operation.filter(|_| cell != "-" && answer.status < 500) {
        append_some(ANSWERS_VARIABLE, || answers::kept(operation, answer, told).map(|kept| kept.to_string()));
    }
}

fn append(variable: &str, line: impl FnOnce() -> String) {
    append_some(variable, || Some(line()));
}

/// Adds a line to the file that a variable names, if it is set.
fn append_some(variable: &str, line: impl FnOnce() -> Option<String>) {
    let Some((path, line)) = std::env::var_os(variable).and_then(|path| Some((path, line()?))) else { return };
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of what was seen");
    // one write of one line: those of other processes do not cut into it
    file.write_all(format!("{line}\n").as_bytes()).expect("the file of what was seen");
}

/// Every answer that the document promises: operation, status, media type (`-` without content).
pub fn cells(document: &Document) -> BTreeSet<(String, String, String)> {
    let of_response = |operation: &Operation, status: &String, response: &Value| {
        let content = response["content"].as_object().into_iter().flatten();
        let mut media_types: Vec<String> = content.map(|(media_type, _)| media_type.clone()).collect();
        if media_types.is_empty() {
            media_types.push("-".into());
        }
        let cell = |media_type| (operation.id.clone(), status.clone(), media_type);
        media_types.into_iter().map(cell).collect::<Vec<_>>()
    };
    let of_operation = |operation: &Operation| {
        let responses = operation.responses.iter();
        responses.flat_map(|(status, response)| of_response(operation, status, response)).collect::<Vec<_>>()
    };
    document.operations.iter().flat_map(of_operation).collect()
}

fn hold(answer: &Answer, operation: Option<&Operation>) -> Result<(), Violation> {
    let (method, path) = (answer.request.method.as_str(), answer.request.path());
    ensure(answer.status != 500, "C-5XX", "no request makes the server fail", "any other status")?;
    let id = answer.header("X-Request-Id").unwrap_or_default();
    ensure(!id.is_empty(), "C-HEADER", "every answer has an X-Request-Id", "X-Request-Id")?;

    let allow = document().allow(path);
    let trimmed = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match operation {
        _ if method == "OPTIONS" && !allow.is_empty() => {
            ensure(answer.status == 204 && answer.bytes.is_empty(), "C-OPTIONS", "OPTIONS has no content", "204")?;
            allowed(answer, &allow)
        }
        Some(operation) => documented(answer, operation),
        None if !allow.is_empty() => {
            ensure(answer.status == 405, "C-405", "the document has no such operation on this path", "405")?;
            allowed(answer, &allow)?;
            problem(answer)
        }
        None if UNDOCUMENTED.contains(&trimmed) || trimmed.starts_with("/docs/") => match answer.status {
            // readiness answers 503 in its own words
            400.. if trimmed != "/health/ready" => problem(answer),
            _ => Ok(()),
        },
        None => {
            ensure(answer.status == 404, "C-ROUTES", "there is no such path", "404")?;
            problem(answer)
        }
    }
}

fn documented(answer: &Answer, operation: &Operation) -> Result<(), Violation> {
    let statuses = operation.responses.keys().cloned().collect::<Vec<_>>().join(", ");
    let Some((_, response)) = operation.response(answer.status) else {
        return violation("C-UNDOC-STATUS", "the document does not declare this status", statuses);
    };
    headers(answer, response)?;
    if answer.status >= 400 {
        problem(answer)?;
    } else if let Some(body) = operation.body.as_ref().filter(|body| body.is_json()) {
        // what was accepted must be what the document accepts
        let sent =
            answer.request.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let faults = document().faults(&body.schema, Unnamed::Allowed, &sent);
        ensure(faults.is_empty(), "C-NEG", "a body was accepted that the document forbids", faults.join("\n"))?;
    }
    let content = response["content"].as_object();
    let Some(content) = content.filter(|content| !content.is_empty() && answer.request.method != "HEAD") else {
        return ensure(answer.bytes.is_empty(), "C-MEDIA", "this answer has no content", "an empty body");
    };
    let media_type = media_type(answer).unwrap_or_default();
    let Some(declared) = content.get(media_type) else {
        let known = content.keys().cloned().collect::<Vec<_>>().join(", ");
        return violation("C-MEDIA", format!("the document does not declare {media_type:?} here"), known);
    };
    let body: Value = match serde_json::from_slice(&answer.bytes) {
        Ok(body) => body,
        Err(error) => return violation("C-JSON", format!("the body is no JSON: {error}"), "JSON"),
    };
    let faults = document().faults(&declared["schema"], Unnamed::Refused, &body);
    ensure(faults.is_empty(), "C-SCHEMA", "the body breaks its schema", faults.join("\n"))
}

fn headers(answer: &Answer, response: &Value) -> Result<(), Violation> {
    let declared = response["headers"].as_object().cloned().unwrap_or_default();
    for (name, header) in &declared {
        let Some(text) = answer.header(name) else {
            let required = header["required"] == true;
            ensure(!required, "C-HEADER", "a required header is missing", name)?;
            continue;
        };
        let number = text.parse::<i64>().ok().filter(|_| header["schema"]["type"] == "integer");
        let value = number.map_or_else(|| Value::from(text), Value::from);
        let faults = document().faults(&header["schema"], Unnamed::Refused, &value);
        ensure(faults.is_empty(), "C-HEADER-SCHEMA", &format!("{name} breaks its schema"), faults.join("\n"))?;
    }
    let is_declared = |name: &str| declared.keys().any(|other| other.eq_ignore_ascii_case(name));
    let undeclared = DECLARED.iter().find(|name| answer.header(name).is_some() && !is_declared(name));
    match undeclared {
        Some(name) => violation("C-HEADER", "the document does not declare this header here", format!("no {name}")),
        None => Ok(()),
    }
}

/// The one form of every error.
fn problem(answer: &Answer) -> Result<(), Violation> {
    if answer.request.method == "HEAD" {
        return Ok(());
    }
    let is_problem = media_type(answer) == Some(PROBLEM);
    ensure(is_problem, "C-PROBLEM", "every error is a problem", PROBLEM)?;
    let (status, id) = (&answer.body["status"], answer.body["request_id"].as_str());
    ensure(*status == answer.status, "C-PROBLEM", "`status` is that of HTTP", answer.status.to_string())?;
    ensure(id == answer.header("X-Request-Id"), "C-PROBLEM", "`request_id` is X-Request-Id", format!("{id:?}"))?;
    let problems = document().operations.iter().flat_map(|operation| operation.responses.values());
    let schema = problems.map(|response| &response["content"][PROBLEM]["schema"]).find(|schema| schema.is_object());
    let faults = document().faults(schema.expect("the document has problems"), Unnamed::Refused, &answer.body);
    ensure(faults.is_empty(), "C-PROBLEM", "the problem breaks its schema", faults.join("\n"))?;
    // a pointer leads to what was sent, or to what is missing in it
    let sent = answer.request.body.as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    for error in answer.body["errors"].as_array().into_iter().flatten() {
        let (Some(pointer), Some(sent)) = (error["pointer"].as_str(), &sent) else { continue };
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        ensure(sent.pointer(parent).is_some(), "C-PROBLEM", "a pointer leads nowhere", pointer)?;
    }
    let wanted = match answer.status {
        401 => "WWW-Authenticate",
        405 => "Allow",
        429 | 503 => "Retry-After",
        _ => return Ok(()),
    };
    ensure(answer.header(wanted).is_some(), "C-HEADER", "this status needs a header", wanted)
}

fn allowed(answer: &Answer, allow: &[String]) -> Result<(), Violation> {
    let mut sent: Vec<_> = answer.header("Allow").unwrap_or_default().split(", ").collect();
    sent.sort_unstable();
    ensure(sent == allow, "C-ALLOW", "Allow names what the path takes", allow.join(", "))
}

pub(crate) fn media_type(answer: &Answer) -> Option<&str> {
    answer.header("Content-Type").map(|value| value.split(';').next().unwrap_or_default().trim())
}

fn ensure(holds: bool, check: &'static str, sentence: &str, expected: impl Into<String>) -> Result<(), Violation> {
    if holds { Ok(()) } else { violation(check, sentence, expected) }
}

fn violation(check: &'static str, sentence: impl Into<String>, expected: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { check, sentence: sentence.into(), expected: expected.into() })
}

/// The request as a line for a shell, to a server that `cargo run` has started.
fn curl(request: &Request) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut words =
        vec!["curl -i -X".into(), request.method.clone(), quote(&format!("http://127.0.0.1:3000{}", request.target))];
    for (name, value) in &request.headers {
        words.extend(["-H".into(), quote(&format!("{name}: {value}"))]);
    }
    match &request.body {
        Some(body) if body.len() > 2000 => words.push(format!("--data-binary @FILE # {} bytes", body.len())),
        Some(body) => words.extend(["--data-binary".into(), quote(&String::from_utf8_lossy(body))]),
        None => {}
    }
    words.join(" ")
}
