//! `/api/v1/groups`, `/api/v1/user/groups`

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::model::{Group, GroupCreate, GroupPage, GroupUpdate};
use super::store::{self, Membership};
use crate::app::App;
use crate::auth::{Admin, Caller};
use crate::crud;
use crate::db::Conn;
use crate::db::signals::{self, Refused};
use crate::db::versioned;
use crate::error::Error;
use crate::http::answer::{Changed, Created, Found, Listed, NoContent};
use crate::http::etag::IfMatch;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable};
use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
use crate::http::payload::JsonIn;
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};
use crate::resources::users::store as users;

/// The operations.
#[derive(Default)]
pub struct GroupsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Groups")]
impl GroupsApi {
    /// List groups
    ///
    /// All groups, page by page, the newest first. Who is in one is told by listing the users with its `group_id`.
    #[oai(path = "/groups", method = "get", operation_id = "list_groups")]
    async fn list(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// groups
        paging: Paging,
        /// Only groups that this user is in
        #[oai(validator(minimum(value = "1")))]
        user_id: Query<Option<i64>>,
        with_total: WithTotal,
    ) -> Result<Listed<GroupPage>, Fail<(Forbidden,)>> {
        let filter = store::of_member(user_id.0);
        Ok(crud::list::<Group, _>(&mut admin, &app, paging.newest("groups")?, &with_total, filter).await?)
    }

    /// List your groups
    ///
    /// The groups that you are in, page by page, the newest first.
    #[oai(path = "/user/groups", method = "get", operation_id = "list_own_groups")]
    async fn list_own(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// groups
        paging: Paging,
        with_total: WithTotal,
    ) -> Result<Listed<GroupPage>, Fail<()>> {
        let filter = store::of_member(Some(caller.id));
        Ok(crud::list::<Group, _>(&mut caller, &app, paging.newest("own_groups")?, &with_total, filter).await?)
    }

    /// Create a group
    ///
    /// Nobody is in it yet. A name that another group has is refused with 409 `name_in_use`.
    #[oai(path = "/groups", method = "post", operation_id = "create_group")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<GroupCreate>,
    ) -> Result<Keyed<Created<Group>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        let mut change = admin.change(&app).await?;
        let group = change.insert::<Group>(body.0).await?;
        Ok(key.commit(change, crud::created(group)).await?)
    }

    /// Read a group
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content.
    #[oai(path = "/groups/:id", method = "get", operation_id = "get_group")]
    async fn get(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The group's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Group>, Fail<(Forbidden, NotFound)>> {
        Ok(crud::read::<Group>(&mut admin, &app, id.0, &if_none_match).await?)
    }

    /// Rename a group
    ///
    /// Its members and grants stay. `If-Match` must name the version you have read: without it 428, with another
    /// version 412.
    #[oai(path = "/groups/:id", method = "patch", operation_id = "update_group")]
    async fn update(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The group's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
        body: JsonIn<GroupUpdate>,
    ) -> Result<Changed<Group>, Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>> {
        let mut change = admin.change(&app).await?;
        let group = change.find::<Group>(id.0, &if_match).await?;
        let name = body.0.name.unwrap_or_else(|| group.name.clone());
        Ok(change.updated(&group, GroupCreate { name }).await?)
    }

    /// Delete a group
    ///
    /// Deletes the group with its memberships and grants: its members lose at once what they held by it. `If-Match`
    /// works as in renaming a group.
    #[oai(path = "/groups/:id", method = "delete", operation_id = "delete_group")]
    async fn delete(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The group's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
    ) -> Result<NoContent, Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>> {
        let mut change = admin.change(&app).await?;
        let group = change.find::<Group>(id.0, &if_match).await?;
        Ok(change.deleted(&group).await?)
    }

    /// Put a user into a group
    ///
    /// They hold at once what is granted to the group. Somebody who is in it already stays in it.
    #[oai(path = "/groups/:id/members/:user_id", method = "put", operation_id = "add_group_member")]
    async fn add(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The group's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        user_id: Path<i64>,
    ) -> Result<NoContent, Fail<(Forbidden, NotFound, Conflict)>> {
        let mut tx = admin.begin(&app.db).await?;
        both(&mut tx, id.0, user_id.0).await?;
        let member = Membership { group_id: id.0, user_id: user_id.0 };
        let added = signals::insert::<Membership>(&mut tx, &admin, member, app.now()).await;
        added.map_err(|refused| gone(refused, member))?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Take a user out of a group
    ///
    /// They lose at once what they held by it. Somebody who is not in it stays out of it.
    #[oai(path = "/groups/:id/members/:user_id", method = "delete", operation_id = "remove_group_member")]
    async fn remove(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The group's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        user_id: Path<i64>,
    ) -> Result<NoContent, Fail<(Forbidden, NotFound, Conflict)>> {
        let mut tx = admin.begin(&app.db).await?;
        both(&mut tx, id.0, user_id.0).await?;
        if let Some(member) = store::find_membership(&mut tx, id.0, user_id.0).await? {
            signals::delete(&mut tx, &admin, &member, app.now()).await?;
        }
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// Group and user are there.
async fn both(tx: &mut Conn, group_id: i64, user_id: i64) -> Result<(), Error> {
    versioned::find::<Group>(tx, group_id).await?.ok_or_else(|| crud::not_found::<Group>(group_id))?;
    users::find_profile(tx, user_id).await?.ok_or_else(|| Error::not_found("User", user_id))?;
    Ok(())
}

/// Group or user was deleted between the look and the statement.
fn gone(refused: Refused, member: Membership) -> Error {
    match refused {
        refused if refused.violates(store::MEMBERSHIPS_GROUP) => crud::not_found::<Group>(member.group_id),
        refused if refused.violates(store::MEMBERSHIPS_USER) => Error::not_found("User", member.user_id),
        refused => refused.into(),
    }
}
