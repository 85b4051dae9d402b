//! Checks of an answer: the right refusal, or the sent values, stored and read back.

use serde_json::Value;

use super::case::{Case, Expect};
use super::draft::Change;
use super::failure::Failure;
use super::server::{Base, Server};
use crate::document::Operation;
use crate::exchange::Answer;

/// Whether an answer is the refusal that a case asks for.
pub fn refusal(
    server: &Server<'_>,
    case: &Case,
    answer: &Answer,
    statuses: &[u16],
    code: Option<&str>,
    blames: Option<&str>,
) -> Result<(), Failure> {
    let fails = |sentence: String| {
        let check = if matches!(case.expect, Expect::Refused { .. }) { case.constraint.check() } else { "C-POS" };
        Err(Failure::of(check, sentence, case.expect.to_string(), answer))
    };
    if !statuses.contains(&answer.status) {
        let accepted = (200..300).contains(&answer.status) && matches!(case.expect, Expect::Refused { .. });
        return fails(if accepted { "what the document forbids is accepted" } else { "another status" }.into());
    }
    let Some(problem) = &server.plan.setup.habits.problem else { return Ok(()) };
    if answer.request.method == "HEAD" || answer.bytes.is_empty() {
        return Ok(());
    }
    let said = problem.code.as_ref().and_then(|name| answer.body[name].as_str());
    if let (Some(code), Some(said)) = (code, said)
        && code != said
    {
        return fails(format!("the code is `{said}`"));
    }
    let Some(place) = blames else { return Ok(()) };
    let blamed = problem.blamed(&answer.body);
    if blamed.is_empty() || blamed.iter().any(|other| other != place) {
        return fails(format!("it blames {}", if blamed.is_empty() { "nothing".into() } else { blamed.join(", ") }));
    }
    Ok(())
}

/// HEAD answers what GET does, without the content.
pub fn mirrored(get: &Answer, head: &Answer) -> Result<(), Failure> {
    let names = ["Content-Type", "ETag", "WWW-Authenticate", "Cache-Control", "Last-Modified"];
    let differs = names.iter().find(|name| get.header(name) != head.header(name));
    if get.status != head.status || !head.bytes.is_empty() || differs.is_some() {
        let what = differs.map_or("the status or the content", |name| *name);
        let sentence = format!("HEAD differs from GET in {what}");
        return Err(Failure::of("C-HEAD", sentence, format!("{} {:?}", get.status, get.headers), head));
    }
    Ok(())
}

/// Checks that the answer repeats the sent values. A value that was not sent is the default, or the value before.
pub fn echoes(
    server: &Server<'_>,
    operation: &Operation,
    before: Option<&Answer>,
    answer: &Answer,
) -> Result<(), Failure> {
    let Some(body) = operation.body.as_ref().filter(|_| answer.body.is_object()) else { return Ok(()) };
    let sent = answer.request.body.as_deref().and_then(|bytes| body.read(bytes)).unwrap_or_default();
    let altered = &server.plan.setup.needs(&operation.id).altered;
    for (name, schema) in body.schema["properties"].as_object().into_iter().flatten() {
        let Some(answered) = answer.body.get(name).filter(|_| !altered.contains(name)) else { continue };
        let (check, expected) = match (sent.get(name), schema.get("default"), before) {
            (Some(sent), ..) => ("C-ECHO", sent),
            (None, Some(default), _) => ("C-DEFAULT", default),
            (None, None, Some(before)) if operation.method == "PATCH" => match before.body.get(name) {
                Some(before) => ("C-PATCH-EFFECT", before),
                None => continue,
            },
            _ => continue,
        };
        if !same(expected, answered) {
            let sentence = format!("`{name}` is {answered}");
            return Err(Failure::of(check, sentence, expected.to_string(), answer));
        }
    }
    Ok(())
}

/// Values are the same, times also if they are written differently.
fn same(one: &Value, other: &Value) -> bool {
    let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok();
    let number = |value: &Value| value.as_f64();
    one == other
        || time(one).is_some_and(|one| time(other) == Some(one))
        || number(one).is_some_and(|one| number(other) == Some(one))
}

/// The answer of GET at the same path, if the document has that operation.
pub async fn read(server: &Server<'_>, operation: &Operation, base: &Base) -> Result<Option<Answer>, Failure> {
    let path = base.draft.request(operation).path().to_owned();
    let Some(get) = server.plan.document.operation("GET", &path) else { return Ok(None) };
    let mut draft = base.draft.clone();
    draft.change(get, &Change::Method("GET".into()));
    (draft.body, draft.media_type) = Default::default();
    draft.headers.clear();
    draft.query.clear();
    server.send(get, &draft, &base.word).await.map(Some)
}

/// Checks that a read returns the written values: at the same path, or at `Location`.
pub async fn read_back(
    server: &Server<'_>,
    operation: &Operation,
    base: &Base,
    answer: &Answer,
) -> Result<(), Failure> {
    let read = match (operation.method.as_str(), answer.header("Location")) {
        ("PUT" | "PATCH", _) => read(server, operation, base).await?,
        ("POST", Some(location)) if operation.protected => {
            let path = location.strip_prefix(&server.address).unwrap_or(location);
            let Some(get) = server.plan.document.operation("GET", path) else {
                return Err(Failure::of(
                    "C-LOCATION",
                    "Location leads to no operation",
                    "a path of the document",
                    answer,
                ));
            };
            let mut draft = base.draft.clone();
            (draft.method, draft.path) = ("GET".into(), path.into());
            (draft.body, draft.media_type, draft.variables, draft.query) = Default::default();
            let read = server.send(get, &draft, &base.word).await?;
            if read.status != 200 {
                return Err(Failure::of("C-LOCATION", "what was created is not where Location says", "200", &read));
            }
            Some(read)
        }
        _ => None,
    };
    let Some(read) = read.filter(|read| read.body.is_object() && answer.body.is_object()) else { return Ok(()) };
    let differs = |(name, value): (&String, &Value)| answer.body.get(name).is_some_and(|answered| answered != value);
    let first = read.body.as_object().into_iter().flatten().find(|pair| differs(*pair));
    if let Some((name, _)) = first {
        let expected = format!("`{name}` as it was answered: {}", answer.body[name]);
        return Err(Failure::of("C-ECHO", format!("`{name}` is read otherwise than it was written"), expected, &read));
    }
    if let (Some(written), Some(now)) = (answer.header("ETag"), read.header("ETag"))
        && written != now
    {
        return Err(Failure::of("C-ETAG-SAME", "the ETag is another when read", written, &read));
    }
    Ok(())
}
