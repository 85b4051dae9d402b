//! Permits: what a statement that writes must show.
//!
//! A table with signals is written only by who holds its permit, and only [`signals`](super::signals) makes one. What
//! has no signals is listed here, and why.

use std::fmt;
use std::marker::PhantomData;

use sea_query::Iden;

use super::tables::{
    AuditEvents, AuditRetention, DeletedIdentities, Deliveries, IdempotencyKeys, Identities, MailLimits, OneTimeCodes,
    PostStatistics, Posts, RefreshTokens, Sessions, Tasks, Users, Votes, WebhookLeases, Webhooks,
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

    /// Allows to set the one column of another table that keeps something of this one.
    pub fn also<U: Table>(self) -> Kept<U>
    where
        T: Keeps<U>,
    {
        Kept(T::COLUMN)
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

    pub trait Keeps<T> {}

    pub trait Unsignalled {}
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

/// Allows to set one column, and nothing else.
pub struct Kept<T>(T);

impl<T: Table> sealed::Covers for Kept<T> {
    fn covers(&self, sql: &str) -> DbResult<()> {
        let (table, column) = (T::TABLE.unquoted().to_owned(), self.0.unquoted());
        // a second column would follow a comma
        if sql.starts_with(&format!("UPDATE \"{table}\" SET \"{column}\" = ")) && !sql.contains(", \"") {
            return Ok(());
        }
        Err(fault(format!("the permit is for {column} of {table}, the statement is: {sql}")))
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

/// Whose rows keep something that a change of `Self` sets, in one column: it is no change of theirs.
pub trait Keeps<T>: sealed::Keeps<T> {
    /// Where.
    const COLUMN: T;
}

/// A table without signals: one of those that are listed here.
pub trait Unsignalled: Table + sealed::Unsignalled {
    /// Allows to write into it.
    const FREE: Permit<Self> = Permit::new();
}

macro_rules! unsignalled {
    ($($(#[doc = $why:literal])+ $table:ty;)*) => {
        $(
            impl sealed::Unsignalled for $table {}
            $(#[doc = $why])+
            impl Unsignalled for $table {}
        )*
    };
}

macro_rules! keeps {
    ($($(#[doc = $why:literal])+ $keeper:ty: $table:ident::$column:ident;)*) => {
        $(
            impl sealed::Keeps<$table> for $keeper {}
            $(#[doc = $why])+
            impl Keeps<$table> for $keeper {
                const COLUMN: $table = $table::$column;
            }
        )*
    };
}

unsignalled! {
    /// They are what is kept of signals; triggers refuse to change or delete them.
    AuditEvents;
    /// They count e-mails; nobody waits for a change of them.
    MailLimits;
    /// The table marks expired audit events; the job that deletes them is the only writer.
    AuditRetention;
    /// They prove something for a while; what is changed with them has signals.
    OneTimeCodes;
    /// A view is no change that anyone waits for, and there are many.
    PostStatistics;
    /// They repeat an answer; what it tells of has signals.
    IdempotencyKeys;
    /// They belong to a login.
    RefreshTokens;
    /// Logging in and out changes nobody's data.
    Sessions;
    /// An account is what it was, however its owner shows who they are; the audit is told.
    Identities;
    /// They only keep a deleted account from being made again; the deletion has signals.
    DeletedIdentities;
    /// What is sent of an event is no change of anybody's data.
    Deliveries;
    /// They are what signals ask for.
    Tasks;
    /// They say which process sends, which is no change of the webhook.
    WebhookLeases;
}

keeps! {
    /// They are counted there.
    Votes: Posts::Votes;
    /// With an account its votes go.
    Users: Posts::Votes;
    /// When the failures of a webhook began.
    Deliveries: Webhooks::FirstFailedAt;
    /// A login renews the hash of the same password.
    Sessions: Users::PasswordHash;
}
