//! Checks of an answer against the document, and against the conventions of the server.

use serde::Deserialize;
use serde_json::Value;

use crate::document::{Document, Operation, Unnamed};
use crate::exchange::Answer;

/// Headers of HTTP that mean a promise: they may be sent only where the document declares them.
const DECLARED: &[&str] = &["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate"];

/// The conventions of a server that its document does not state.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Habits {
    /// Paths that are served and not documented; `/docs/*` stands for all below.
    pub undocumented: Vec<String>,
    /// Headers of every answer.
    pub headers: Vec<String>,
    /// Whether a path that takes GET takes HEAD.
    pub head: bool,
    /// Whether every path answers OPTIONS, with 204 and `Allow`.
    pub options: bool,
    /// The one form of all errors; without it errors are held to the document only.
    pub problem: Option<Problem>,
}

/// The form of an error.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The media type.
    pub media_type: String,
    /// The member that repeats the status.
    pub status: Option<String>,
    /// Members that repeat a header.
    #[serde(default)]
    pub repeats: Vec<(String, String)>,
    /// The member with the stable error code.
    pub code: Option<String>,
    /// The member that lists the parts of the request that are at fault.
    pub faults: Option<String>,
    /// The members of a fault that together say its place: `body/title`, `query.limit`.
    #[serde(default)]
    pub place: Vec<String>,
    /// The prefix of the place of a part of the body; its JSON pointer follows.
    #[serde(default = "body")]
    pub body: String,
    /// The place of a parameter.
    #[serde(default = "parameter")]
    pub parameter: String,
}

fn body() -> String {
    "body".into()
}

fn parameter() -> String {
    "{in}.{name}".into()
}

/// A violation of the document by an answer.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The check that found it: `C-SCHEMA`.
    pub check: &'static str,
    /// The violation in one sentence.
    pub sentence: String,
    /// The answer that the document asks for.
    pub expected: String,
}

impl Habits {
    /// The methods that a path takes, as `Allow` names them; none if there is no such path.
    pub fn allow(&self, document: &Document, path: &str) -> Vec<String> {
        let mut methods: Vec<String> = document.methods(path).into_iter().map(Into::into).collect();
        if self.head && methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".into());
        }
        if self.options && !methods.is_empty() {
            methods.push("OPTIONS".into());
        }
        methods.sort();
        methods.dedup();
        methods
    }

    fn serves(&self, path: &str) -> bool {
        self.undocumented.iter().any(|known| match known.strip_suffix('*') {
            Some(above) => path.starts_with(above),
            None => path == known,
        })
    }
}

impl Problem {
    /// The place of a part of the body.
    pub fn body_place(&self, pointer: &str) -> String {
        format!("{}{pointer}", self.body)
    }

    /// The place of a parameter.
    pub fn parameter_place(&self, place: &str, name: &str) -> String {
        self.parameter.replace("{in}", place).replace("{name}", name)
    }

    /// The parts of the request that an error blames.
    pub fn blamed(&self, body: &Value) -> Vec<String> {
        let faults = self.faults.as_ref().and_then(|name| body[name].as_array());
        let text = |fault: &Value, name: &String| fault[name].as_str().unwrap_or_default().to_owned();
        let place = |fault: &Value| self.place.iter().map(|name| text(fault, name)).collect();
        faults.into_iter().flatten().map(place).collect()
    }
}

/// Checks an answer against the document and the conventions.
///
/// # Errors
/// The first violation.
pub fn hold(document: &Document, habits: &Habits, answer: &Answer) -> Result<(), Violation> {
    let (method, path) = (answer.request.method.as_str(), answer.request.path());
    let operation = document.operation(method, path).filter(|_| method != "HEAD" || habits.head);
    let fails =
        answer.status == 500 || (answer.status > 500 && operation.is_some_and(|o| o.response(answer.status).is_none()));
    ensure(!fails, "C-5XX", "no request makes the server fail", "any other status")?;
    for name in &habits.headers {
        let missing = answer.header(name).unwrap_or_default().is_empty();
        ensure(!missing, "C-HEADER", "every answer has this header", name)?;
    }
    let allow = habits.allow(document, path);
    let trimmed = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match operation {
        _ if method == "OPTIONS" && habits.options && !allow.is_empty() => {
            ensure(answer.status == 204 && answer.bytes.is_empty(), "C-OPTIONS", "OPTIONS has no content", "204")?;
            allowed(answer, &allow)
        }
        Some(operation) => documented(document, habits, answer, operation),
        None if !allow.is_empty() => {
            ensure(answer.status == 405, "C-405", "the document has no such operation on this path", "405")?;
            allowed(answer, &allow)?;
            problem(document, habits, answer)
        }
        None if habits.serves(trimmed) => match answer.status {
            // a probe says in its own words that the server is not ready
            400.. if answer.status != 503 => problem(document, habits, answer),
            _ => Ok(()),
        },
        None => {
            ensure(answer.status == 404, "C-ROUTES", "there is no such path", "404")?;
            problem(document, habits, answer)
        }
    }
}

fn documented(document: &Document, habits: &Habits, answer: &Answer, operation: &Operation) -> Result<(), Violation> {
    let statuses = operation.responses.keys().cloned().collect::<Vec<_>>().join(", ");
    let Some((_, response)) = operation.response(answer.status) else {
        return violation("C-UNDOC-STATUS", "the document does not declare this status", statuses);
    };
    headers(document, answer, response)?;
    if answer.status >= 400 {
        problem(document, habits, answer)?;
    } else if let Some(body) = operation.body.as_ref().filter(|body| body.is_json()) {
        // what was accepted must be what the document accepts
        let sent = answer.request.body.as_deref().and_then(|bytes| body.read(bytes)).unwrap_or_default();
        let faults = document.faults(&body.schema, Unnamed::Allowed, &sent);
        ensure(faults.is_empty(), "C-NEG", "a body was accepted that the document forbids", faults.join("\n"))?;
    }
    let content = response["content"].as_object();
    let Some(content) = content.filter(|content| !content.is_empty() && answer.request.method != "HEAD") else {
        return ensure(answer.bytes.is_empty(), "C-MEDIA", "this answer has no content", "an empty body");
    };
    let media_type = answer.media_type().unwrap_or_default();
    let Some(declared) = content.get(media_type) else {
        let known = content.keys().cloned().collect::<Vec<_>>().join(", ");
        return violation("C-MEDIA", format!("the document does not declare {media_type:?} here"), known);
    };
    if !media_type.ends_with("json") {
        return Ok(());
    }
    let body: Value = match serde_json::from_slice(&answer.bytes) {
        Ok(body) => body,
        Err(error) => return violation("C-JSON", format!("the body is no JSON: {error}"), "JSON"),
    };
    let faults = document.faults(&declared["schema"], Unnamed::Refused, &body);
    ensure(faults.is_empty(), "C-SCHEMA", "the body breaks its schema", faults.join("\n"))
}

fn headers(document: &Document, answer: &Answer, response: &Value) -> Result<(), Violation> {
    let declared = response["headers"].as_object().cloned().unwrap_or_default();
    for (name, header) in &declared {
        let Some(text) = answer.header(name) else {
            let required = header["required"] == true;
            ensure(!required, "C-HEADER", "a required header is missing", name)?;
            continue;
        };
        let number = text.parse::<i64>().ok().filter(|_| header["schema"]["type"] == "integer");
        let value = number.map_or_else(|| Value::from(text), Value::from);
        let faults = document.faults(&header["schema"], Unnamed::Refused, &value);
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
fn problem(document: &Document, habits: &Habits, answer: &Answer) -> Result<(), Violation> {
    let Some(form) = habits.problem.as_ref().filter(|_| answer.request.method != "HEAD") else { return Ok(()) };
    let is_problem = answer.media_type() == Some(&form.media_type);
    ensure(is_problem, "C-PROBLEM", "every error is a problem", &form.media_type)?;
    if let Some(name) = &form.status {
        let repeated = answer.body[name] == answer.status;
        ensure(repeated, "C-PROBLEM", &format!("`{name}` is that of HTTP"), answer.status.to_string())?;
    }
    for (name, header) in &form.repeats {
        let (said, sent) = (answer.body[name].as_str(), answer.header(header));
        ensure(said == sent, "C-PROBLEM", &format!("`{name}` is {header}"), format!("{sent:?}"))?;
    }
    let responses = document.operations.iter().flat_map(|operation| &operation.responses);
    let errors = responses.filter(|(status, _)| status.starts_with(['4', '5']));
    let mut schemas = errors.map(|(_, response)| &response["content"][&form.media_type]["schema"]);
    if let Some(schema) = schemas.find(|schema| schema.is_object()) {
        let faults = document.faults(schema, Unnamed::Refused, &answer.body);
        ensure(faults.is_empty(), "C-PROBLEM", "the problem breaks its schema", faults.join("\n"))?;
    }
    // a pointer leads to what was sent, or to what is missing in it
    let sent = answer.request.body.as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    for place in form.blamed(&answer.body) {
        let pointer = place.strip_prefix(&form.body).filter(|pointer| pointer.starts_with('/'));
        let (Some(pointer), Some(sent)) = (pointer, &sent) else { continue };
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        ensure(sent.pointer(parent).is_some(), "C-PROBLEM", "a pointer leads nowhere", place)?;
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
    let mut sent: Vec<_> = answer.header("Allow").unwrap_or_default().split(',').map(str::trim).collect();
    sent.sort_unstable();
    ensure(sent == allow, "C-ALLOW", "Allow names what the path takes", allow.join(", "))
}

fn ensure(holds: bool, check: &'static str, sentence: &str, expected: impl Into<String>) -> Result<(), Violation> {
    if holds { Ok(()) } else { violation(check, sentence, expected) }
}

fn violation(check: &'static str, sentence: impl Into<String>, expected: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { check, sentence: sentence.into(), expected: expected.into() })
}
