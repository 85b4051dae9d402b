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
use crate::db::Conn;
use crate::error::{Code, Error, FieldError};
use crate::resources::audit::{self, Actor, model::Action};

/// Puts a permission into the catalogue.
///
/// # Errors
/// 400 when the server asks for it with another target, 409 `name_in_use`.
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
    let row = store::insert(tx, new, now).await?;
    audit::record(tx, by, Action::PermissionCreated, Some(row.id), None, Some(row.state())).await?;
    Ok(row)
}
