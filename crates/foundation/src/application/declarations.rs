//! The declarations of the application as data, for the developer tasks: the command `declarations` of its binary.

use accord_migrate::rows::Row;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Migrations, application, below, contract, postman};
use crate::auth::permission;
use crate::db::Dialect;
use crate::db::tables::{self, Table};
use crate::fixtures;
use crate::server::{document, routes};

/// All that the developer tasks must know of an application.
#[derive(Serialize, Deserialize)]
pub struct Declarations {
    /// The document.
    pub document: Value,
    /// The list of operations, as text.
    pub operations: String,
    /// The tables.
    pub tables: Vec<Table>,
    /// The permissions that migrations insert: name, target and description of each.
    pub permissions: Vec<Row>,
    /// The names of the fixtures that are part of the binary.
    pub fixtures: Vec<String>,
    /// The names and texts of the migrations that those of the application build on, for each of [`Dialect::ALL`].
    pub below: [Vec<(String, String)>; 2],
    /// The setup file of `accord-contract`.
    pub contract: String,
    /// The setup file of the Postman collections.
    pub postman: String,
}

impl Declarations {
    /// Collects the declarations of the application.
    ///
    /// # Errors
    /// As [`contract`].
    pub fn collect() -> Result<Self, String> {
        let permission = |entry: &permission::Entry| {
            let target = entry.target.map(|target| target.as_str().to_owned());
            vec![Some(entry.name.to_owned()), target, Some(entry.description.to_owned())]
        };
        Ok(Self {
            document: document::document().clone(),
            operations: routes::operations(),
            tables: tables::declared().to_vec(),
            permissions: permission::catalogue().map(permission).collect(),
            fixtures: fixtures::built_in().iter().map(|fixture| fixture.name.to_owned()).collect(),
            below: Dialect::ALL.map(|dialect| match application().migrations {
                Migrations::OnTop(_) => below(dialect),
                Migrations::Whole(_) => vec![],
            }),
            contract: contract()?,
            postman: postman()?,
        })
    }
}
