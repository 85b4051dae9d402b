//! The table of rules for people: `openapi/RULES.md`, and `spec explain`.

use std::fmt::Write;

use super::rules::{self, Prefix, Rule};

/// What `spec explain` says about an id.
pub fn explained(id: &str, rule: &Rule) -> String {
    let verdict = match (rule.prefix, id.starts_with("request-")) {
        _ if rule.request == rule.response => rule.request.name().to_owned(),
        (Prefix::Bare, _) => rule.request.name().to_owned(),
        (_, true) => format!("{}; in a response: {}", rule.request.name(), rule.response.name()),
        (_, false) => format!("{}; in a request: {}", rule.response.name(), rule.request.name()),
    };
    format!("{id} ({verdict})\n\n{}\n{}\n", rule.meaning, rule.advice)
}

/// `openapi/RULES.md`
pub fn rules_page() -> String {
    let mut page = String::from(PREFACE);
    for rules in rules::ALL.chunk_by(|one, other| one.group == other.group) {
        let directed = rules.iter().any(|rule| is_directed(rule));
        let columns = if directed {
            "| id | request | response | |\n|---|---|---|---|"
        } else {
            "| id | verdict | |\n|---|---|---|"
        };
        let _ = writeln!(page, "\n## {}\n\n{columns}", rules[0].group);
        for rule in rules {
            let verdicts = if directed { by_direction(rule) } else { rule.request.name().to_owned() };
            let _ = writeln!(page, "| {} | {verdicts} | {} {} |", id_of(rule), rule.meaning, rule.advice);
        }
    }
    page
}

fn is_directed(rule: &Rule) -> bool {
    matches!(rule.prefix, Prefix::Place | Prefix::Direction)
}

/// The id, with what stands for the places.
fn id_of(rule: &Rule) -> String {
    match rule.prefix {
        Prefix::Bare => format!("`{}`", rule.name),
        Prefix::Place => format!("`…-{}`", rule.name),
        Prefix::Direction => format!("`(request\\|response)-{}`", rule.name),
        Prefix::Security => format!("`api-[global-]security-{}`", rule.name),
    }
}

/// The verdicts of a rule in a table that has both columns; an id may say that only one is meant.
fn by_direction(rule: &Rule) -> String {
    let says = |word| !is_directed(rule) && rule.name.contains(word);
    let request = if says("response") { "" } else { rule.request.name() };
    let response = if says("request") { "" } else { rule.response.name() };
    format!("{request} | {response}")
}

const PREFACE: &str = "\
# Rules for changes of the API

What `cargo xtask spec diff` tells, and how it judges. This file is made by `cargo xtask spec write` from the table in
`crates/openapi/src/diff/rules.rs`; `cargo xtask spec check` holds it to that table. `cargo xtask spec explain ID` shows one
rule.

- **breaking**: some callers fail. **risky**: some callers may notice: their SDK's names, what they rely on without a
  promise, or who else may call. **compatible**: whoever calls the old API can call the new one. **wording**: only texts
  and examples differ.
- The same change in a request and in a response breaks different people, so a rule has a verdict for each.
- `…` stands for the place: `request-parameter`, `request-body`, `request-property`, `response-header`,
  `response-body`, `response-property`.
- In callbacks and webhooks the server calls: what is sent and received there changes columns, and what is compatible
  elsewhere is risky.
- What is read only does not travel in requests, and what is write only not in responses: a difference there is at
  most compatible.
";
