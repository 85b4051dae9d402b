//! `xtask/mutants.toml`: what is changed, and how.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::contract::DatabaseKind;
use crate::run;

/// Where the list stands.
const LIST: &str = "xtask/mutants.toml";

/// All mutants by what they change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutants {
    pub document: Vec<Edit>,
    pub collection: Vec<Edit>,
    pub migration: Vec<Patch>,
    pub code: Vec<Patch>,
}

/// A change of one node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub name: String,
    /// JSON pointer (RFC 6901), but that a step into a list may be the name of an entry.
    at: String,
    /// The new value; without one the node is removed.
    to: Option<Value>,
}

/// A change of one place of a file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    pub name: String,
    /// From the root of the repository.
    pub file: String,
    pub from: String,
    pub to: String,
    /// The contract test that must fail, as `module::name`. Without one, all checks of a server are tried.
    pub test: Option<String>,
    /// The database of `test`; SQLite if not given.
    #[serde(default)]
    pub database: DatabaseKind,
}

impl Mutants {
    /// The list, each name in it once.
    pub fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(run::root().join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
        let mutants: Self = toml::from_str(&text).with_context(|| format!("{LIST} is not as it should be"))?;
        let edits = mutants.document.iter().chain(&mutants.collection).map(|edit| edit.name.as_str());
        let patches = mutants.migration.iter().chain(&mutants.code).map(|patch| patch.name.as_str());
        let mut names = BTreeSet::new();
        if let Some(name) = edits.chain(patches).find(|name| !names.insert(*name)) {
            bail!("{LIST}: two mutants are called `{name}`");
        }
        Ok(mutants)
    }
}

impl Edit {
    /// The value with this change.
    ///
    /// # Errors
    /// The pointer leads nowhere, or the value is there already: the list is older than what it changes.
    pub fn apply(&self, whole: &Value) -> anyhow::Result<Value> {
        let mut mutant = whole.clone();
        let stale = || format!("`at` leads nowhere, bring {LIST} up to date: {}", self.at);
        let steps = self.at.strip_prefix('/').with_context(stale)?.split('/');
        let mut steps: Vec<String> = steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let last = steps.pop().with_context(stale)?;
        let mut parent = &mut mutant;
        for step in &steps {
            parent = match parent {
                Value::Array(list) => index(list, step).and_then(|index| list.get_mut(index)),
                parent => parent.get_mut(step),
            }
            .with_context(stale)?;
        }
        match (parent, &self.to) {
            (Value::Object(map), Some(to)) => drop(map.insert(last, to.clone())),
            (Value::Object(map), None) => drop(map.shift_remove(&last).with_context(stale)?),
            (Value::Array(list), to) => {
                let index = index(list, &last).with_context(stale)?;
                match to {
                    Some(to) => list[index] = to.clone(),
                    None => drop(list.remove(index)),
                }
            }
            _ => bail!(stale()),
        }
        if mutant == *whole {
            bail!("it changes nothing, bring {LIST} up to date");
        }
        Ok(mutant)
    }
}

/// What a step means in a list: a number, or the entry of that name.
fn index(list: &[Value], step: &str) -> Option<usize> {
    let is_called = |entry: &Value| ["name", "key", "listen"].iter().any(|word| entry[word] == step);
    let named = || list.iter().position(is_called);
    step.parse().ok().filter(|index| *index < list.len()).or_else(named)
}

impl Patch {
    /// The text of the file with this change.
    ///
    /// # Errors
    /// `from` does not stand in it exactly once.
    pub fn apply(&self, text: &str) -> anyhow::Result<String> {
        match text.matches(&self.from).count() {
            1 => Ok(text.replacen(&self.from, &self.to, 1)),
            count => bail!("`from` stands {count} times in {}, bring {LIST} up to date", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_listed_change_can_be_made() {
        let mutants = Mutants::read().expect("the list");
        let document = crate::spec::committed().expect("the document");
        for edit in &mutants.document {
            edit.apply(&document).unwrap_or_else(|error| panic!("{}: {error}", edit.name));
        }
        let collection = crate::postman::collection(&crate::application::ACCORD).expect("the collection");
        for edit in &mutants.collection {
            edit.apply(&collection).unwrap_or_else(|error| panic!("{}: {error}", edit.name));
        }
        for patch in mutants.migration.iter().chain(&mutants.code) {
            let text = std::fs::read_to_string(run::root().join(&patch.file)).expect("a file of the repository");
            patch.apply(&text).unwrap_or_else(|error| panic!("{}: {error}", patch.name));
        }
    }

    #[test]
    fn every_named_test_exists() {
        let mutants = Mutants::read().expect("the list");
        for Patch { name, test, .. } in mutants.migration.iter().chain(&mutants.code) {
            let Some(test) = test else { continue };
            let (module, function) = test.split_once("::").unwrap_or_else(|| panic!("{name}: {test} has no module"));
            let file = run::root().join(format!("contract-tests/tests/contract/{module}.rs"));
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {test}: {error}"));
            assert!(text.contains(&format!("fn {function}(")), "{name}: there is no test {test}");
        }
    }

    #[test]
    fn a_node_is_changed_added_or_removed() {
        let whole = json!({ "a/b": [1, 2], "c": {}, "d": [{ "name": "x" }, { "name": "y", "z": 1 }] });
        let edit = |at: &str, to: Option<Value>| Edit { name: "x".into(), at: at.into(), to }.apply(&whole);
        assert_eq!(edit("/a~1b/0", None).expect("removed")["a/b"], json!([2]));
        assert_eq!(edit("/a~1b/1", Some(json!(3))).expect("changed")["a/b"], json!([1, 3]));
        assert_eq!(edit("/c/d", Some(json!(true))).expect("added")["c"], json!({ "d": true }));
        assert_eq!(edit("/d/y/z", None).expect("removed")["d"], json!([{ "name": "x" }, { "name": "y" }]));
        for (at, to) in [("/a~1b/2", None), ("/x/y", None), ("/x", None), ("/a~1b/0", Some(json!(1)))] {
            assert!(edit(at, to).is_err(), "{at}");
        }
    }
}
