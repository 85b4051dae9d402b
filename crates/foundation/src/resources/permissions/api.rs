//! `/api/v1/permissions`, `/api/v1/user/permissions`

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::model::{
    HeldPermission, HeldPermissionPage, Permission, PermissionCreate, PermissionPage, PermissionUpdate, Source,
};
use super::store;
use crate::app::App;
use crate::auth::permission::Target;
use crate::auth::{Admin, Caller, Role};
use crate::db::signals;
use crate::error::{Code, Error};
use crate::http::answer::{Changed, Created, Found, Listed};
use crate::http::etag::IfMatch;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable};
use crate::http::parameters::{IfNoneMatch, Paging};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::idempotency::{Idempotent, Keyed};
use crate::resources::{NoContent, Tag};

/// The operations.
#[derive(Default)]
pub struct PermissionsApi;

/// How a change of a permission may fail.
type ChangeFail = Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Permissions")]
impl PermissionsApi {
    /// List permissions
    ///
    /// The whole catalogue, page by page, the newest first: what the server asks for, and what admins have added.
    #[oai(path = "/permissions", method = "get", operation_id = "list_permissions")]
    async fn list(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// permissions
        paging: Paging,
        /// Only permissions on rows of this table
        target: Query<Option<Target>>,
        /// Also count all of them, which costs more than the page
        #[oai(default)]
        with_total: Query<bool>,
    ) -> Result<Listed<PermissionPage>, Fail<(Forbidden,)>> {
        let page = paging.newest("permissions")?;
        let mut conn = admin.read(&app.db).await?;
        let mut rows = store::list(&mut conn, target.0, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.id);
        let total = if with_total.0 { Some(store::count(&mut conn, target.0).await?) } else { None };
        let items = rows.into_iter().map(Permission::from).collect();
        Ok(Listed::Page(JsonOut(PermissionPage { items, next, total })))
    }

    /// List your permissions
    ///
    /// What you hold, and why: granted to you, or to which of your groups; on all objects, or on which one. The newest
    /// grant comes first. An admin holds every permission of the catalogue.
    #[oai(path = "/user/permissions", method = "get", operation_id = "list_own_permissions")]
    async fn list_own(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// permissions
        paging: Paging,
        /// Also count all of them, which costs more than the page
        #[oai(default)]
        with_total: Query<bool>,
    ) -> Result<Listed<HeldPermissionPage>, Fail<()>> {
        let is_admin = caller.role == Role::Admin;
        // a position in the catalogue means nothing among the grants
        let list = if is_admin { "catalogue" } else { "held" };
        let page = paging.newest(list)?;
        let mut conn = caller.read(&app.db).await?;
        let (items, next, count);
        if is_admin {
            let mut rows = store::list(&mut conn, None, page.before, page.rows()).await?;
            next = page.cut(&mut rows, |row| row.id);
            items = rows.into_iter().map(|row| by_role(row.name)).collect();
            count = if with_total.0 { Some(store::count(&mut conn, None).await?) } else { None };
        } else {
            let mut rows = store::list_held(&mut conn, caller.id, page.before, page.rows()).await?;
            next = page.cut(&mut rows, |row| row.grant_id.unwrap_or_default());
            items = rows;
            count = if with_total.0 { Some(store::count_held(&mut conn, caller.id).await?) } else { None };
        }
        Ok(Listed::Page(JsonOut(HeldPermissionPage { items, next, total: count })))
    }

    /// Create a permission
    ///
    /// Nobody holds it yet. One that the server asks for has the target that it asks with. A name that is in the
    /// catalogue is refused with 409 `name_in_use`.
    #[oai(path = "/permissions", method = "post", operation_id = "create_permission")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// Makes it safe to send the request again: with the same key it is done once within 24 hours, and answered the same
        #[oai(name = "Idempotency-Key")]
        key: Idempotent,
        body: JsonIn<PermissionCreate>,
    ) -> Result<Keyed<Created<Permission>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        let mut tx = admin.begin(&app.db).await?;
        let row = super::create(&mut tx, &admin, body.0, app.now()).await?;
        let location = format!("/api/v1/permissions/{}", row.name);
        let (permission, tag) = row.tagged();
        Ok(key.commit(tx, Created::Created(JsonOut(permission), location, tag)).await?)
    }

    /// Read a permission
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content.
    #[oai(path = "/permissions/:name", method = "get", operation_id = "get_permission")]
    async fn get(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The permission's name
        #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
        name: Path<String>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Permission>, Fail<(Forbidden, NotFound)>> {
        let mut conn = admin.read(&app.db).await?;
        let row = store::find(&mut conn, &name.0).await?.ok_or_else(absent)?;
        Ok(Found::unless_current(row.tagged(), if_none_match.0.as_deref()))
    }

    /// Describe a permission otherwise
    ///
    /// Its grants stay. `If-Match` must name the version you have read: without it 428, with another version 412.
    #[oai(path = "/permissions/:name", method = "patch", operation_id = "update_permission")]
    async fn update(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The permission's name
        #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
        name: Path<String>,
        if_match: IfMatch,
        body: JsonIn<PermissionUpdate>,
    ) -> Result<Changed<Permission>, ChangeFail> {
        let mut tx = admin.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, &name.0).await?.ok_or_else(absent)?;
        if_match.allows(before.version)?;
        let mut values = before.values();
        values.description = body.0.description.unwrap_or(values.description);
        let after = signals::update_unchanged(&mut tx, &admin, &before, values, app.now()).await?;
        tx.commit().await?;
        let (permission, tag) = after.tagged();
        Ok(Changed::Changed(JsonOut(permission), tag))
    }

    /// Delete a permission
    ///
    /// Deletes it with its grants. What the server asks for by this name is denied to everyone but admins until the
    /// permission is created again. `If-Match` works as in describing a permission.
    #[oai(path = "/permissions/:name", method = "delete", operation_id = "delete_permission")]
    async fn delete(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The permission's name
        #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
        name: Path<String>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let mut tx = admin.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, &name.0).await?.ok_or_else(absent)?;
        if_match.allows(before.version)?;
        signals::delete_unchanged(&mut tx, &admin, &before, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

fn by_role(permission: String) -> HeldPermission {
    HeldPermission { permission, object_id: None, source: Source::Admin, group: None, grant_id: None }
}

fn absent() -> Error {
    Error::new(Code::NOT_FOUND, "The catalogue has no permission of this name.")
}
