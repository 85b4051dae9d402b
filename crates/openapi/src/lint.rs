//! Our rules for the document, one check each. Ids are those of Spectral and Redocly where they have one.

mod answers;
mod document;
mod examples;
mod grammar;
mod inputs;
mod links;
mod operations;
mod paths;
mod schemas;
#[cfg(test)]
mod tests;
mod texts;
mod whole;
mod words;

use std::collections::HashSet;

use serde_json::{Value, json};

use self::document::{Document, unescape};
use crate::{METHODS, Named};

/// One rule.
pub struct Check {
    /// The id, that of Spectral or Redocly where they have the rule.
    pub id: &'static str,
    /// One sentence: what must hold, and why.
    pub about: &'static str,
    /// The repair of a fault, in one sentence.
    pub repair: &'static str,
    run: fn(&Document) -> Vec<Fault>,
}

/// A place where a rule does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the document.
    pub pointer: String,
    /// The fault, in one sentence.
    pub problem: String,
}

/// Every rule.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [
        whole::CHECKS,
        paths::CHECKS,
        operations::CHECKS,
        inputs::CHECKS,
        answers::CHECKS,
        links::CHECKS,
        schemas::CHECKS,
        texts::CHECKS,
        examples::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Every fault of a document with the rule it breaks; one place is told once a rule.
pub fn faults(document: &Value) -> Vec<(&'static Check, Fault)> {
    let document = Document::new(document);
    let of_check = |check: &'static Check| {
        let mut seen = HashSet::new();
        let faults = (check.run)(&document).into_iter().filter(move |fault| seen.insert(fault.clone()));
        faults.map(move |fault| (check, fault))
    };
    checks().flat_map(of_check).collect()
}

/// Documents, each with its faults.
pub type Found<'a> = [(&'a Named, Vec<(&'static Check, Fault)>)];

/// A paragraph for each rule that is broken: why it is one, what to do, and each place with its pointer.
pub fn as_text(found: &Found) -> String {
    let mut lines = vec![];
    for (named, faults) in found {
        for check in checks() {
            let of_check: Vec<&Fault> =
                faults.iter().filter(|(own, _)| own.id == check.id).map(|(_, fault)| fault).collect();
            if of_check.is_empty() {
                continue;
            }
            lines.push(format!("{}: {}\n  to do: {}", check.id, check.about, check.repair));
            for fault in of_check {
                let place = place(&named.value, &fault.pointer);
                lines.push(format!("  - {place}: {}\n      at {}#{}", fault.problem, named.name, fault.pointer));
            }
        }
    }
    lines.join("\n")
}

/// Returns the faults as a JSON object: the number of rules, and each fault with its document.
pub fn as_json(found: &Found) -> Value {
    let entry = |named: &Named, check: &Check, fault: &Fault| {
        json!({
            "document": named.name,
            "id": check.id,
            "place": place(&named.value, &fault.pointer),
            "pointer": fault.pointer,
            "problem": fault.problem,
            "repair": check.repair,
        })
    };
    let of_document = |(named, faults): &(&Named, Vec<(&'static Check, Fault)>)| {
        faults.iter().map(|(check, fault)| entry(named, check, fault)).collect::<Vec<_>>()
    };
    json!({ "checks": checks().count(), "faults": found.iter().flat_map(of_document).collect::<Vec<_>>() })
}

/// A pointer in words: `delete_post (DELETE /api/v1/posts/{id}) › responses › 404`.
fn place(document: &Value, pointer: &str) -> String {
    let steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    let (head, rest) = match &steps[..] {
        [paths, path, method, rest @ ..] if paths == "paths" && METHODS.contains(&method.as_str()) => {
            let id = document["paths"][path][method]["operationId"].as_str();
            let words = format!("{} {path}", method.to_uppercase());
            (id.map_or(words.clone(), |id| format!("{id} ({words})")), named_parameter(document, path, method, rest))
        }
        [paths, path, rest @ ..] if paths == "paths" => (path.clone(), rest.to_vec()),
        [components, map, name, rest @ ..] if components == "components" => (format!("{map}.{name}"), rest.to_vec()),
        [first, rest @ ..] => (first.clone(), rest.to_vec()),
        [] => ("the document".into(), vec![]),
    };
    // whose field it is says enough
    let rest = rest.iter().filter(|step| *step != "properties").map(|step| format!(" › {step}"));
    format!("{head}{}", rest.collect::<String>())
}

/// `parameters › 3` as `parameter limit`.
fn named_parameter(document: &Value, path: &str, method: &str, rest: &[String]) -> Vec<String> {
    if let [parameters, index, inner @ ..] = rest
        && parameters == "parameters"
        && let Ok(index) = index.parse::<usize>()
        && let Some(name) = document["paths"][path][method]["parameters"][index]["name"].as_str()
    {
        return std::iter::once(format!("parameter {name}")).chain(inner.iter().cloned()).collect();
    }
    rest.to_vec()
}
