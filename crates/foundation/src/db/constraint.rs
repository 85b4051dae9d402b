//! Violated constraints, as both databases report them.

use sqlx::error::ErrorKind;

use super::tables;

/// The report of SQLite for any foreign key.
const SQLITE_FOREIGN_KEY: &str = "FOREIGN KEY constraint failed";

/// A constraint that a rule depends on. A resource declares it beside its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint {
    /// The name of the constraint, which PostgreSQL reports.
    name: &'static str,
    /// SQLite's report of a unique constraint: `table.column`, or `index 'name'`. SQLite does not report which foreign
    /// key failed.
    sqlite: Option<&'static str>,
}

impl Constraint {
    /// The unique constraint or index of one column, with the column as `table.column`.
    pub const fn unique(name: &'static str, column: &'static str) -> Self {
        Self { name, sqlite: Some(column) }
    }

    /// A unique index with expressions; `sqlite` is `index 'name'`.
    pub const fn unique_index(name: &'static str, sqlite: &'static str) -> Self {
        Self { name, sqlite: Some(sqlite) }
    }

    /// A foreign key. Only PostgreSQL reports which one was violated.
    pub const fn foreign_key(name: &'static str) -> Self {
        Self { name, sqlite: None }
    }
}

/// The report of a database of a violated unique constraint or foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violated {
    /// The name of the constraint, on PostgreSQL.
    name: Option<String>,
    /// SQLite's report.
    message: String,
    /// True if a foreign key was violated.
    pub is_foreign_key: bool,
}

impl Violated {
    /// Reads the report of an error; `None` if the error is of another kind.
    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        let error = error.as_database_error()?;
        let message = error.message().to_owned();
        // SQLite reports ON DELETE RESTRICT as a trigger
        let is_foreign_key = error.kind() == ErrorKind::ForeignKeyViolation || message == SQLITE_FOREIGN_KEY;
        let is_violation = is_foreign_key || error.kind() == ErrorKind::UniqueViolation;
        is_violation.then(|| Self { name: error.constraint().map(Into::into), message, is_foreign_key })
    }

    /// Returns whether this constraint was violated.
    pub fn is(&self, constraint: Constraint) -> bool {
        match (&self.name, constraint.sqlite) {
            (Some(name), _) => name == constraint.name,
            (None, Some(sqlite)) => self.message.strip_prefix("UNIQUE constraint failed: ") == Some(sqlite),
            (None, None) => false,
        }
    }

    /// Returns whether the row refers to an account that does not exist.
    ///
    /// SQLite does not report which foreign key failed. Its transactions run one after the other, so any other row that a
    /// transaction has found still exists: only the account can be gone, since the token was checked before.
    pub fn is_of_user(&self) -> bool {
        match &self.name {
            Some(name) => tables::declared()
                .iter()
                .flat_map(|table| &table.foreign_keys)
                .any(|key| key.table == "users" && key.name == *name),
            None => self.message == SQLITE_FOREIGN_KEY,
        }
    }
}
