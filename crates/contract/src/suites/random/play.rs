//! Plays a scenario: what each answer must be follows from the document and from the answers before.

mod pages;
mod sequence;

use std::collections::BTreeMap;

use serde_json::Value;

use super::scenario::{Choice, Scenario, Verdict};
use crate::document::{Operation, Parameter};
use crate::exchange::Answer;
use crate::suites::constraint::Constraint;
use crate::suites::draft::{Change, Content, Draft};
use crate::suites::judge::echoes;
use crate::suites::run::difference;
use crate::suites::server::{Failure, Server};
use sequence::Sequence;

/// Plays it until something is not as it must be.
pub async fn play(server: &Server<'_>, scenario: &Scenario) -> Result<(), Failure> {
    match scenario {
        Scenario::Combination { operation, choices } => combination(server, find(server, operation)?, choices).await,
        Scenario::Sequence { fixture, steps, .. } => Sequence::begin(server, fixture).await?.play(steps).await,
        Scenario::Pages { list, items, deleted, limit, order } => {
            pages::pages(server, find(server, list)?, (*items, *deleted), *limit, order.as_deref()).await
        }
        Scenario::Ended { operation, then } => ended(server, find(server, operation)?, then).await,
    }
}

fn find<'a>(server: &Server<'a>, id: &str) -> Result<&'a Operation, Failure> {
    let found = server.plan.document.by_id(id);
    found.ok_or_else(|| Failure::without("C-SETUP", format!("there is no operation {id}"), "an operationId"))
}

/// What may come of a changed request.
#[derive(Debug)]
struct Outlook {
    /// The statuses that may refuse it; it must be refused if there is one.
    refusals: Vec<u16>,
    /// The statuses that say that what is named does not exist.
    unmatched: Vec<u16>,
    /// Any status that is declared, but no refusal of input.
    any: bool,
}

async fn combination(server: &Server<'_>, operation: &Operation, choices: &[Choice]) -> Result<(), Failure> {
    let base = server.base(operation, None).await?;
    let changes: Vec<Change> = choices.iter().flat_map(|choice| choice.changes.clone()).collect();
    let draft = server.changed(operation, &base, &changes).await?;
    let outlook = outlook(server, operation, &draft, choices);
    let before = if outlook.refusals.is_empty() { None } else { Some(server.state(&base).await?) };
    let answer = server.send(operation, &draft, &base.word).await?;
    judge(&outlook, &answer)?;
    if let Some(before) = before
        && let Some(what) = difference(&before, &server.state(&base).await?)
    {
        let sentence = format!("a request that was refused has changed what {what} answers");
        return Err(Failure::of("C-STATE-ON-ERROR", sentence, "the same answer as before", &answer));
    }
    if outlook.refusals.is_empty() && (200..300).contains(&answer.status) {
        echoes(server, operation, None, &answer)?;
    }
    Ok(())
}

fn outlook(server: &Server<'_>, operation: &Operation, draft: &Draft, choices: &[Choice]) -> Outlook {
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

/// Whether a text of a query is what the document allows.
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

fn judge(outlook: &Outlook, answer: &Answer) -> Result<(), Failure> {
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

/// Ends a session, and uses its credentials on.
async fn ended(server: &Server<'_>, operation: &Operation, then: &[String]) -> Result<(), Failure> {
    let base = server.base(operation, None).await?;
    let answer = server.send(operation, &base.draft, &base.word).await?;
    server.success(operation, &answer)?;
    for id in then {
        let operation = find(server, id)?;
        // what it needs is made by another: the one who has left cannot
        let mut later = {
            let caller = server.somebody(operation, false).await?;
            server.base_by(operation, None, caller, BTreeMap::new()).await?
        };
        later.draft.credentials = server.credentials(operation, &base.caller);
        let answer = server.send(operation, &later.draft, &later.word).await?;
        if answer.status != 401 {
            let sentence = "credentials of a session that has ended still work";
            return Err(Failure::of("C-401", sentence, "401", &answer));
        }
    }
    Ok(())
}

/// A value that says the same with less.
pub fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) if !text.is_empty() => {
            let characters: Vec<char> = text.chars().collect();
            let half: String = characters[..characters.len() / 2].iter().collect();
            let rest: String = characters[characters.len() / 2..].iter().collect();
            let plain = "x".repeat(characters.len());
            [half, rest, plain].into_iter().filter(|other| other != text).map(Value::from).collect()
        }
        Value::Number(number) if number.as_i64() != Some(0) => {
            let halved = number.as_i64().map(|number| number / 2);
            [Some(0), halved].into_iter().flatten().map(Value::from).collect()
        }
        Value::Array(items) if !items.is_empty() => vec![Value::Array(items[..items.len() / 2].to_vec())],
        Value::Object(map) if !map.is_empty() => map
            .keys()
            .map(|name| {
                Value::Object(
                    map.iter().filter(|(other, _)| *other != name).map(|(k, v)| (k.clone(), v.clone())).collect(),
                )
            })
            .collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn simpler_values_come_to_an_end() {
        let mut value = json!({ "a": ["xyz", 12], "b": "\u{1f600}\u{1f600}" });
        for _ in 0..1000 {
            match simpler(&value).into_iter().next() {
                Some(next) => value = next,
                None => return,
            }
        }
        panic!("{value}");
    }
}
