//! `/api/v1/groups`, `/api/v1/user/groups`

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::model::{Group, GroupCreate, GroupPage, GroupUpdate, StoredGroup};
use super::store::{self, GroupValues, Membership};
use crate::app::App;
use crate::auth::{Admin, Caller};
use crate::db::Conn;
use crate::db::signals::{self, Refused};
use crate::error::{Code, Error};
use crate::http::answer::{Changed, Created, Found, Listed};
use crate::http::etag::IfMatch;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable};
use crate::http::page::Newest;
use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::idempotency::{Idempotent, Keyed};
use crate::resources::users::store as users;
use crate::resources::{NoContent, Tag};

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
        let page = paging.newest("groups")?;
        let mut conn = admin.read(&app.db).await?;
        Ok(groups(&mut conn, user_id.0, page, with_total.0).await?)
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
        let page = paging.newest("own_groups")?;
        let mut conn = caller.read(&app.db).await?;
        Ok(groups(&mut conn, Some(caller.id), page, with_total.0).await?)
    }

    /// Create a group
    ///
    /// Nobody is in it yet. A name that another group has is refused with 409 `name_in_use`.
    #[oai(path = "/groups", method = "post", operation_id = "create_group")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// Makes it safe to send the request again: with the same key it is done once within 24 hours, and answered the same
        #[oai(name = "Idempotency-Key")]
        key: Idempotent,
        body: JsonIn<GroupCreate>,
    ) -> Result<Keyed<Created<Group>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        let mut tx = admin.begin(&app.db).await?;
        let values = GroupValues { name: body.0.name };
        let row: StoredGroup = signals::insert_new(&mut tx, &admin, values, app.now()).await.map_err(taken)?;
        let (group, tag) = row.tagged();
        let location = format!("/api/v1/groups/{}", group.id);
        Ok(key.commit(tx, Created::Created(JsonOut(group), location, tag)).await?)
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
        let mut conn = admin.read(&app.db).await?;
        let row = store::find(&mut conn, id.0).await?.ok_or_else(|| absent(id.0))?;
        Ok(Found::unless_current(row.tagged(), if_none_match.0.as_deref()))
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
        let mut tx = admin.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| absent(id.0))?;
        if_match.allows(before.version)?;
        let values = GroupValues { name: body.0.name.unwrap_or_else(|| before.group.name.clone()) };
        let after = signals::update_unchanged(&mut tx, &admin, &before, values, app.now()).await.map_err(taken)?;
        tx.commit().await?;
        let (group, tag) = after.tagged();
        Ok(Changed::Changed(JsonOut(group), tag))
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
        let mut tx = admin.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| absent(id.0))?;
        if_match.allows(before.version)?;
        signals::delete_unchanged(&mut tx, &admin, &before, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
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

async fn groups(
    conn: &mut Conn,
    member: Option<i64>,
    page: Newest,
    with_total: bool,
) -> Result<Listed<GroupPage>, Error> {
    let mut rows = store::list(conn, member, page.before, page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.group.id);
    let total = if with_total { Some(store::count(conn, member).await?) } else { None };
    let items = rows.into_iter().map(|row| row.group).collect();
    Ok(Listed::Page(JsonOut(GroupPage { items, next, total })))
}

/// Group and user are there.
async fn both(tx: &mut Conn, group_id: i64, user_id: i64) -> Result<(), Error> {
    store::find(tx, group_id).await?.ok_or_else(|| absent(group_id))?;
    users::find_profile(tx, user_id).await?.ok_or_else(|| Error::not_found("User", user_id))?;
    Ok(())
}

fn absent(id: i64) -> Error {
    Error::not_found("Group", id)
}

fn taken(refused: Refused) -> Error {
    if refused.violates(store::NAME_KEY) {
        return Error::new(Code::NAME_IN_USE, "Another group has this name.");
    }
    refused.into()
}

/// Group or user was deleted between the look and the statement.
fn gone(refused: Refused, member: Membership) -> Error {
    match refused {
        refused if refused.violates(store::MEMBERSHIPS_GROUP) => absent(member.group_id),
        refused if refused.violates(store::MEMBERSHIPS_USER) => Error::not_found("User", member.user_id),
        refused => refused.into(),
    }
}
