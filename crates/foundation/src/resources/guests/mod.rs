//! Invited guests: who may invite asks an address in, with a role; whoever has it accepts by the code of the e-mail.
//!
//! An invitation is worth what its inviter is worth when it is accepted: whoever was disabled, or may no longer invite
//! with that role, has invited nobody; with a deleted account its open invitations go. Must never be: two open
//! invitations of one address; a role that the inviter may not give; a code in any answer.

pub mod api;
pub mod emails;
pub mod invitations;
pub mod model;
pub mod rules;
pub mod store;
pub mod tables;
pub mod tasks;

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use self::model::StoredInvitation;
use crate::actions;
use crate::application::Resource;
use crate::auth::Role;
use crate::codes;
use crate::config::{A_YEAR, Setting};
use crate::db::migrate::script;
use crate::db::signals::{self, Context, Hook, Refused};
use crate::permissions;
use crate::resources::audit::Audit;
use crate::resources::audit::{Audited, Event};
use crate::resources::users::model::StoredUser;
use crate::server::document::Api;
use crate::server::normalise::Thing;
use crate::tasks::Kind;

permissions! {
    CanInvite = "can_invite" on None, "Invite guests";
}

/// Seconds that an invitation can be accepted.
pub const INVITATION_TTL: Setting = Setting::number("invitation_ttl", 1, A_YEAR);

/// Invited guests.
pub static RESOURCE: Resource = Resource {
    name: "guests",
    apis: &[Api::of::<api::GuestsApi>()],
    things: &[Thing { path: "/api/v1/invited-guests/{id}", name: "InvitedGuest", variable: "id" }],
    tables: tables::declared,
    migrations: &[script!("0003_invited_guests")],
    hooks: |hooks, _| {
        hooks.entity::<StoredInvitation>().on::<StoredInvitation, _>(Audit).on::<StoredUser, _>(EndInvitations)
    },
    permissions: PERMISSIONS,
    actions: ACTIONS,
    codes: CODES,
    emails: emails::EMAILS,
    jobs: &[Kind::every::<tasks::PurgeInvitations>(|config| Duration::from_secs(config.tasks.purge_interval))],
    settings: &[INVITATION_TTL],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "invited_guest":
    GUEST_INVITED = "guest_invited", "Somebody was invited";
    INVITATION_ACCEPTED = "invitation_accepted", "Whoever was invited has made an account";
    INVITATION_DELETED = "invitation_deleted", "An invitation was taken back, has expired, or went with its inviter";
}

codes! {
    INVITATION_INVALID = 400 "invitation_invalid", "The code of the invitation is not valid";
    ALREADY_INVITED = 409 "already_invited", "The address is invited already";
}

/// Takes back what an account has invited and nobody has accepted, when it goes.
pub struct EndInvitations;

#[async_trait]
impl Hook<StoredUser> for EndInvitations {
    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        for invitation in store::find_open_to_change(context.tx, row.user.id).await? {
            signals::delete(context.tx, context.by, &invitation, context.now).await?;
        }
        Ok(())
    }
}

/// The state of an invitation that the audit records: no address.
#[derive(Serialize)]
struct State {
    role: Role,
    user_id: Option<i64>,
}

impl StoredInvitation {
    fn state(&self) -> State {
        State { role: self.role, user_id: self.user_id }
    }
}

impl Audited for StoredInvitation {
    fn created(&self) -> Event {
        Event::of(GUEST_INVITED, self.id).after(&self.state())
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        Some(Event::of(INVITATION_ACCEPTED, self.id).before(&self.state()).after(&new.state()))
    }

    fn deleted(&self) -> Event {
        Event::of(INVITATION_DELETED, self.id).before(&self.state())
    }
}
