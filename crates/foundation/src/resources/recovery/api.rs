//! `/api/v1/password-reset`, `/verify-email`.

use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use super::model::{EmailVerification, LetterRequest, PasswordResetConfirm};
use super::tasks::SendCode;
use super::{Purpose, store};
use crate::app::App;
use crate::auth::password::NewPassword;
use crate::auth::{Email, Public, Status, code};
use crate::db::Conn;
use crate::error::{Code, Error, FieldError};
use crate::http::Origin;
use crate::http::answer::NoContent;
use crate::http::fail::{Conflict, Fail, RateLimited};
use crate::http::payload::JsonIn;
use crate::resources::sessions::limits::PerAccount;
use crate::resources::users::model::{StoredUser, UserValues};
use crate::resources::users::store as accounts;
use crate::resources::{Tag, sessions, users};
use crate::tasks::store::enqueue;

/// The operations.
#[derive(Default)]
pub struct RecoveryApi;

/// The answer to whoever wants a letter.
#[derive(ApiResponse)]
pub enum Asked {
    /// If there is such an account, a letter is on its way
    #[oai(status = 202)]
    Accepted,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Recovery")]
impl RecoveryApi {
    /// Ask for a new password
    ///
    /// Sends a letter with a code for `POST /api/v1/password-reset/confirm` to the address, if an active account has it.
    /// The answer is the same whether or not one has, after the same work. The code works once, within an hour, and ends
    /// the one before. A second letter to the same address is sent after five minutes at the earliest, and after ten in a
    /// day one an hour; until then the code of the last letter stays good.
    #[oai(path = "/password-reset", method = "post", operation_id = "request_password_reset")]
    async fn request_reset(
        &self,
        _public: Public,
        app: Data<&App>,
        body: PerAccount<JsonIn<LetterRequest>>,
    ) -> Result<Asked, Fail<(RateLimited,)>> {
        Ok(ask(&app, Purpose::Reset, body.0.email).await?)
    }

    /// Set a new password with a code
    ///
    /// Takes the code of the letter. Every session of the account ends, log in with the new password; the address counts
    /// as verified. One of the most common passwords is refused with 400 `password_common`, the address or
    /// the name of the account with 400 `password_personal`. A code that is unknown, used, replaced by a newer one, or has expired is refused with 400
    /// `reset_invalid`.
    #[oai(path = "/password-reset/confirm", method = "post", operation_id = "confirm_password_reset")]
    async fn confirm_reset(
        &self,
        _public: Public,
        app: Data<&App>,
        origin: Data<&Origin>,
        body: JsonIn<PasswordResetConfirm>,
    ) -> Result<NoContent, Fail<(Conflict, RateLimited)>> {
        let PasswordResetConfirm { code, password } = body.0;
        let password = NewPassword::new(password.0, "/password")?;
        let code_hash = code::hash(&code);
        // only whoever has a code makes the server hash a password
        let user_id = for_whom(&app, &code_hash, Purpose::Reset).await?;
        let mut conn = app.db.read().await?;
        let owner = users::store::find(&mut conn, user_id).await?.ok_or_else(|| invalid(Purpose::Reset))?.user;
        drop(conn);
        let password_hash = Some(app.passwords.hash(password.of(&owner.email, owner.name.as_deref())?).await?);
        let mut tx = app.db.begin().await?;
        let found = take(&mut tx, &app, user_id, &code_hash, Purpose::Reset).await?;
        let values = verified(&app, &found);
        let by = origin.actor(Some(user_id));
        users::update(&mut tx, by, &found, UserValues { password_hash, ..values }, app.now()).await?;
        sessions::store::revoke_all(&mut tx, user_id, None, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Verify an e-mail address
    ///
    /// Takes the code of the letter that registering or changing the address has sent. A code that is unknown, used,
    /// replaced by a newer one, or has expired is refused with 400 `verification_invalid`.
    #[oai(path = "/verify-email", method = "post", operation_id = "verify_email")]
    async fn verify(
        &self,
        _public: Public,
        app: Data<&App>,
        origin: Data<&Origin>,
        body: JsonIn<EmailVerification>,
    ) -> Result<NoContent, Fail<(Conflict, RateLimited)>> {
        let code_hash = code::hash(&body.0.code);
        let user_id = for_whom(&app, &code_hash, Purpose::Verify).await?;
        let mut tx = app.db.begin().await?;
        let found = take(&mut tx, &app, user_id, &code_hash, Purpose::Verify).await?;
        let by = origin.actor(Some(user_id));
        users::update(&mut tx, by, &found, verified(&app, &found), app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Ask for another verification letter
    ///
    /// Sends a letter with a code for `POST /api/v1/verify-email`, if an active account has the address and it is not
    /// verified yet. The answer is the same whether or not one has, after the same work. The code works once, within a
    /// day, and ends the one before. A second letter to the same address is sent after five minutes at the earliest, and
    /// after ten in a day one an hour, whoever causes them.
    #[oai(path = "/verify-email/resend", method = "post", operation_id = "resend_verification")]
    async fn resend(
        &self,
        _public: Public,
        app: Data<&App>,
        body: PerAccount<JsonIn<LetterRequest>>,
    ) -> Result<Asked, Fail<(RateLimited,)>> {
        Ok(ask(&app, Purpose::Verify, body.0.email).await?)
    }
}

/// The same work for any address: one row. A task does what differs.
async fn ask(app: &App, purpose: Purpose, email: Email) -> Result<Asked, Error> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    enqueue(&mut tx, &SendCode { purpose, email }, now, now).await?;
    tx.commit().await?;
    Ok(Asked::Accepted)
}

async fn for_whom(app: &App, code_hash: &str, purpose: Purpose) -> Result<i64, Error> {
    let found = store::find(&mut app.db.read().await?, code_hash, purpose, app.now()).await?;
    found.ok_or_else(|| invalid(purpose))
}

/// Uses the code of an active account up. The account first, then the code, as a deletion takes them.
async fn take(tx: &mut Conn, app: &App, user_id: i64, code_hash: &str, purpose: Purpose) -> Result<StoredUser, Error> {
    let found = accounts::find_to_change(tx, user_id).await?;
    let found = found.filter(|found| found.user.status == Status::Active).ok_or_else(|| invalid(purpose))?;
    if store::take(tx, code_hash, purpose, app.now()).await? { Ok(found) } else { Err(invalid(purpose)) }
}

/// The account with a verified address. A code ends when the address changes, so it is the one that the letter went to.
fn verified(app: &App, found: &StoredUser) -> UserValues {
    let values = found.values();
    UserValues { email_verified_at: values.email_verified_at.or(Some(app.now())), ..values }
}

/// One answer for all that is wrong with a code, so that nobody learns which it was.
fn invalid(purpose: Purpose) -> Error {
    let code = match purpose {
        Purpose::Reset => Code::RESET_INVALID,
        Purpose::Verify => Code::VERIFICATION_INVALID,
    };
    let detail = "is unknown, was used or replaced, or has expired; ask for another letter";
    Error::fields(code, vec![FieldError::body("/code", detail)])
}
