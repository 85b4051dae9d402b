//! Grants: a permission given to a user or to a group, on all objects or on one.
//!
//! Must never be: the same grant twice; one that tells of another user's to somebody who is no admin.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;

use chrono::{DateTime, Utc};

use self::model::{Grant, GrantCreate};
use self::rules::Holder;
use crate::db::Conn;
use crate::error::{Code, Error};
use crate::resources::audit::{self, Actor, model::Action};
use crate::resources::groups::store as groups;
use crate::resources::permissions::store as permissions;
use crate::resources::users::store as users;

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
        Holder::User(id) => users::find_profile(tx, id).await?.is_some(),
        Holder::Group(id) => groups::find(tx, id).await?.is_some(),
    };
    let permission = permissions::find(tx, &new.permission).await?;
    let (Some(permission), true) = (permission, is_there) else {
        return Err(absent(if is_there { "permission" } else { "user or group" }));
    };
    if let Some((target, id)) = rules::object(permission.target(), new.object_id)?
        && !target.has(tx, id).await?
    {
        return Err(absent("object"));
    }
    let grant = store::insert(tx, new, now).await?;
    audit::record(tx, by, Action::GrantCreated, Some(grant.id), None, Some(grant.state())).await?;
    Ok(grant)
}

/// Takes a grant back.
///
/// # Errors
/// 404.
pub async fn delete(tx: &mut Conn, by: impl Into<Actor<'_>>, id: i64) -> Result<(), Error> {
    let grant = store::find_to_change(tx, id).await?.ok_or_else(|| Error::not_found("Grant", id))?;
    store::delete(tx, id).await?;
    audit::record(tx, by, Action::GrantDeleted, Some(id), Some(grant.state()), None).await?;
    Ok(())
}

fn absent(what: &str) -> Error {
    Error::new(Code::NotFound, format!("There is no such {what}."))
}
