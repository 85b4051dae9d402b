//! `/api/v1/users`: the accounts of others, for admins.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::model::{Account, AccountCreate, AccountPage, AccountUpdate, Profile, UserValues};
use super::rules;
use super::store::{self, Filter};
use crate::app::App;
use crate::auth::password::NewPassword;
use crate::auth::{Admin, Caller, Email, Role, Status};
use crate::error::Error;
use crate::http::answer::{Changed, Created, Found, Listed, NoContent, Read};
use crate::http::etag::IfMatch;
use crate::http::fail::{ChangeFail, Conflict, Fail, Forbidden, NotFound, Unprocessable};
use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};

/// The operations.
#[derive(Default)]
pub struct UsersApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Users")]
impl UsersApi {
    /// List users
    ///
    /// All accounts, page by page, the newest first.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// users
        paging: Paging,
        /// Only the user with this address, in upper or lower case
        #[oai(validator(min_length = 1, max_length = 254))]
        email: Query<Option<String>>,
        /// Only users of this role
        role: Query<Option<Role>>,
        /// Only users of this status
        status: Query<Option<Status>>,
        /// Only members of this group
        #[oai(validator(minimum(value = "1")))]
        group_id: Query<Option<i64>>,
        with_total: WithTotal,
    ) -> Result<Listed<AccountPage>, Fail<(Forbidden,)>> {
        let email = email.0.as_deref().map(Email::new);
        let filter = Filter { email, role: role.0, status: status.0, group_id: group_id.0 };
        let page = paging.newest("users")?;
        let mut conn = admin.read(&app.db).await?;
        let mut rows = store::list(&mut conn, &filter, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.user.id);
        let total = if with_total.0 { Some(store::count(&mut conn, &filter).await?) } else { None };
        let items = rows.into_iter().map(|row| row.tagged().0).collect();
        Ok(Listed::Page(JsonOut(AccountPage { items, next, total })))
    }

    /// Create a user
    ///
    /// Makes an account for somebody else; nobody is logged in by it. Its address is not verified: where mail is set up,
    /// it gets a letter with a code. An address that is in use, in any mix of upper and lower case, is refused with 409
    /// `email_in_use`, one of the most common passwords with 400 `password_common`, the address or the name as password with
    /// 400 `password_personal`.
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<AccountCreate>,
    ) -> Result<Keyed<Created<Account>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        let AccountCreate { email, password, name, role } = body.0;
        let password = NewPassword::new(password.0, "/password")?.of(&email, name.as_deref())?;
        let password_hash = Some(app.passwords.hash(password).await?);
        let mut tx = admin.begin(&app.db).await?;
        let status = Status::Active;
        let user = UserValues { email, name, password_hash, role, status, email_verified_at: None };
        let (account, tag) = super::create(&mut tx, &admin, user, app.now()).await?.tagged();
        let location = format!("/api/v1/users/{}", account.user.id);
        Ok(key.commit(tx, Created::Created(JsonOut(account), location, tag)).await?)
    }

    /// Read a user
    ///
    /// The whole account. With `If-None-Match` and the current ETag the answer is 304 without content.
    #[oai(path = "/users/:id", method = "get", operation_id = "get_user_by_id")]
    async fn get(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Account>, Fail<(Forbidden, NotFound)>> {
        let mut conn = admin.read(&app.db).await?;
        let row = store::find(&mut conn, id.0).await?.ok_or_else(|| absent(id.0))?;
        Ok(Found::unless_current(row.tagged(), if_none_match.0.as_deref()))
    }

    /// Change role and status of a user
    ///
    /// Counts from the next request on, also with tokens that were issued before. The last active admin keeps both:
    /// 409 `last_admin`. `If-Match` must name the version you have read: without it 428, with another version 412.
    #[oai(path = "/users/:id", method = "patch", operation_id = "update_user_by_id")]
    async fn update(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
        body: JsonIn<AccountUpdate>,
    ) -> Result<Changed<Account>, ChangeFail> {
        let mut tx = admin.begin(&app.db).await?;
        let after = super::set_access(&mut tx, &admin, id.0, &if_match, &body.0, app.now()).await?;
        tx.commit().await?;
        let (account, tag) = after.tagged();
        Ok(Changed::Changed(JsonOut(account), tag))
    }

    /// Delete a user
    ///
    /// Deletes the account for good, with its memberships and grants. Its tokens stop working at once{notes}. The last active admin must stay: 409 `last_admin`. `If-Match`
    /// works as in changing a user.
    #[oai(path = "/users/:id", method = "delete", operation_id = "delete_user_by_id")]
    async fn delete(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let mut tx = admin.begin(&app.db).await?;
        let last = store::is_last_admin(&mut tx, id.0).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| absent(id.0))?;
        if_match.allows(before.version)?;
        if last {
            return Err(rules::last_admin().into());
        }
        super::delete(&mut tx, &admin, &before, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Read the profile of a user
    ///
    /// What everyone may know: the public name.
    #[oai(path = "/users/:id/profile", method = "get", operation_id = "get_user_profile")]
    async fn profile(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The user's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Read<Profile>, Fail<(NotFound,)>> {
        let mut conn = caller.read(&app.db).await?;
        let profile = store::find_profile(&mut conn, id.0).await?.ok_or_else(|| absent(id.0))?;
        Ok(Read::Found(JsonOut(profile)))
    }
}

fn absent(id: i64) -> Error {
    Error::not_found("User", id)
}
