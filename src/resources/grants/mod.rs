//! Grants: a permission given to a user or to a group, on all objects or on one.
//!
//! Must never be: the same grant twice; one that tells of another user's to somebody who is no admin; one whose holder,
//! permission or object is gone.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;

use chrono::{DateTime, Utc};

use self::model::{Grant, GrantCreate};
use self::rules::Holder;
use self::store::Filter;
use crate::auth::permission::Target;
use crate::db::Conn;
use crate::error::{Code, Error};
use crate::resources::audit::{self, Actor, model::Action};

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
        Holder::User(id) => Target::Users.has(tx, id).await?,
        Holder::Group(id) => Target::Groups.has(tx, id).await?,
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

/// Takes back all grants that match, because their holder, permission or object goes; whoever deletes that calls this
/// first, and has locked it.
///
/// # Errors
/// 503 when the database is away.
pub async fn end(tx: &mut Conn, by: impl Into<Actor<'_>>, filter: &Filter) -> Result<(), Error> {
    let by = by.into();
    for grant in store::delete_all(tx, filter).await? {
        audit::record(tx, by, Action::GrantDeleted, Some(grant.id), Some(grant.state()), None).await?;
    }
    Ok(())
}

/// [`end`] for what is granted on an object.
///
/// # Errors
/// 503 when the database is away.
pub async fn end_on(tx: &mut Conn, by: impl Into<Actor<'_>>, target: Target, object_id: i64) -> Result<(), Error> {
    let filter = Filter { target: Some(target), object_id: Some(object_id), ..Filter::default() };
    end(tx, by, &filter).await
}

fn absent(what: &str) -> Error {
    Error::new(Code::NotFound, format!("There is no such {what}."))
}
