//! Inviting a guest, and accepting an invitation.

use chrono::{DateTime, TimeDelta, Utc};
use lettre::message::Mailbox;

use super::emails::Invitation;
use super::model::{InvitationValues, StoredInvitation};
use super::store;
use super::{ALREADY_INVITED, CanInvite, INVITATION_INVALID, INVITATION_TTL, rules};
use crate::app::App;
use crate::auth::password::NewPassword;
use crate::auth::permission::{self, Permission};
use crate::auth::{Caller, Email, Role, Status, code};
use crate::db::signals::{self, Actor, Refused};
use crate::db::{Conn, DbResult};
use crate::error::{Code, Error, FieldError};
use crate::http::client::Client;
use crate::mail::message::until;
use crate::resources::sessions::store::Account;
use crate::resources::sessions::{self, Pair};
use crate::resources::users;
use crate::resources::users::model::{StoredUser, UserValues};
use crate::resources::users::store as accounts;
use crate::tasks::mail::send_with_code;
use crate::tasks::mail_limit::LONG_PAUSE;

/// Invites an address, and sends it the code. [`rules::may_invite`] has accepted the inviter and the role.
///
/// # Errors
/// 400 for an address that no mail can be sent to, 409 `email_in_use` or `already_invited`, 429 for an address that has
/// received too many invitations.
pub async fn invite(
    app: &App,
    tx: &mut Conn,
    inviter: &Caller,
    email: Email,
    role: Role,
    now: DateTime<Utc>,
) -> Result<StoredInvitation, Error> {
    let address = email.as_str().parse().map_err(|_| no_mail())?;
    if accounts::find_id(tx, &email).await?.is_some() {
        return Err(Error::new(Code::EMAIL_IN_USE, "Somebody with this address has an account already."));
    }
    for expired in store::find_expired_to_change(tx, Some(&email), now, 1).await? {
        signals::delete(tx, inviter, &expired, now).await?;
    }
    let expires_at = now + TimeDelta::seconds(app.config.number(&INVITATION_TTL).cast_signed());
    let letter = Invitation { page: app.config.mail.page("accept-invitation"), until: until(expires_at) };
    let code_hash = send_with_code(tx, Mailbox::new(None, address), &letter, &app.codes, now).await?;
    let code_hash = Some(code_hash.ok_or_else(too_many_letters)?);
    let inviter_id = Some(inviter.id);
    let values = InvitationValues { email, role, inviter_id, user_id: None, code_hash, expires_at, accepted_at: None };
    signals::insert_new(tx, inviter, values, now).await.map_err(already_invited)
}

/// Accepts the invitation of a code: creates the account with its role, and logs it in.
///
/// # Errors
/// 400 `invitation_invalid`, `password_common` or `password_personal`, 409 `email_in_use`.
pub async fn accept(app: &App, client: &Client, code: &str, password: NewPassword) -> Result<Pair, Error> {
    let code_hash = code::hash(code);
    let mut conn = app.db.read().await?;
    let found = store::find_by_code(&mut conn, &code_hash, app.now()).await?;
    let found = valid(&mut conn, found).await?;
    // hashing takes tens of milliseconds: no connection is held meanwhile
    drop(conn);
    let password_hash = Some(app.passwords.hash(password.of(&found.email, None)?).await?);
    let (mut tx, now) = (app.db.begin().await?, app.now());
    let found = store::find_by_code_to_change(&mut tx, &code_hash, now).await?;
    let found = valid(&mut tx, found).await?;
    let by = client.origin.actor(None);
    let (email, role, status) = (found.email.clone(), found.role, Status::Active);
    let user = UserValues { email, name: None, password_hash, role, status, email_verified_at: Some(now) };
    let StoredUser { user, token_version, .. } = users::create(&mut tx, by, user, now).await?;
    let accepted = InvitationValues { user_id: Some(user.id), accepted_at: Some(now), ..found.values() };
    let by = Actor { user_id: Some(user.id), ..by };
    signals::update(&mut tx, by, &found, accepted, now).await?.ok_or_else(invalid)?;
    let account = Account { id: user.id, role: user.role, status: user.status, token_version };
    let pair = sessions::open(app, &mut tx, client, account).await?;
    tx.commit().await?;
    Ok(pair)
}

/// The invitation that was found for a code, if its inviter may still invite.
async fn valid(conn: &mut Conn, found: Option<StoredInvitation>) -> Result<StoredInvitation, Error> {
    let found = found.ok_or_else(invalid)?;
    if stands(conn, &found).await? { Ok(found) } else { Err(invalid()) }
}

/// Returns whether the inviter may still invite with that role.
async fn stands(conn: &mut Conn, invitation: &StoredInvitation) -> DbResult<bool> {
    let Some(inviter_id) = invitation.inviter_id else { return Ok(false) };
    let Some(StoredUser { user, .. }) = accounts::find(conn, inviter_id).await? else { return Ok(false) };
    if user.status != Status::Active {
        return Ok(false);
    }
    let held = user.role == Role::Admin || permission::holds(conn, inviter_id, CanInvite::ENTRY.name, None).await?;
    Ok(rules::may_invite(user.role, held, invitation.role).is_ok())
}

fn no_mail() -> Error {
    Error::fields(Code::INVALID, vec![FieldError::body("/email", "is an address that no mail can be sent to")])
}

/// An invitation without its e-mail would be worth nothing.
fn too_many_letters() -> Error {
    let detail = "The address has got as many invitations as it may get in a day; try again in an hour.";
    Error { retry_after: Some(LONG_PAUSE.num_seconds().unsigned_abs()), ..Error::new(Code::RATE_LIMITED, detail) }
}

fn already_invited(refused: Refused) -> Error {
    if refused.violates(store::EMAIL_KEY) {
        return Error::new(ALREADY_INVITED, "An open invitation of this address must expire or be deleted first.");
    }
    refused.into()
}

/// One answer for all that is wrong with a code, so that nobody learns which it was.
fn invalid() -> Error {
    let detail = "is unknown or was used, or the invitation has expired or was taken back; ask for another one";
    Error::fields(INVITATION_INVALID, vec![FieldError::body("/code", detail)])
}
