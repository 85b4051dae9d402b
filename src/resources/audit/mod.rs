//! The audit: who changed what may be done, and who failed to log in.
//!
//! Each event is written in the transaction of what it tells, so neither is there without the other.
//! Must never be: a password, hash, token, e-mail address or name of a person in an event; an event that is changed.

pub mod api;
pub mod model;
pub mod store;

use self::model::{Action, State};
use crate::auth::{Admin, Caller};
use crate::db::{Conn, DbResult};

/// Whoever does something: in a request, or (default) on the command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Actor<'a> {
    /// The account, if it is known.
    pub user_id: Option<i64>,
    /// The request, if there is one.
    pub request_id: Option<&'a str>,
}

impl<'a> From<&'a Caller> for Actor<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { user_id: Some(caller.id), request_id: Some(&caller.request_id) }
    }
}

impl<'a> From<&'a Admin> for Actor<'a> {
    fn from(admin: &'a Admin) -> Self {
        Self::from(&**admin)
    }
}

/// Writes down what is done, in the transaction that does it. What is created has no `before`, what is deleted no
/// `after`.
///
/// # Errors
/// 503 when the database is away.
pub async fn record(
    conn: &mut Conn,
    by: impl Into<Actor<'_>>,
    action: Action,
    object_id: Option<i64>,
    before: Option<State>,
    after: Option<State>,
) -> DbResult<()> {
    store::insert(conn, by.into(), action, object_id, before, after, crate::app::now()).await
}
