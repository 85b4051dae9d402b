//! `/api/v1/user`: one's own account.

use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use super::model::{PasswordChange, StoredUser, User, UserCreate, UserUpdate, UserValues};
use super::rules;
use super::store;
use crate::app::App;
use crate::app::limit::{Ledger, Who};
use crate::auth::password::{self, NewPassword, Verdict};
use crate::auth::{Caller, Enabled, LoggedIn, Public, Role, Status};
use crate::error::{Code, Error, FieldError};
use crate::http::answer::{NO_STORE, NoContent, Private};
use crate::http::client::Client;
use crate::http::fail::{Conflict, Fail, RateLimited};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::audit;
use crate::resources::sessions::limits::PerAccount;
use crate::resources::sessions::model::Session;
use crate::resources::sessions::{self, store::Account};

/// The operations.
#[derive(Default)]
pub struct AccountApi;

/// The answer of `register_user`.
#[derive(ApiResponse)]
pub enum Registered {
    /// Registered and logged in
    #[oai(status = 201)]
    Created(
        JsonOut<Session>,
        /// Where the account is
        #[oai(header = "Location")]
        String,
        /// Tokens are not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Account")]
impl AccountApi {
    /// Register
    ///
    /// Makes an account and logs it in: the token of the answer works at once. Where mail is set up, the address gets a
    /// letter with a code that verifies it; a server may require that first, then all but reading, changing and deleting
    /// the account and logging out is refused with 403 `email_unverified`. An address that is in use, in any mix of upper
    /// and lower case, is refused with 409, one of the most common passwords with 400 `password_common`, the address or the
    /// name as password with 400 `password_personal`.
    #[oai(path = "/user", method = "post", operation_id = "register_user")]
    async fn register(
        &self,
        _public: Public,
        app: Data<&App>,
        client: Client,
        body: PerAccount<JsonIn<UserCreate>>,
    ) -> Result<Registered, Fail<(Conflict, RateLimited)>> {
        let UserCreate { email, password, name } = body.0;
        let password = NewPassword::new(password.0, "/password")?.of(&email, name.as_deref())?;
        let password_hash = Some(app.passwords.hash(password).await?);
        let mut tx = app.db.begin().await?;
        let (role, status) = (Role::Active, Status::Active);
        let user = UserValues { email, name, password_hash, role, status, email_verified_at: None };
        let by = client.origin.actor(None);
        let StoredUser { user, token_version, .. } = super::create(&mut tx, by, user, app.now()).await?;
        let account = Account { id: user.id, role: user.role, status: user.status, token_version };
        let session = sessions::open(&app, &mut tx, &client, account).await?;
        tx.commit().await?;
        Ok(Registered::Created(JsonOut(session.into()), "/api/v1/user".into(), NO_STORE.into()))
    }

    /// Read your account
    ///
    /// The account that the access token belongs to. A disabled one is told that it is.
    #[oai(path = "/user", method = "get", operation_id = "get_user")]
    async fn get(&self, mut caller: LoggedIn, app: Data<&App>) -> Result<Private<User>, Fail<()>> {
        let mut conn = caller.read(&app.db).await?;
        let user = store::find(&mut conn, caller.id).await?.ok_or_else(gone)?;
        Ok(user.user.into())
    }

    /// Change your account
    ///
    /// Changes only the fields that are sent. `"name": null` removes the name. Another address needs the present password,
    /// because whoever has the address can set a new one; a wrong one is refused with 400 `wrong_password`, and ten wrong ones
    /// within 15 minutes with 429. The new address is not
    /// verified. It must not be the password, which is refused with 400 `password_personal`. Where mail is set up it gets a letter with a code, and the old one is told that there is a new one. Also
    /// for who must verify the address first: it may be mistyped.
    #[oai(path = "/user", method = "patch", operation_id = "update_user")]
    async fn update(
        &self,
        mut caller: Enabled,
        app: Data<&App>,
        body: JsonIn<UserUpdate>,
    ) -> Result<Private<User>, Fail<(Conflict, RateLimited)>> {
        let proved = prove_for(&app, &mut caller, &body.0).await?;
        let mut tx = caller.begin(&app.db).await?;
        let found = store::find_to_change(&mut tx, caller.id).await?.ok_or_else(gone)?;
        // another request has changed the password meanwhile
        if proved.is_some_and(|token_version| found.token_version != token_version) {
            return Err(wrong_password("/password").into());
        }
        let values = body.0.of(found.values());
        let after = super::update(&mut tx, &caller, &found, values, app.now()).await?;
        tx.commit().await?;
        Ok(after.user.into())
    }

    /// Delete your account
    ///
    /// Deletes the account for good. Needs a login that is at most 5 minutes old, unless the server is set up otherwise; with
    /// an older one 401 `fresh_login_required`: log in again, and use the new token. A refresh is no login. Its tokens stop working at once{notes}. The last active admin must stay: 409 `last_admin`. Also for who must verify the address first.
    #[oai(path = "/user", method = "delete", operation_id = "delete_user")]
    async fn delete(&self, mut caller: Enabled, app: Data<&App>) -> Result<NoContent, Fail<(Conflict,)>> {
        caller.has_logged_in_within(app.config.tokens.fresh_login, app.now())?;
        let mut tx = caller.begin(&app.db).await?;
        if store::is_last_admin(&mut tx, caller.id).await? {
            return Err(rules::last_admin().into());
        }
        let found = store::find_to_change(&mut tx, caller.id).await?.ok_or_else(gone)?;
        super::delete(&mut tx, &caller, &found, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Change your password
    ///
    /// Needs the present password; a wrong one is refused with 400 `wrong_password`, ten wrong ones within 15 minutes with
    /// 429, a new one that is among the most common with 400 `password_common`, one that is the address or the name of the
    /// account with 400 `password_personal`. All other sessions end. This one goes on, but every access token that was
    /// issued before, also the one of this request, stops working at once: get the next with the refresh token.
    #[oai(path = "/user/password", method = "post", operation_id = "change_password")]
    async fn change_password(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        body: JsonIn<PasswordChange>,
    ) -> Result<NoContent, Fail<(Conflict, RateLimited)>> {
        let PasswordChange { old_password, new_password } = body.0;
        let new_password = NewPassword::new(new_password.0, "/new_password")?;
        let token_version = prove(&app, &mut caller, old_password.0, "/old_password").await?;
        let mut conn = caller.read(&app.db).await?;
        let User { email, name, .. } = store::find(&mut conn, caller.id).await?.ok_or_else(gone)?.user;
        drop(conn);
        let new_hash = app.passwords.hash(new_password.of(&email, name.as_deref())?).await?;
        let mut tx = app.db.begin().await?;
        let found = store::find_to_change(&mut tx, caller.id).await?.ok_or_else(gone)?;
        // another request has changed it meanwhile
        if found.token_version != token_version {
            return Err(wrong_password("/old_password").into());
        }
        let values = UserValues { password_hash: Some(new_hash), ..found.values() };
        super::update(&mut tx, &caller, &found, values, app.now()).await?;
        sessions::store::revoke_all(&mut tx, caller.id, caller.session_id, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// Compares a password with the caller's own and returns the version of the account's tokens, which a new password
/// raises. A wrong one counts against `login_failures` and is recorded in the audit: whoever holds a stolen access token
/// must not be able to guess the password.
async fn prove(app: &App, caller: &mut Caller, password: String, pointer: &str) -> Result<i64, Error> {
    let mut conn = caller.read(&app.db).await?;
    let (hash, token_version) = store::password(&mut conn, caller.id).await?.ok_or_else(gone)?;
    // hashing takes tens of milliseconds: no connection is held meanwhile
    drop(conn);
    let (who, headers) = (Who::User(caller.id), Ledger::default());
    // counted before the password is verified, so that many concurrent guesses get no further
    if let Some(limit) = &app.password_checks {
        limit.take(&who, &headers)?;
    }
    if app.passwords.verify(password, Some(hash)).await? != Verdict::Wrong {
        if let Some(limit) = &app.password_checks {
            limit.give_back(&who, &headers);
        }
        return Ok(token_version);
    }
    // in a transaction of its own: nothing else is written
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, &*caller, sessions::login_failed(Some(caller.id), "present_password")).await?;
    tx.commit().await?;
    Err(wrong_password(pointer))
}

/// The same if the change moves the account to another address: whoever has that could have a new password set.
async fn prove_for(app: &App, caller: &mut Caller, change: &UserUpdate) -> Result<Option<i64>, Error> {
    let Some(email) = &change.email else { return Ok(None) };
    let mut conn = caller.read(&app.db).await?;
    let present = store::find(&mut conn, caller.id).await?.ok_or_else(gone)?;
    caller.give_back(conn);
    if present.user.email == *email {
        return Ok(None);
    }
    let Some(password) = &change.password else {
        let fault = FieldError::body("/password", "is needed for another address");
        return Err(Error::fields(Code::INVALID, vec![fault]));
    };
    let token_version = prove(app, caller, password.0.clone(), "/password").await?;
    if password::is_personal(&password.0, email, None) {
        return Err(password::personal("/password"));
    }
    Ok(Some(token_version))
}

fn wrong_password(pointer: &str) -> Error {
    Error::fields(Code::WRONG_PASSWORD, vec![FieldError::body(pointer, "is not the present password")])
}

/// The account was deleted between the check of the token and the statement.
fn gone() -> Error {
    Error::new(Code::USER_GONE, "The account was deleted; its tokens are worth nothing.")
}
