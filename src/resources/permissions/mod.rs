//! Permissions: the catalogue. What code demands stands in the registry of `auth::permission`; admins may add others,
//! for clients of their own.
//!
//! Must never be: a name that is no scope of the registry's form; a grant of a permission that has no row.

pub mod api;
pub mod model;
pub mod store;

use chrono::{DateTime, Utc};

use self::model::{PermissionCreate, StoredPermission};
use crate::auth::permission;
use crate::db::signals::{self, Actor};
use crate::db::{Conn, Constraint};
use crate::error::{Code, Error, FieldError};
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{Audited, Event};

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
        return Err(Error::fields(Code::Invalid, vec![fault]));
    }
    signals::insert_new(tx, by, new, now).await.map_err(|refused| match refused.violates(Constraint::PermissionsName) {
        true => Error::new(Code::NameInUse, "The catalogue has a permission of this name."),
        false => refused.into(),
    })
}

impl StoredPermission {
    fn state(&self) -> State {
        let PermissionCreate { name, target, description } = self.values();
        State { name: Some(name), target, description: Some(description), ..State::default() }
    }
}

impl Audited for StoredPermission {
    fn created(&self) -> Event {
        Event::of(Action::PermissionCreated, self.id).after(self.state())
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        Some(Event::of(Action::PermissionUpdated, self.id).before(self.state()).after(new.state()))
    }

    fn deleted(&self) -> Event {
        Event::of(Action::PermissionDeleted, self.id).before(self.state())
    }
}
