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
    /// True if SQLite reports that other rows refer to a deleted row (`ON DELETE RESTRICT`).
    is_restrict: bool,
}

impl Violated {
    /// Reads the report of an error; `None` if the error is of another kind.
    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        let error = error.as_database_error()?;
        let message = error.message().to_owned();
        let is_known = matches!(error.kind(), ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation);
        // SQLite reports ON DELETE RESTRICT as a trigger, and PostgreSQL 18 by a code of its own
        let is_restrict = !is_known && message == SQLITE_FOREIGN_KEY;
        let is_violation = is_known || is_restrict || error.code().is_some_and(|code| code == "23001");
        is_violation.then(|| Self { name: error.constraint().map(Into::into), message, is_restrict })
    }

    /// Returns whether this constraint was violated.
    pub fn is(&self, constraint: Constraint) -> bool {
        match (&self.name, constraint.sqlite) {
            (Some(name), _) => name == constraint.name,
            (None, Some(sqlite)) => self.message.strip_prefix("UNIQUE constraint failed: ") == Some(sqlite),
            (None, None) => false,
        }
    }

    /// Returns whether rows of other tables refer to the deleted row of this table.
    pub fn is_reference_to(&self, table: &str) -> bool {
        match &self.name {
            Some(name) => declares_reference(name, table),
            None => self.is_restrict,
        }
    }

    /// Returns whether the row refers to an account that does not exist.
    ///
    /// SQLite does not report which foreign key failed. Its transactions run one after the other, so any other row that a
    /// transaction has found still exists: only the account can be gone, since the token was checked before.
    pub fn is_of_user(&self) -> bool {
        match &self.name {
            Some(name) => declares_reference(name, "users"),
            None => self.message == SQLITE_FOREIGN_KEY && !self.is_restrict,
        }
    }
}

/// Returns whether the foreign key of this name refers to a table.
fn declares_reference(name: &str, table: &str) -> bool {
    let mut keys = tables::declared().iter().flat_map(|declared| &declared.foreign_keys);
    keys.any(|key| key.table == table && key.name == name)
}
