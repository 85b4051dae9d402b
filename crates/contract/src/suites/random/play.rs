//! Plays a scenario: what each answer must be follows from the document and from the answers before.

mod outlook;
mod pages;
mod sequence;

use std::collections::BTreeMap;

use serde_json::Value;

use super::scenario::{Choice, Scenario};
use crate::document::Operation;
use crate::suites::draft::Change;
use crate::suites::failure::Failure;
use crate::suites::judge::echoes;
use crate::suites::server::{Server, difference};
use outlook::{find, judge, outlook};
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
