//! Grants: a permission given to a user or to a group, on all objects or on one.
//!
//! Must never be: the same grant twice; one that tells of another user's to somebody who is no admin; one whose holder,
//! permission or object is gone.

pub mod api;
pub mod fixture;
pub mod model;
pub mod rules;
pub mod store;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use self::model::{Grant, GrantCreate};
use self::rules::Holder;
use self::store::Filter;
use crate::actions;
use crate::application::Resource;
use crate::auth::permission::Target;
use crate::codes;
use crate::db::Conn;
use crate::db::signals::{self, Actor, Context, Hook, Phase, Refused, Signalled};
use crate::error::{Code, Error};
use crate::events;
use crate::resources::audit::Audit;
use crate::resources::audit::{Audited, Event};
use crate::resources::groups::model::Group;
use crate::resources::permissions::model::StoredPermission;
use crate::resources::users::model::StoredUser;
use crate::resources::webhooks::hook::PublishEvents;
use crate::server::document::Api;
use crate::server::normalise::Thing;

events! {
    /// An event about a grant
    GrantEvent(GrantEventType): Grant = "grant" |grant| grant.id, {
        Created = "grant.created", "A permission was granted";
        Deleted = "grant.deleted", "A grant was taken back, or went with its holder, its permission or its object";
    }
    for Grant { Created => Created, Deleted => Deleted }
}

/// Grants of permissions.
pub static RESOURCE: Resource = Resource {
    name: "grants",
    apis: &[Api::of::<api::GrantsApi>()],
    things: &[Thing { path: "/api/v1/grants/{id}", name: "Grant", variable: "id" }],
    hooks: |hooks, _| {
        hooks
            .entity::<Grant>()
            .on::<Grant, _>(Audit)
            .on::<Grant, _>(PublishEvents)
            .on::<StoredUser, _>(EndGrants)
            .on::<Group, _>(EndGrants)
            .on::<StoredPermission, _>(EndGrants)
    },
    actions: ACTIONS,
    events: EVENTS,
    codes: CODES,
    models: &[&fixture::Grant],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "grant":
    GRANT_CREATED = "grant_created", "A permission was granted";
    GRANT_DELETED = "grant_deleted", "A grant was taken back, or went with its holder, its permission or its object";
}

codes! {
    ALREADY_GRANTED = 409 "already_granted", "The permission is granted already";
}

/// Grants a permission to a user or a group that is there, on an object that is there.
///
/// # Errors
/// 400 when it has no one holder, or an object that it cannot have; 404; 409 `already_granted`.
pub async fn create(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    new: GrantCreate,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    let is_there = match rules::holder(&new)? {
        Holder::User(id) => Target::USERS.has(tx, id).await?,
        Holder::Group(id) => Target::GROUPS.has(tx, id).await?,
    };
    let permission = store::find_permission(tx, &new.permission).await?;
    let (Some(target), true) = (permission, is_there) else {
        return Err(absent(if is_there { "permission" } else { "user or group" }));
    };
    if let Some((target, id)) = rules::object(target, new.object_id)?
        && !target.has(tx, id).await?
    {
        return Err(absent("object"));
    }
    signals::insert_new(tx, by, new, now).await.map_err(|refused| match refused {
        refused if store::KEYS.iter().any(|key| refused.violates(*key)) => {
            Error::new(ALREADY_GRANTED, "The user or group holds the permission already, on this or on all.")
        }
        refused if store::REFERENCES.iter().any(|key| refused.violates(*key)) => {
            Error::new(Code::NOT_FOUND, "The user, the group or the permission was deleted.")
        }
        refused => refused.into(),
    })
}

/// Takes a grant back.
///
/// # Errors
/// 404, 409 `vetoed`.
pub async fn delete(tx: &mut Conn, by: impl Into<Actor<'_>>, id: i64, now: DateTime<Utc>) -> Result<(), Error> {
    let absent = || Error::not_found("Grant", id);
    let grant = store::find_to_change(tx, id).await?.ok_or_else(absent)?;
    if signals::delete(tx, by, &grant, now).await? { Ok(()) } else { Err(absent()) }
}

/// Takes back what is granted to a row that goes, or on it.
pub struct EndGrants;

/// A row that holds grants, is granted on, or is granted.
pub trait InGrants: Signalled {
    /// Which grants go with it.
    fn grants(&self) -> Vec<Filter>;
}

/// The grants on one object.
pub fn on(target: Target, object_id: i64) -> Filter {
    Filter { target: Some(target), object_id: Some(object_id), ..Filter::default() }
}

impl InGrants for StoredUser {
    fn grants(&self) -> Vec<Filter> {
        let id = self.user.id;
        vec![Filter { user_id: Some(id), ..Filter::default() }, on(Target::USERS, id)]
    }
}

impl InGrants for Group {
    fn grants(&self) -> Vec<Filter> {
        let id = self.id;
        vec![Filter { group_id: Some(id), ..Filter::default() }, on(Target::GROUPS, id)]
    }
}

impl InGrants for StoredPermission {
    fn grants(&self) -> Vec<Filter> {
        vec![Filter { permission: Some(self.name.clone()), ..Filter::default() }]
    }
}

#[async_trait]
impl<R: InGrants> Hook<R> for EndGrants {
    fn phase(&self) -> Phase {
        Phase::End
    }

    fn ends(&self) -> &'static [&'static str] {
        &["grants"]
    }

    async fn before_delete(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        for grant in store::find_all_to_change(context.tx, &row.grants()).await? {
            signals::delete(context.tx, context.by, &grant, context.now).await?;
        }
        Ok(())
    }
}

impl Audited for Grant {
    fn created(&self) -> Event {
        Event::of(GRANT_CREATED, self.id).after(&self.state())
    }

    fn deleted(&self) -> Event {
        Event::of(GRANT_DELETED, self.id).before(&self.state())
    }
}

/// The state of a grant that the audit records.
#[derive(Serialize)]
struct State<'a> {
    user_id: Option<i64>,
    group_id: Option<i64>,
    permission: &'a str,
    object_id: Option<i64>,
}

impl Grant {
    fn state(&self) -> State<'_> {
        let Self { user_id, group_id, object_id, .. } = *self;
        State { user_id, group_id, permission: &self.permission, object_id }
    }
}

fn absent(what: &str) -> Error {
    Error::new(Code::NOT_FOUND, format!("There is no such {what}."))
}
