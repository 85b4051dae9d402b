//! The application that the tasks work on.

use accord_foundation::auth::permission::{self, Entry};
use accord_foundation::db::tables::{self, Table};
#[cfg(test)]
use accord_foundation::db::{Dialect, migrate::Set};
use accord_foundation::server::document;
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
    document::operations()
}

/// The declared tables.
pub fn tables() -> Vec<Table> {
    accord::install();
    tables::declared().to_vec()
}

/// The permissions that the migrations insert.
pub fn permissions() -> Vec<&'static Entry> {
    accord::install();
    permission::catalogue().collect()
}

/// The migrations of the binary.
#[cfg(test)]
pub fn migrations(dialect: Dialect) -> &'static Set {
    accord::install();
    Set::built_in(dialect).expect("a sound set")
}
