//! The answers that a changed request may get.

use serde_json::Value;

use crate::document::{Operation, Parameter};
use crate::exchange::Answer;
use crate::suites::constraint::Constraint;
use crate::suites::draft::{Change, Content, Draft};
use crate::suites::failure::Failure;
use crate::suites::random::scenario::{Choice, Verdict};
use crate::suites::server::Server;

/// The operation of this id.
pub fn find<'a>(server: &Server<'a>, id: &str) -> Result<&'a Operation, Failure> {
    let found = server.plan.document.by_id(id);
    found.ok_or_else(|| Failure::without("C-SETUP", format!("there is no operation {id}"), "an operationId"))
}

/// The answers that a changed request may get.
#[derive(Debug)]
pub struct Outlook {
    /// The statuses that may refuse the request; if there is one, the request must be refused.
    pub refusals: Vec<u16>,
    /// The statuses for a name that does not exist.
    pub unmatched: Vec<u16>,
    /// Set if any other declared status may come, but no refusal of input.
    pub any: bool,
}

/// The answers that the request with these choices may get.
pub fn outlook(server: &Server<'_>, operation: &Operation, draft: &Draft, choices: &[Choice]) -> Outlook {
    let mut broken: Vec<Constraint> = vec![];
    let unread = server.plan.setup.needs(&operation.id).letter.iter().map(|said| said.status).collect();
    let mut outlook = Outlook { refusals: vec![], unmatched: unread, any: false };
    for choice in choices {
        match &choice.verdict {
            Verdict::Breaks(constraint) => broken.push(*constraint),
            Verdict::Fits => {}
            Verdict::Unmatched(status) => outlook.unmatched.push(*status),
            Verdict::MayMatch => outlook.any = true,
            Verdict::Judged(status) => {
                outlook.unmatched.extend(status);
                let text = choice.changes.iter().find_map(|change| match change {
                    Change::Parameter(place, name, Some(text)) => Some((operation.parameter(place, name)?, text)),
                    _ => None,
                });
                if text.is_some_and(|(parameter, text)| !fits(server, parameter, text)) {
                    broken.push(Constraint::Type);
                }
            }
        }
    }
    // each change alone may be valid and all of them together not
    if let (Some(body), Content::Value(value)) = (&operation.body, &draft.body)
        && body.is_json()
        && !server.plan.document.allows(&body.schema, value)
    {
        broken.push(Constraint::Type);
    }
    if let (Some(body), Content::Value(value)) = (operation.body.as_ref().filter(|body| !body.is_json()), &draft.body)
        && !server.plan.document.allows(&body.schema, &texts(value))
    {
        broken.push(Constraint::Type);
    }
    for constraint in broken {
        let declared = |status: &&u16| constraint == Constraint::Method || operation.declares(**status);
        outlook.refusals.extend(constraint.statuses().iter().filter(declared));
    }
    outlook
}

/// A form knows texts only.
fn texts(value: &Value) -> Value {
    let text = |value: &Value| Value::from(value.as_str().map_or_else(|| value.to_string(), Into::into));
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), text(value))).collect())
}

/// Returns whether a text of a query is what the document allows.
fn fits(server: &Server<'_>, parameter: &Parameter, encoded: &str) -> bool {
    let text = decoded(encoded);
    let value = match parameter.schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map(Value::from),
        Some("boolean") => return text == "true" || text == "false",
        Some("number") => return text.parse::<f64>().is_ok(),
        _ => Ok(Value::from(text)),
    };
    value.is_ok_and(|value| server.plan.document.allows(&parameter.schema, &value))
}

fn decoded(text: &str) -> String {
    let mut url = match reqwest::Url::parse("http://query") {
        Ok(url) => url,
        Err(_) => return text.into(),
    };
    url.set_query(Some(&format!("x={text}")));
    url.query_pairs().next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Checks that an answer is one of those that the request may get.
pub fn judge(outlook: &Outlook, answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    let accepted = (200..300).contains(&status);
    let words = |statuses: &[u16]| statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    if !outlook.refusals.is_empty() {
        let expected = [&outlook.refusals[..], &outlook.unmatched].concat();
        if expected.contains(&status) || outlook.any && status >= 400 {
            return Ok(());
        }
        let sentence = if accepted { "what the document forbids is accepted" } else { "another status" };
        return Err(Failure::of("C-NEG", sentence, words(&expected), answer));
    }
    if accepted || outlook.unmatched.contains(&status) || outlook.any && ![400, 422].contains(&status) {
        return Ok(());
    }
    let mut expected = "a success".to_owned();
    if !outlook.unmatched.is_empty() {
        expected = format!("{expected}, or {}", words(&outlook.unmatched));
    }
    Err(Failure::of("C-POS", "what the document allows is not accepted", expected, answer))
}
