//! `postman/answers.json`: for each documented answer one that was really given, as an example for readers.
//!
//! A run accounts for every one: what no run gives any more is no example.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::report::Failed;
use crate::run;

const FILE: &str = "postman/answers.json";
const REPAIR: &str = "`cargo xtask contract sqlite --write` picks them again";

/// By operation, status and media type.
type Answers = BTreeMap<String, Value>;

/// Compares the committed answers with those of a full run; `write` picks them anew.
pub fn account(seen: &Path, write: bool, passed: usize) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(seen)?;
    let seen: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let path = run::root().join(FILE);
    let committed: Answers = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{FILE} is not what {REPAIR}"))?,
        Err(_) => Answers::new(),
    };
    let picked = pick(&committed, &seen);
    if write {
        let text = serde_json::to_string_pretty(&picked)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {FILE}"))?;
        return Ok(format!("{} answers kept in {FILE}", picked.len()));
    }
    let differing = differences(&committed, &picked);
    if differing.is_empty() {
        return Ok(format!("the {} answers of {FILE} were seen", committed.len()));
    }
    let text = format!("{FILE} does not hold what was answered:\n  {}\n{REPAIR}", differing.join("\n  "));
    Err(Failed::new(passed, differing.len(), text).into())
}

/// The committed answer of a cell if it was given again, else the best of those that were.
fn pick(committed: &Answers, seen: &[Value]) -> Answers {
    let mut cells: BTreeMap<String, BTreeSet<(u64, usize, String)>> = BTreeMap::new();
    for answer in seen {
        let mut plain = answer.clone();
        // what a story tells is worth more than what a test has met
        let origin = plain.as_object_mut().and_then(|map| map.shift_remove("origin"));
        let origin = origin.and_then(|origin| origin.as_u64()).unwrap_or(u64::MAX);
        let text = plain.to_string();
        cells.entry(name(&plain)).or_default().insert((origin, text.len(), text));
    }
    let mut picked = Answers::new();
    for (cell, answers) in cells {
        let kept = committed.get(&cell).map(Value::to_string);
        let is_seen = |text: &String| answers.iter().any(|(_, _, seen)| seen == text);
        let best = || answers.first().map(|(_, _, text)| text.clone());
        let chosen = kept.filter(is_seen).or_else(best).and_then(|text| serde_json::from_str(&text).ok());
        picked.extend(chosen.map(|answer| (cell, answer)));
    }
    picked
}

fn name(answer: &Value) -> String {
    let word = |key: &str| match &answer[key] {
        Value::String(word) => word.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    };
    [word("operation"), word("status"), word("media_type")].join(" ")
}

fn differences(committed: &Answers, picked: &Answers) -> Vec<String> {
    let cells: BTreeSet<&String> = committed.keys().chain(picked.keys()).collect();
    let said = |cell: &&String| match (committed.get(*cell), picked.get(*cell)) {
        (Some(ours), Some(theirs)) if ours == theirs => None,
        (Some(_), Some(_)) => Some(format!("{cell}: was not answered in this run")),
        (Some(_), None) => Some(format!("{cell}: nothing has provoked it")),
        _ => Some(format!("{cell}: is missing")),
    };
    cells.iter().filter_map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(origin: u8, body: &str) -> Value {
        json!({ "origin": origin, "operation": "get_post", "status": 200, "media_type": "application/json", "body": body })
    }

    fn answer(body: &str) -> Value {
        json!({ "operation": "get_post", "status": 200, "media_type": "application/json", "body": body })
    }

    #[test]
    fn a_committed_answer_stays_while_it_is_given_and_else_the_shortest_of_the_best_origin_is_picked() {
        let cell = "get_post 200 application/json".to_owned();
        let run = [seen(2, "a"), seen(0, "long and told"), seen(0, "told"), seen(1, "b")];
        let picked = |committed: &Answers| pick(committed, &run)[&cell].clone();
        assert_eq!(picked(&Answers::new()), answer("told"));
        assert_eq!(picked(&Answers::from([(cell.clone(), answer("b"))])), answer("b"));
        let old = Answers::from([(cell.clone(), answer("gone")), ("get_post 404 -".into(), answer("x"))]);
        assert_eq!(picked(&old), answer("told"));
        assert_eq!(differences(&old, &pick(&old, &run)).len(), 2);
    }

    #[test]
    fn an_answer_without_content_has_a_cell_too() {
        assert_eq!(name(&json!({ "operation": "get_post", "status": 304, "media_type": null })), "get_post 304 -");
    }
}
