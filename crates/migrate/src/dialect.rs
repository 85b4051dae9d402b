//! The two databases.

use serde::{Deserialize, Serialize};

/// The database behind a connection; for the few expressions that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// SQLite: embedded, one writer.
    Sqlite,
    /// PostgreSQL: a server.
    Postgres,
}

impl Dialect {
    /// Both databases.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Returns the dialect of a database URL.
    pub fn of(url: &str) -> Self {
        if url.starts_with("sqlite:") { Self::Sqlite } else { Self::Postgres }
    }

    /// Returns the name of the folder that holds the migrations for this database.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}
