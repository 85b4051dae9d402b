//! Users: an account is an e-mail address, a password and a role; its owner reads, changes and deletes it.
//!
//! Must never be: a password or its hash in an answer; two accounts with one address in any case.

pub mod admin;
pub mod api;
pub mod emails;
pub mod fixture;
pub mod identities;
pub mod model;
pub mod notices;
pub mod rules;
pub mod store;
pub mod tables;

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::identities::RecordIdentities;
use self::model::{Account, AccountUpdate, StoredUser, UserValues};
use self::notices::Notices;
use self::rules::{last_admin, takes_an_admin_away};
use crate::actions;
use crate::application::Resource;
use crate::auth::permission::Target;
use crate::auth::{Role, Status};
use crate::db::Conn;
use crate::db::signals::{self, Actor, Refused};
use crate::error::{Code, Error};
use crate::events;
use crate::http::etag::IfMatch;
use crate::resources::audit::Audit;
use crate::resources::audit::{Audited, Event};
use crate::resources::webhooks::hook::PublishEvents;
use crate::server::document::Api;
use crate::server::normalise::Thing;

events! {
    /// An event about an account
    UserEvent(UserEventType): Account = "user" |account| account.user.id, {
        Created = "user.created", "An account was registered, or made by an admin";
        Updated = "user.updated", "An account was changed";
        Deleted = "user.deleted", "An account was deleted";
    }
    for StoredUser { Created => Created, Updated => Updated, Deleted => Deleted }
}

/// Accounts, as their owners use them.
pub static ACCOUNT: Resource = Resource {
    name: "account",
    apis: &[Api::of::<api::AccountApi>()],
    tables: tables::declared,
    hooks: |hooks, config| {
        let hooks = hooks
            .entity::<StoredUser>()
            .on::<StoredUser, _>(RecordIdentities)
            .on::<StoredUser, _>(Audit)
            .on::<StoredUser, _>(PublishEvents);
        if config.mail_url().is_empty() { hooks } else { hooks.on::<StoredUser, _>(Notices) }
    },
    targets: &[Target::USERS],
    actions: ACTIONS,
    events: EVENTS,
    emails: emails::EMAILS,
    models: &[&fixture::User],
    contract: include_str!("account.contract.yaml"),
    postman: include_str!("account.postman.yaml"),
    ..Resource::EMPTY
};

/// Accounts, as admins use them.
pub static USERS: Resource = Resource {
    name: "users",
    apis: &[Api::of::<admin::UsersApi>()],
    things: &[Thing { path: "/api/v1/users/{id}", name: "Account", variable: "id" }],
    contract: include_str!("users.contract.yaml"),
    postman: include_str!("users.postman.yaml"),
    ..Resource::EMPTY
};

actions! { "user" of ACCOUNT:
    USER_CREATED = "user_created", "An account was registered, or made by an admin";
    USER_UPDATED = "user_updated", "Role, status, address or name of an account were changed, or the address was verified";
    USER_DELETED = "user_deleted", "An account was deleted";
    PASSWORD_CHANGED = "password_changed", "An account got another password, which ended its other sessions";
}

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
    signals::update_unchanged(tx, by, found, values, now).await.map_err(taken)
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

/// Deletes an account, which the caller has locked.
///
/// # Errors
/// 409 `vetoed`.
pub async fn delete(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    found: &StoredUser,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    Ok(signals::delete_unchanged(tx, by, found, now).await?)
}

fn taken(refused: Refused) -> Error {
    if refused.violates(store::EMAIL_KEY) {
        return Error::new(Code::EMAIL_IN_USE, "Log in, or use another address.");
    }
    refused.into()
}

/// The state of an account that the audit records: no address, no name.
#[derive(Serialize)]
struct State {
    role: Role,
    status: Status,
    /// The names of changed fields.
    changed: Option<Vec<&'static str>>,
}

impl StoredUser {
    fn state(&self) -> State {
        State { role: self.user.role, status: self.user.status, changed: None }
    }
}

impl Audited for StoredUser {
    fn created(&self) -> Event {
        // whoever registers is nobody before, and this account after
        Event::of(USER_CREATED, self.user.id).after(&self.state()).by_itself()
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        if self.token_version != new.token_version {
            return Some(Event::of(PASSWORD_CHANGED, self.user.id));
        }
        let (old, is) = (&self.user, &new.user);
        let private = [
            ("email", old.email != is.email),
            ("name", old.name != is.name),
            ("email_verified_at", old.email_verified_at != is.email_verified_at),
        ];
        let changed: Vec<_> = private.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
        let changed = (!changed.is_empty()).then_some(changed);
        let after = State { changed, ..new.state() };
        Some(Event::of(USER_UPDATED, self.user.id).before(&self.state()).after(&after))
    }

    fn deleted(&self) -> Event {
        Event::of(USER_DELETED, self.user.id).before(&self.state())
    }
}
