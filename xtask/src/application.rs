//! The application that the tasks work on.

use accord::application::install;
use accord::auth::permission::{self, Entry};
use accord::db::Dialect;
use accord::db::migrate::Set;
use accord::db::tables::{self, Table};
use accord::server::document;
use serde_json::Value;

fn installed() {
    install(&accord::ACCORD);
}

/// The version of the contract.
pub fn version() -> &'static str {
    installed();
    document::about().version
}

/// The document that the code serves.
pub fn document() -> &'static Value {
    installed();
    document::document()
}

/// The table of operations.
pub fn operations() -> String {
    installed();
    document::operations()
}

/// The declared tables.
pub fn tables() -> Vec<Table> {
    installed();
    tables::declared().to_vec()
}

/// The permissions that the migrations insert.
pub fn permissions() -> Vec<&'static Entry> {
    installed();
    permission::catalogue().collect()
}

/// The migrations of the binary.
pub fn migrations(dialect: Dialect) -> &'static Set {
    installed();
    Set::built_in(dialect).expect("a sound set")
}
