//! `/api/v1/invited-guests`

use chrono::TimeDelta;
use lettre::message::Mailbox;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::INVITATION_TTL;
use super::emails::Invitation;
use super::model::{InvitationAcceptance, InvitedGuest, InvitedGuestCreate, InvitedGuestPage, StoredInvitation};
use super::store::{self, InvitationValues};
use super::{ALREADY_INVITED, CanInvite, INVITATION_INVALID};
use super::{rules, stands};
use crate::app::App;
use crate::auth::password::NewPassword;
use crate::auth::{Caller, Needs, Public, Role, Status, code};
use crate::db::signals::{self, Actor};
use crate::error::{Code, Error, FieldError};
use crate::http::answer::{Listed, NO_STORE, NoContent, Read};
use crate::http::client::Client;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, RateLimited, Unprocessable};
use crate::http::parameters::Paging;
use crate::http::payload::{JsonIn, JsonOut};
use crate::mail::message::until;
use crate::resources::idempotency::{Idempotent, Keyed};
use crate::resources::sessions::model::Session;
use crate::resources::sessions::{self, store::Account};
use crate::resources::users::model::StoredUser;
use crate::resources::users::store::{self as accounts, UserValues};
use crate::resources::{Tag, users};
use crate::tasks::mail::send_with_code;
use crate::tasks::mail_limit::LONG_PAUSE;

/// The operations.
#[derive(Default)]
pub struct GuestsApi;

/// The answer of `create_invited_guest`.
#[derive(ApiResponse)]
pub enum Invited {
    /// Invited
    #[oai(status = 201)]
    Created(
        JsonOut<InvitedGuest>,
        /// Where it is
        #[oai(header = "Location")]
        String,
    ),
}

/// The answer of `accept_invitation`.
#[derive(ApiResponse)]
pub enum Joined {
    /// There is an account, and it is logged in
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

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::InvitedGuests")]
impl GuestsApi {
    /// Invite a guest
    ///
    /// Sends a letter with a code to the address; whoever has it makes an account with `POST
    /// /api/v1/invited-guests/accept` within a week. Needs the permission `can_invite`; only admins invite `staff` and
    /// `admin`. An address that has an account is refused with 409 `email_in_use`, one that is invited with 409
    /// `already_invited`. An address that got ten invitations in a day gets one an hour: more are refused with 429
    /// `rate_limited`. An invitation is good while its inviter may invite.
    #[oai(path = "/invited-guests", method = "post", operation_id = "create_invited_guest")]
    async fn create(
        &self,
        inviter: Needs<CanInvite>,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<InvitedGuestCreate>,
    ) -> Result<Keyed<Invited>, Fail<(Forbidden, Conflict, Unprocessable, RateLimited)>> {
        let InvitedGuestCreate { email, role } = body.0;
        let (mut caller, held) = inviter.ask(&app.db, None).await?;
        rules::may_invite(caller.role, held.0, role)?;
        let Ok(address) = email.as_str().parse() else { return Err(no_mail().into()) };
        let (now, inviter_id) = (app.now(), Some(caller.id));
        let expires_at = now + TimeDelta::seconds(app.config.number(&INVITATION_TTL).cast_signed());
        let (page, until) = (app.config.page("accept-invitation"), until(expires_at));
        let (to, letter) = (Mailbox::new(None, address), Invitation { page, until });
        let mut tx = caller.begin(&app.db).await?;
        if accounts::find_id(&mut tx, &email).await?.is_some() {
            return Err(Error::new(Code::EMAIL_IN_USE, "Somebody with this address has an account already.").into());
        }
        for expired in store::find_expired_to_change(&mut tx, Some(&email), now, 1).await? {
            signals::delete(&mut tx, &caller, &expired, now).await?;
        }
        let code_hash = send_with_code(&mut tx, to, &letter, &app.codes, now).await?.ok_or_else(too_many_letters)?;
        let values = InvitationValues {
            email,
            role,
            inviter_id,
            user_id: None,
            code_hash: Some(code_hash),
            expires_at,
            accepted_at: None,
        };
        let invited = signals::insert_new::<StoredInvitation>(&mut tx, &caller, values, now).await;
        let invited = invited.map_err(|refused| match refused.violates(store::EMAIL_KEY) {
            true => Error::new(ALREADY_INVITED, "An open invitation of this address must expire or be deleted first."),
            false => refused.into(),
        })?;
        let location = format!("/api/v1/invited-guests/{}", invited.id);
        Ok(key.commit(tx, Invited::Created(JsonOut(invited.at(now)), location)).await?)
    }

    /// List invitations
    ///
    /// Admins see all, page by page, the newest first. Anyone else sees their own; for them the others are not there.
    /// Those that have expired are deleted after a while.
    #[oai(path = "/invited-guests", method = "get", operation_id = "list_invited_guests")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// invitations
        paging: Paging,
        /// Also count all, which costs more than the page
        #[oai(default)]
        with_total: Query<bool>,
    ) -> Result<Listed<InvitedGuestPage>, Fail<()>> {
        let (only_of, now) = (only_of(&caller), app.now());
        let page = paging.newest("invited-guests")?;
        let mut conn = caller.read(&app.db).await?;
        let mut rows = store::list(&mut conn, only_of, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.id);
        let total = if with_total.0 { Some(store::count(&mut conn, only_of).await?) } else { None };
        let items = rows.into_iter().map(|row| row.at(now)).collect();
        Ok(Listed::Page(JsonOut(InvitedGuestPage { items, next, total })))
    }

    /// Read an invitation
    ///
    /// Admins read each, anyone else their own: others are not found.
    #[oai(path = "/invited-guests/:id", method = "get", operation_id = "get_invited_guest")]
    async fn get(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The invitation's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Read<InvitedGuest>, Fail<(NotFound,)>> {
        let only_of = only_of(&caller);
        let mut conn = caller.read(&app.db).await?;
        let found = store::find(&mut conn, id.0, only_of).await?.ok_or_else(|| absent(id.0))?;
        Ok(Read::Found(JsonOut(found.at(app.now()))))
    }

    /// Take an invitation back
    ///
    /// Its code works no more, and the address may be invited again. The account of one that was accepted stays. Admins
    /// take each back, anyone else their own: others are not found.
    #[oai(path = "/invited-guests/:id", method = "delete", operation_id = "delete_invited_guest")]
    async fn delete(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The invitation's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<NoContent, Fail<(NotFound, Conflict)>> {
        let only_of = only_of(&caller);
        let mut tx = caller.begin(&app.db).await?;
        let found = store::find_to_change(&mut tx, id.0, only_of).await?.ok_or_else(|| absent(id.0))?;
        signals::delete(&mut tx, &caller, &found, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Accept an invitation
    ///
    /// Takes the code of the letter, makes the account with the role of the invitation, and logs it in; the address is
    /// verified. A code that is unknown or used, whose invitation has expired or was taken back, or whose inviter may no
    /// longer invite, is refused with 400 `invitation_invalid`, one of the most common passwords with 400
    /// `password_common`, the address as password with 400 `password_personal`. If somebody has registered with the address meanwhile: 409
    /// `email_in_use`.
    #[oai(path = "/invited-guests/accept", method = "post", operation_id = "accept_invitation")]
    async fn accept(
        &self,
        _public: Public,
        app: Data<&App>,
        client: Client,
        body: JsonIn<InvitationAcceptance>,
    ) -> Result<Joined, Fail<(Conflict, RateLimited)>> {
        let InvitationAcceptance { code, password } = body.0;
        let password = NewPassword::new(password.0, "/password")?;
        let code_hash = code::hash(&code);
        let mut conn = app.db.read().await?;
        let found = store::find_by_code(&mut conn, &code_hash, app.now()).await?.ok_or_else(invalid)?;
        if !stands(&mut conn, &found).await? {
            return Err(invalid().into());
        }
        // hashing takes tens of milliseconds: no connection is held meanwhile
        drop(conn);
        let password_hash = Some(app.passwords.hash(password.of(&found.email, None)?).await?);
        let (mut tx, now) = (app.db.begin().await?, app.now());
        let found = store::find_by_code_to_change(&mut tx, &code_hash, now).await?.ok_or_else(invalid)?;
        if !stands(&mut tx, &found).await? {
            return Err(invalid().into());
        }
        let by = client.origin.actor(None);
        let (email, role, status) = (found.email.clone(), found.role, Status::Active);
        let user = UserValues { email, name: None, password_hash, role, status, email_verified_at: Some(now) };
        let StoredUser { user, token_version, .. } = users::create(&mut tx, by, user, now).await?;
        let accepted = InvitationValues { user_id: Some(user.id), accepted_at: Some(now), ..found.values() };
        let by = Actor { user_id: Some(user.id), ..by };
        signals::update(&mut tx, by, &found, accepted, now).await?.ok_or_else(invalid)?;
        let account = Account { id: user.id, role: user.role, status: user.status, token_version };
        let session = sessions::open(&app, &mut tx, &client, account).await?;
        tx.commit().await?;
        Ok(Joined::Created(JsonOut(session.into()), "/api/v1/user".into(), NO_STORE.into()))
    }
}

/// The inviter whose invitations are all that the caller may know of; none for admins.
fn only_of(caller: &Caller) -> Option<i64> {
    (caller.role != Role::Admin).then_some(caller.id)
}

fn absent(id: i64) -> Error {
    Error::not_found("Invitation", id)
}

fn no_mail() -> Error {
    Error::fields(Code::INVALID, vec![FieldError::body("/email", "is an address that no mail can be sent to")])
}

/// An invitation without its e-mail would be worth nothing.
fn too_many_letters() -> Error {
    let detail = "The address has got as many invitations as it may get in a day; try again in an hour.";
    Error { retry_after: Some(LONG_PAUSE.num_seconds().unsigned_abs()), ..Error::new(Code::RATE_LIMITED, detail) }
}

/// One answer for all that is wrong with a code, so that nobody learns which it was.
fn invalid() -> Error {
    let detail = "is unknown or was used, or the invitation has expired or was taken back; ask for another one";
    Error::fields(INVITATION_INVALID, vec![FieldError::body("/code", detail)])
}
