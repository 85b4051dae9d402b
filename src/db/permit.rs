//! Permits: what a statement that writes must show.
//!
//! A table with signals is written only by who holds its permit, and only [`signals`](super::signals) makes one. What
//! has no signals is listed here, and why.

use std::fmt;
use std::marker::PhantomData;

use sea_query::Iden;

use super::tables::{
    AuditEvents, Deliveries, PostStatistics, Posts, RefreshTokens, Sessions, Tasks, Users, Votes, Webhooks,
};
use super::{DbError, DbResult};

/// A table by its type.
pub trait Table: Iden + Copy {
    /// The variant that names the table.
    const TABLE: Self;
}

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

    /// Allows to write what is kept in the rows of another table.
    pub fn also<U: Table>(self) -> Permit<U>
    where
        T: Keeps<U>,
    {
        Permit::new()
    }

    /// A permit for one table is none for another.
    pub(in crate::db) fn covers(self, sql: &str) -> DbResult<()> {
        let verbs = ["INSERT INTO \"", "UPDATE \"", "DELETE FROM \""];
        let table = verbs.iter().find_map(|verb| sql.strip_prefix(verb)).and_then(|rest| rest.split('"').next());
        if table == Some(T::TABLE.unquoted()) {
            return Ok(());
        }
        let text = format!("the permit is for {}, the statement is: {sql}", T::TABLE.unquoted());
        Err(DbError::Other(sqlx::Error::Protocol(text)))
    }
}

/// What a SELECT shows: its type says that it writes nothing.
pub(in crate::db) struct Reading;

impl Reading {
    pub(in crate::db) fn covers(self, _: &str) -> DbResult<()> {
        Ok(())
    }
}

/// Whose rows keep something that a change of `Self` sets: a number, which is no change of theirs.
pub trait Keeps<T> {}

/// A table without signals.
pub trait Unsignalled: Table {
    /// Allows to write into it.
    const FREE: Permit<Self> = Permit::new();
}

macro_rules! unsignalled {
    ($($(#[doc = $why:literal])+ $table:ty;)*) => {
        $($(#[doc = $why])+ impl Unsignalled for $table {})*
    };
}

unsignalled! {
    /// They are what is kept of signals, and only ever added.
    AuditEvents;
    /// A view is no change that anyone waits for, and there are many.
    PostStatistics;
    /// They belong to a login.
    RefreshTokens;
    /// Logging in and out changes nobody's data.
    Sessions;
    /// What is sent of an event is no change of anybody's data.
    Deliveries;
    /// They are what signals ask for.
    Tasks;
}

/// `posts.votes` counts them.
impl Keeps<Posts> for Votes {}
/// With an account its votes go out of `posts.votes`.
impl Keeps<Posts> for Users {}
/// When the failures of a webhook began.
impl Keeps<Webhooks> for Deliveries {}
/// A login renews the hash of the same password.
impl Keeps<Users> for Sessions {}
