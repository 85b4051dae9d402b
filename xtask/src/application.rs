//! The application that the tasks work on.

use std::path::Path;

use accord_foundation::application;
use accord_foundation::auth::permission;
use accord_foundation::config::{Config, ConfigError};
use accord_foundation::db::tables::{self, Table};
use accord_foundation::fixtures;
use accord_foundation::server::{document, routes};
use accord_migrate::rows::DeclaredRows;
use serde_json::Value;

/// The version of the contract.
#[cfg(test)]
pub fn version() -> &'static str {
    accord::install();
    document::about().version
}

/// The document that the code serves.
pub fn document() -> &'static Value {
    accord::install();
    document::document()
}

/// The table of operations.
pub fn operations() -> String {
    accord::install();
    routes::operations()
}

/// The setup file of `accord-contract`.
///
/// # Errors
/// Two resources state the same fact.
pub fn contract() -> anyhow::Result<String> {
    accord::install();
    application::contract().map_err(anyhow::Error::msg)
}

/// The setup file of the collections.
///
/// # Errors
/// Two resources state the same fact.
pub fn postman() -> anyhow::Result<String> {
    accord::install();
    application::postman().map_err(anyhow::Error::msg)
}

/// The declared tables.
pub fn tables() -> Vec<Table> {
    accord::install();
    tables::declared().to_vec()
}

/// Reads the configuration that the server would have from here.
///
/// # Errors
/// As [`Config::load`].
pub fn config(file: Option<&Path>) -> Result<Config, ConfigError> {
    accord::install();
    Config::load(file)
}

/// The names of the built-in fixtures.
pub fn fixtures() -> Vec<&'static str> {
    accord::install();
    fixtures::built_in().iter().map(|fixture| fixture.name).collect()
}

/// The permissions that the migrations insert.
pub fn permissions() -> DeclaredRows {
    accord::install();
    let row = |entry: &permission::Entry| {
        let target = entry.target.map(|target| target.as_str().to_owned());
        vec![Some(entry.name.to_owned()), target, Some(entry.description.to_owned())]
    };
    DeclaredRows {
        table: "permissions",
        noun: "permission",
        about: "The permissions that operations require. A row of the same name is overwritten.",
        columns: &["name", "target", "description"],
        dependents: &[("grants", "permission")],
        rows: permission::catalogue().map(row).collect(),
    }
}
