//! `/api/v1/invited-guests`

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::model::{InvitationAcceptance, InvitedGuest, InvitedGuestCreate, InvitedGuestPage};
use super::{CanInvite, invitations, rules, store};
use crate::app::App;
use crate::auth::password::NewPassword;
use crate::auth::{Caller, Needs, Public, Role};
use crate::db::signals;
use crate::error::Error;
use crate::http::answer::{Listed, NO_STORE, NoContent, Read};
use crate::http::client::Client;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, RateLimited, Unprocessable};
use crate::http::parameters::Paging;
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};
use crate::resources::sessions::model::Session;

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
        let now = app.now();
        let mut tx = caller.begin(&app.db).await?;
        let invited = invitations::invite(&app, &mut tx, &caller, email, role, now).await?;
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
        let session = invitations::accept(&app, &client, &code, password).await?;
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
