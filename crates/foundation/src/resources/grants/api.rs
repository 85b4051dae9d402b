//! `/api/v1/grants`

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::model::{Grant, GrantCreate, GrantPage};
use super::store::{self, Filter};
use crate::app::App;
use crate::auth::{Admin, Caller, Role};
use crate::error::Error;
use crate::http::answer::{Listed, NoContent, Read};
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, Unprocessable};
use crate::http::parameters::{Paging, WithTotal};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};

/// The operations.
#[derive(Default)]
pub struct GrantsApi;

/// The answer of `create_grant`.
#[derive(ApiResponse)]
pub enum Granted {
    /// Granted
    #[oai(status = 201)]
    Created(
        JsonOut<Grant>,
        /// Where it is
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Grants")]
impl GrantsApi {
    /// List grants
    ///
    /// Admins see all, page by page, the newest first. Anyone else sees what is granted to themselves; for them the
    /// others are not there.
    #[oai(path = "/grants", method = "get", operation_id = "list_grants")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// grants
        paging: Paging,
        /// Only what is granted to this user
        #[oai(validator(minimum(value = "1")))]
        user_id: Query<Option<i64>>,
        /// Only what is granted to this group
        #[oai(validator(minimum(value = "1")))]
        group_id: Query<Option<i64>>,
        /// Only grants of this permission
        #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
        permission: Query<Option<String>>,
        /// Only grants on this object
        #[oai(validator(minimum(value = "1")))]
        object_id: Query<Option<i64>>,
        with_total: WithTotal,
    ) -> Result<Listed<GrantPage>, Fail<()>> {
        let filter = Filter {
            only_of: only_of(&caller),
            user_id: user_id.0,
            group_id: group_id.0,
            permission: permission.0,
            target: None,
            object_id: object_id.0,
        };
        let page = paging.newest("grants")?;
        let mut conn = caller.read(&app.db).await?;
        let mut items = store::list(&mut conn, &filter, page.before, page.rows()).await?;
        let next = page.cut(&mut items, |grant| grant.id);
        let total = if with_total.0 { Some(store::count(&mut conn, &filter).await?) } else { None };
        Ok(Listed::Page(JsonOut(GrantPage { items, next, total })))
    }

    /// Grant a permission
    ///
    /// To a user or to a group, on all objects or on one; it counts from the next request on. A grant on all covers
    /// each. What is granted already is refused with 409 `already_granted`. User, group, permission and object must
    /// be there: otherwise 404.
    #[oai(path = "/grants", method = "post", operation_id = "create_grant")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<GrantCreate>,
    ) -> Result<Keyed<Granted>, Fail<(Forbidden, NotFound, Conflict, Unprocessable)>> {
        let mut tx = admin.begin(&app.db).await?;
        let grant = super::create(&mut tx, &admin, body.0, app.now()).await?;
        let location = format!("/api/v1/grants/{}", grant.id);
        Ok(key.commit(tx, Granted::Created(JsonOut(grant), location)).await?)
    }

    /// Read a grant
    ///
    /// Admins read each, anyone else what is granted to themselves: other grants are not found.
    #[oai(path = "/grants/:id", method = "get", operation_id = "get_grant")]
    async fn get(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The grant's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Read<Grant>, Fail<(NotFound,)>> {
        let only_of = only_of(&caller);
        let mut conn = caller.read(&app.db).await?;
        let grant = store::find(&mut conn, id.0, only_of).await?;
        Ok(Read::Found(JsonOut(grant.ok_or_else(|| Error::not_found("Grant", id.0))?)))
    }

    /// Take a grant back
    ///
    /// It counts from the next request on. Whoever holds the permission in another way keeps it.
    #[oai(path = "/grants/:id", method = "delete", operation_id = "delete_grant")]
    async fn delete(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The grant's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<NoContent, Fail<(Forbidden, NotFound, Conflict)>> {
        let mut tx = admin.begin(&app.db).await?;
        super::delete(&mut tx, &admin, id.0, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// The user whose grants are all that the caller may know of; none for admins.
fn only_of(caller: &Caller) -> Option<i64> {
    (caller.role != Role::Admin).then_some(caller.id)
}
