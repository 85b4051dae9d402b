//! `/api/v1/permissions`, `/api/v1/user/permissions`

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_query::Condition;

use super::model::{
    HeldPermission, HeldPermissionPage, Permission, PermissionCreate, PermissionPage, PermissionUpdate, Source,
    StoredPermission,
};
use super::store;
use crate::app::App;
use crate::auth::permission::Target;
use crate::auth::{Admin, Caller, Role};
use crate::crud;
use crate::error::{Code, Error};
use crate::http::answer::{Changed, Created, Found, Listed, NoContent};
use crate::http::etag::IfMatch;
use crate::http::fail::{ChangeFail, CreateFail, Fail, Forbidden, NotFound};
use crate::http::page::Page;
use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};

/// The operations.
#[derive(Default)]
pub struct PermissionsApi;

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
        with_total: WithTotal,
    ) -> Result<Listed<PermissionPage>, Fail<(Forbidden,)>> {
        let filter = store::on(target.0);
        let newest = paging.newest("permissions")?;
        Ok(crud::list::<StoredPermission, _>(&mut admin, &app, newest, &with_total, filter).await?)
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
        with_total: WithTotal,
    ) -> Result<Listed<HeldPermissionPage>, Fail<()>> {
        let is_admin = caller.role == Role::Admin;
        // a position in the catalogue means nothing among the grants
        let list = if is_admin { "catalogue" } else { "held" };
        let page = paging.newest(list)?;
        let mut conn = caller.read(&app.db).await?;
        let page = if is_admin {
            crud::page::<StoredPermission>(&mut conn, page, &with_total, Condition::all()).await?.map(by_role)
        } else {
            let mut items = store::list_held(&mut conn, caller.id, page.before, page.rows()).await?;
            let next = page.cut(&mut items, |row| row.grant_id.unwrap_or_default());
            let total = if with_total.0 { Some(store::count_held(&mut conn, caller.id).await?) } else { None };
            Page { items, next, total }
        };
        Ok(Listed::Page(JsonOut(page.into())))
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
        key: Idempotent,
        body: JsonIn<PermissionCreate>,
    ) -> Result<Keyed<Created<Permission>>, CreateFail> {
        let mut change = admin.change(&app).await?;
        let permission = super::create(&mut change.tx, change.by, body.0, change.now).await?;
        Ok(key.commit(change, crud::created(permission)).await?)
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
        Ok(crud::found(row, &if_none_match))
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
        let mut change = admin.change(&app).await?;
        let before = store::find_to_change(&mut change.tx, &name.0).await?.ok_or_else(absent)?;
        if_match.allows(before.version)?;
        let mut values = before.values();
        values.description = body.0.description.unwrap_or(values.description);
        Ok(change.updated(&before, values).await?)
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
        let mut change = admin.change(&app).await?;
        let before = store::find_to_change(&mut change.tx, &name.0).await?.ok_or_else(absent)?;
        if_match.allows(before.version)?;
        Ok(change.deleted(&before).await?)
    }
}

fn by_role(permission: Permission) -> HeldPermission {
    HeldPermission { permission: permission.name, object_id: None, source: Source::Admin, group: None, grant_id: None }
}

fn absent() -> Error {
    Error::new(Code::NOT_FOUND, "The catalogue has no permission of this name.")
}
