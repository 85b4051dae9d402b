//! The facts that the collections need and the document does not contain: an application keeps them in a file.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::operation::Operation;
use crate::recipe::{Recipe, Unreachable};

/// The settings of the generator for one API. Every key may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// The name of the environment.
    pub environment: String,
    /// The address that the collections and the environment begin with.
    pub base_url: String,
    /// A text that is hashed into every id, so that two APIs have different ids.
    pub ids: String,
    /// The variables that stand first in the environment: those that a person sets.
    pub first: Vec<String>,
    /// The variables that hold tokens and passwords. The app masks their values, and a comparison does not print them.
    pub secret: Vec<String>,
    /// The variable with the token that a request sends. Without it, no request is authorized.
    pub token: Option<String>,
    /// The operations that an admin sends.
    pub admin: Admin,
    /// Operations without a scope that reject every account but the owner's with 403.
    pub owned: Vec<String>,
    /// Members of a login response, and the variables that store them.
    pub tokens: Map<String, Value>,
    /// Values of body fields, by operation and field, that replace the example of the document.
    pub fields: BTreeMap<String, Map<String, Value>>,
    /// Body fields, by operation, that are documented and not sent.
    pub omitted: BTreeMap<String, Vec<String>>,
    /// The operations whose code arrives by e-mail.
    pub mailed: Mailed,
    /// Variables, by operation, that are set after a success: the value is an expression of the test script.
    pub keep: BTreeMap<String, Map<String, Value>>,
    /// Scripts, by operation, that run before the request and after the script of the collection.
    pub before: BTreeMap<String, String>,
    /// The collection of failures.
    pub failures: Failures,
    /// The script in front of every request.
    pub prepare: Prepare,
}

/// The script in front of every request: it makes what a request uses and the environment lacks. `<operation_id>` in it
/// becomes the path of that operation, and `<resources>` the list of the collections whose members can be created and read.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prepare {
    /// The script. The parts stand in place of its lines `<first>` and `<parts>`, as far indented as these.
    pub script: String,
    /// The parts that run before the objects of a request are created: they set variables for them.
    pub first: Vec<String>,
    /// The parts for both collections.
    pub every: Vec<String>,
    /// The parts for the collection of failures.
    pub failures: Vec<String>,
}

/// The operations that an admin sends: those that ask for one of the scopes, and those that are listed.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// The variable with the token of the admin.
    pub token: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Operation ids.
    pub operations: Vec<String>,
}

/// Requests that need a code from an e-mail. A script cannot read e-mail, so the variable is empty unless a person sets
/// it, and the server then rejects the request with 400.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mailed {
    /// The variable with the code from the e-mail.
    pub variable: String,
    /// The error code, by operation, of a request with an invalid code.
    pub codes: BTreeMap<String, String>,
}

/// The settings of the collection of failures.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failures {
    /// The description of the collection; the list of unreachable codes follows.
    pub description: String,
    /// The error codes outside of every operation.
    pub anywhere: Option<Anywhere>,
    /// The folder with the recipes that are marked `last`.
    pub last: Last,
    /// Values of path parameters that name nothing, by parameter; the others get a large number.
    pub unknown: BTreeMap<String, String>,
    /// The request that provokes each error code.
    pub recipes: Vec<Recipe>,
    /// Error codes that no request provokes.
    pub unreachable: Vec<Unreachable>,
}

/// The error codes outside of every operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anywhere {
    /// The code of a path that the document does not have.
    pub path: String,
    /// The code of a method that a path does not take.
    pub method: String,
}

/// A folder.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Last {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
}

impl Setup {
    /// Reads the settings from YAML.
    ///
    /// # Errors
    /// Returns an error if the text is not YAML, or has a key that [`Setup`] does not have.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        yaml_serde::from_str(text).context("not a setup of the collections")
    }

    /// Returns an id in the form of a UUID that depends on nothing but the name, so that a new import finds the old
    /// items. Names are made of operation ids, statuses and codes, never of texts that people reword.
    pub(crate) fn id(&self, name: &str) -> Value {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(format!("{}/{name}", self.ids))[..16]);
        // the version and variant bits of a name-based UUID: importers look at them
        bytes[6] = bytes[6] & 0x0f | 0x50;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |range: std::ops::Range<usize>| hex[range].concat();
        json!(format!("{}-{}-{}-{}-{}", part(0..4), part(4..6), part(6..8), part(8..10), part(10..16)))
    }

    /// Returns whether an admin sends the request.
    pub(crate) fn by_admin(&self, operation: &Operation<'_>) -> bool {
        let scopes = operation.scopes();
        self.admin.scopes.iter().any(|scope| scopes.contains(&scope.as_str()))
            || self.admin.operations.iter().any(|id| id == operation.id)
    }

    /// Returns whether the server rejects another account with 403.
    pub(crate) fn is_owned(&self, operation: &Operation<'_>) -> bool {
        self.owned.iter().any(|id| id == operation.id) || !operation.scopes().is_empty()
    }

    /// Returns the value of a body field that replaces the document's example.
    pub(crate) fn field(&self, operation: &str, field: &str) -> Option<&Value> {
        self.fields.get(operation)?.get(field)
    }

    /// Returns whether a documented body field is not sent.
    pub(crate) fn omits(&self, operation: &str, field: &str) -> bool {
        self.omitted.get(operation).is_some_and(|fields| fields.iter().any(|omitted| omitted == field))
    }

    /// Returns the error code of a request whose code from an e-mail is invalid.
    pub(crate) fn without_mail(&self, operation: &str) -> Option<&str> {
        self.mailed.codes.get(operation).map(String::as_str)
    }

    /// Returns the variables that are set after a success, and their expressions.
    pub(crate) fn kept(&self, operation: &str) -> impl Iterator<Item = (&str, &str)> {
        let kept = self.keep.get(operation).into_iter().flatten();
        kept.filter_map(|(variable, value)| Some((variable.as_str(), value.as_str()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(Setup::parse("base_url: http://localhost").is_ok());
        let error = Setup::parse("base_uri: http://localhost").err().expect("an error");
        assert!(format!("{error:#}").contains("base_uri"), "{error:#}");
    }

    #[test]
    fn an_id_depends_on_its_name_and_on_the_api() {
        let setup = |ids: &str| Setup { ids: ids.into(), ..Setup::default() };
        assert_eq!(setup("a").id("x"), setup("a").id("x"));
        assert_ne!(setup("a").id("x"), setup("a").id("y"));
        assert_ne!(setup("a").id("x"), setup("b").id("x"));
    }
}
