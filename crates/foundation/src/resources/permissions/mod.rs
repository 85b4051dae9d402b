//! Permissions: the catalogue. What code demands stands in the registry of `auth::permission`; admins may add others,
//! for clients of their own.
//!
//! Must never be: a name that is no scope of the registry's form; a grant of a permission that has no row.

pub mod api;
pub mod fixture;
pub mod model;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::model::Permission;
use self::model::{PermissionCreate, StoredPermission};
use crate::actions;
use crate::application::Resource;
use crate::auth::permission;
use crate::auth::permission::Target;
use crate::crud;
use crate::db::Conn;
use crate::db::signals::{self, Actor};
use crate::error::{Code, Error, FieldError};
use crate::events;
use crate::resources::audit::Audit;
use crate::resources::audit::{Audited, Event};
use crate::resources::webhooks::hook::PublishEvents;
use crate::server::document::Api;
use crate::server::normalise::Thing;

events! {
    /// An event about a permission of the catalogue
    PermissionEvent(PermissionEventType): Permission = "permission" |permission| permission.id, {
        Created = "permission.created", "A permission came into the catalogue";
        Updated = "permission.updated", "A permission was described otherwise";
        Deleted = "permission.deleted", "A permission was deleted";
    }
    for StoredPermission { Created => Created, Updated => Updated, Deleted => Deleted }
}

/// The catalogue of permissions.
pub static RESOURCE: Resource = Resource {
    name: "permissions",
    apis: &[Api::of::<api::PermissionsApi>()],
    things: &[Thing { path: "/api/v1/permissions/{name}", name: "Permission", variable: "name" }],
    hooks: |hooks, _| {
        hooks.entity::<StoredPermission>().on::<StoredPermission, _>(Audit).on::<StoredPermission, _>(PublishEvents)
    },
    actions: ACTIONS,
    events: EVENTS,
    models: &[&fixture::Permission],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "permission":
    PERMISSION_CREATED = "permission_created", "A permission came into the catalogue";
    PERMISSION_UPDATED = "permission_updated", "A permission was described otherwise";
    PERMISSION_DELETED = "permission_deleted", "A permission was deleted, with its grants";
}

/// Puts a permission into the catalogue.
///
/// # Errors
/// 400 when the server asks for it with another target, 409 `name_in_use`, `vetoed`.
pub async fn create(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    new: PermissionCreate,
    now: DateTime<Utc>,
) -> Result<StoredPermission, Error> {
    if permission::find(&new.name).is_some_and(|entry| entry.target != new.target) {
        let fault = FieldError::body("/target", "is not the target that the server asks with");
        return Err(Error::fields(Code::INVALID, vec![fault]));
    }
    signals::insert_new(tx, by, new, now).await.map_err(crud::refused::<StoredPermission>)
}

/// The state of a permission that the audit records.
#[derive(Serialize)]
struct State {
    name: String,
    description: String,
    target: Option<Target>,
}

impl StoredPermission {
    fn state(&self) -> State {
        let PermissionCreate { name, target, description } = self.values();
        State { name, description, target }
    }
}

impl Audited for StoredPermission {
    fn created(&self) -> Event {
        Event::of(PERMISSION_CREATED, self.id).after(&self.state())
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        Some(Event::of(PERMISSION_UPDATED, self.id).before(&self.state()).after(&new.state()))
    }

    fn deleted(&self) -> Event {
        Event::of(PERMISSION_DELETED, self.id).before(&self.state())
    }
}
