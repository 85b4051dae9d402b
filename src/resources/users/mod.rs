//! Users: an account is an e-mail address, a password and a role; its owner reads, changes and deletes it.
//!
//! Must never be: a password or its hash in an answer; two accounts with one address in any case.

pub mod admin;
pub mod api;
pub mod identities;
pub mod model;
pub mod notices;
pub mod rules;
pub mod store;

use chrono::{DateTime, Utc};

use self::model::{AccountUpdate, StoredUser};
use self::rules::{last_admin, takes_an_admin_away};
use self::store::UserValues;
use crate::db::signals::{self, Actor, Refused};
use crate::db::{Conn, Constraint};
use crate::error::{Code, Error};
use crate::http::etag::{IfMatch, changed};
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{Audited, Event};

/// Makes an account.
///
/// # Errors
/// 409 `email_in_use`, `vetoed`.
pub async fn create(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    user: UserValues,
    now: DateTime<Utc>,
) -> Result<StoredUser, Error> {
    signals::insert_new(tx, by, user, now).await.map_err(taken)
}

/// Changes an account, which the caller has locked.
///
/// # Errors
/// 409 `email_in_use`, `vetoed`.
pub async fn update(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    found: &StoredUser,
    mut values: UserValues,
    now: DateTime<Utc>,
) -> Result<StoredUser, Error> {
    // nobody has proved to have another one
    if values.email != found.user.email {
        values.email_verified_at = None;
    }
    signals::update(tx, by, found, values, now).await.map_err(taken)?.ok_or_else(changed)
}

/// Sets role and status of an account.
///
/// # Errors
/// 404, 409 `last_admin`, `vetoed`, 412.
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
    let found = store::find_to_change(tx, id).await?.ok_or_else(|| Error::not_found("User", id))?;
    if_match.allows(found.version)?;
    if last {
        return Err(last_admin());
    }
    let mut values = found.values();
    values.role = change.role.unwrap_or(values.role);
    values.status = change.status.unwrap_or(values.status);
    update(tx, by, &found, values, now).await
}

/// Deletes an account, which the caller has locked. Its posts stay without an owner.
///
/// # Errors
/// 409 `vetoed`.
pub async fn delete(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    found: &StoredUser,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    store::lock_posts(tx, found.user.id).await?;
    if signals::delete(tx, by, found, now).await? { Ok(()) } else { Err(changed()) }
}

fn taken(refused: Refused) -> Error {
    if refused.violates(Constraint::UsersEmail) {
        return Error::new(Code::EmailInUse, "Log in, or use another address.");
    }
    refused.into()
}

impl StoredUser {
    /// What the audit keeps: no address, no name.
    fn state(&self) -> State {
        State { role: Some(self.user.role), status: Some(self.user.status), ..State::default() }
    }
}

impl Audited for StoredUser {
    fn created(&self) -> Event {
        // whoever registers is nobody before, and this account after
        Event::of(Action::UserCreated, self.user.id).after(self.state()).by_itself()
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        if self.token_version != new.token_version {
            return Some(Event::of(Action::PasswordChanged, self.user.id));
        }
        let (old, is) = (&self.user, &new.user);
        let private = [
            ("email", old.email != is.email),
            ("name", old.name != is.name),
            ("email_verified_at", old.email_verified_at != is.email_verified_at),
        ];
        let changed: Vec<String> =
            private.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field.to_owned()).collect();
        let changed = (!changed.is_empty()).then_some(changed);
        let after = State { changed, ..new.state() };
        Some(Event::of(Action::UserUpdated, self.user.id).before(self.state()).after(after))
    }

    fn deleted(&self) -> Event {
        Event::of(Action::UserDeleted, self.user.id).before(self.state())
    }
}
