//! Permits: what a statement that writes must show.
//!
//! A table with signals is written only by who holds its permit, and only [`signals`](super::signals) makes one.

use std::fmt;
use std::marker::PhantomData;

pub use accord_migrate::tables::TableName as Table;

use super::{DbError, DbResult};

/// Allows to write into one table.
pub struct Permit<T>(PhantomData<fn() -> T>);

impl<T> Clone for Permit<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Permit<T> {}

impl<T> fmt::Debug for Permit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl<T: Table> Permit<T> {
    pub(in crate::db) const fn new() -> Self {
        Self(PhantomData)
    }

    /// Allows a test to write past the signals.
    #[cfg(test)]
    pub const fn for_tests() -> Self {
        Self::new()
    }
}

/// What a statement that writes may show: it is held against the statement.
pub trait Covers: sealed::Covers {}
impl<C: sealed::Covers> Covers for C {}

mod sealed {
    use super::super::DbResult;

    pub trait Covers {
        fn covers(&self, sql: &str) -> DbResult<()>;
    }
}

/// A permit for one table is none for another.
impl<T: Table> sealed::Covers for Permit<T> {
    fn covers(&self, sql: &str) -> DbResult<()> {
        let verbs = ["INSERT INTO \"", "UPDATE \"", "DELETE FROM \""];
        let table = verbs.iter().find_map(|verb| sql.strip_prefix(verb)).and_then(|rest| rest.split('"').next());
        let name = T::TABLE.unquoted().to_owned();
        if table == Some(&name) {
            Ok(())
        } else {
            Err(fault(format!("the permit is for {name}, the statement is: {sql}")))
        }
    }
}

/// A column that changes of other tables set, such as a counter: setting it is no change of the row itself, and calls no
/// hooks. It is declared beside the table, and allows statements that set this column and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct DerivedColumn<T>(pub T);

impl<T: Table> sealed::Covers for DerivedColumn<T> {
    fn covers(&self, sql: &str) -> DbResult<()> {
        let (table, column) = (T::TABLE.unquoted().to_owned(), self.0.unquoted());
        // a second column would follow a comma
        if sql.starts_with(&format!("UPDATE \"{table}\" SET \"{column}\" = ")) && !sql.contains(", \"") {
            return Ok(());
        }
        Err(fault(format!("only {column} of {table} may be set, the statement is: {sql}")))
    }
}

/// What a SELECT shows. On PostgreSQL one may write nevertheless, in a WITH, which stands at the beginning.
pub(in crate::db) struct Reading;

impl sealed::Covers for Reading {
    fn covers(&self, sql: &str) -> DbResult<()> {
        if sql.starts_with("SELECT ") { Ok(()) } else { Err(fault(format!("the statement does not only read: {sql}"))) }
    }
}

pub(in crate::db) fn covers(permit: &impl Covers, sql: &str) -> DbResult<()> {
    sealed::Covers::covers(permit, sql)
}

fn fault(text: String) -> DbError {
    DbError::Other(sqlx::Error::Protocol(text))
}

/// A table whose changes call no hooks. Its declaration says why.
pub trait Unsignalled: Table {
    /// Allows to write into it.
    const FREE: Permit<Self> = Permit::new();
}
