//! Users: an account is an e-mail address, a password and a role; its owner reads, changes and deletes it.
//!
//! Must never be: a password or its hash in an answer; two accounts with one address in any case.

pub mod admin;
pub mod api;
pub mod model;
pub mod rules;
pub mod store;

use chrono::{DateTime, Utc};

use self::model::{AccountUpdate, StoredUser, User};
use self::rules::{last_admin, state, takes_an_admin_away};
use self::store::NewUser;
use crate::auth::permission::Target;
use crate::db::Conn;
use crate::error::Error;
use crate::http::etag::{IfMatch, changed};
use crate::resources::audit::{self, Actor, model::Action};
use crate::resources::grants;

/// Makes an account for somebody else.
///
/// # Errors
/// 409 `email_in_use`.
pub async fn create(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    user: NewUser,
    now: DateTime<Utc>,
) -> Result<StoredUser, Error> {
    let row = store::insert(tx, user, now).await?;
    audit::record(tx, by, Action::UserCreated, Some(row.user.id), None, Some(state(&row.user))).await?;
    Ok(row)
}

/// Sets role and status of an account.
///
/// # Errors
/// 404, 409 `last_admin`, 412.
pub async fn set_access(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    id: i64,
    if_match: &IfMatch,
    change: &AccountUpdate,
    now: DateTime<Utc>,
) -> Result<StoredUser, Error> {
    // the admins first, then the account: in another order two admins would wait for each other
    let last = takes_an_admin_away(change) && store::is_last_admin(tx, id).await?;
    let before = store::find_to_change(tx, id).await?.ok_or_else(|| Error::not_found("User", id))?;
    if_match.allows(before.version)?;
    if last {
        return Err(last_admin());
    }
    let after = store::set_access(tx, &before, change, now).await?.ok_or_else(changed)?;
    let (was, is) = (state(&before.user), state(&after.user));
    audit::record(tx, by, Action::UserUpdated, Some(id), Some(was), Some(is)).await?;
    Ok(after)
}

/// Deletes an account, which the caller has locked, with its grants. Its posts stay without an owner.
///
/// # Errors
/// 503 when the database is away.
pub async fn delete(tx: &mut Conn, by: impl Into<Actor<'_>>, user: &User) -> Result<(), Error> {
    let by = by.into();
    // posts before grants, as whoever deletes a post
    store::take_back_votes(tx, user.id).await?;
    grants::end(tx, by, &grants::store::Filter { user_id: Some(user.id), ..Default::default() }).await?;
    grants::end_on(tx, by, Target::Users, user.id).await?;
    store::delete(tx, user.id).await?;
    audit::record(tx, by, Action::UserDeleted, Some(user.id), Some(state(user)), None).await?;
    Ok(())
}
