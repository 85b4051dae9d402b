//! What goes over the wire for invitations.

use chrono::{DateTime, Utc};
use poem_openapi::types::{Example, Password};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::{Email, Role};
use crate::http::page::page;
use crate::mail::message::EXAMPLE_CODE;

/// What has become of an invitation
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// Its code may be used.
    Open,
    /// Nobody has used it in time.
    Expired,
    /// There is an account.
    Accepted,
}

/// An invitation
#[derive(Object, Serialize)]
#[oai(example)]
pub struct InvitedGuest {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Who is invited, in lower case
    pub email: Email,
    /// What the account may do
    pub role: Role,
    /// What has become of it
    pub status: InvitationStatus,
    /// Who has invited; null if that account was deleted
    #[oai(nullable, validator(minimum(value = "1")))]
    pub inviter_id: Option<i64>,
    /// The account that it has made; null before, and if it was deleted
    #[oai(nullable, validator(minimum(value = "1")))]
    pub user_id: Option<i64>,
    /// When it was sent
    pub created_at: DateTime<Utc>,
    /// Until when it can be accepted
    pub expires_at: DateTime<Utc>,
    /// When it was accepted, or null
    #[oai(nullable)]
    pub accepted_at: Option<DateTime<Utc>>,
}

impl Example for InvitedGuest {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self {
            id: 1,
            email: Email::new("gil@example.com"),
            role: Role::Active,
            status: InvitationStatus::Open,
            inviter_id: Some(1),
            user_id: None,
            created_at: at,
            expires_at: at + chrono::TimeDelta::days(7),
            accepted_at: None,
        }
    }
}

page! {
    /// A page of invitations
    InvitedGuestPage, InvitedGuest, "invited-guests"
}

/// An invitation as it is kept, without the hash of its code.
#[derive(Clone, FromRow)]
#[expect(missing_docs, reason = "InvitedGuest documents them")]
pub struct StoredInvitation {
    pub id: i64,
    #[sqlx(try_from = "String")]
    pub email: Email,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub inviter_id: Option<i64>,
    pub user_id: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
}

/// The values that are written of an invitation.
#[expect(missing_docs, reason = "as in `InvitedGuest`")]
pub struct InvitationValues {
    pub email: Email,
    pub role: Role,
    pub inviter_id: Option<i64>,
    pub user_id: Option<i64>,
    /// `None` leaves the code as it is.
    pub code_hash: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
}

impl StoredInvitation {
    /// What is written to leave it as it is.
    pub fn values(&self) -> InvitationValues {
        let Self { email, role, inviter_id, user_id, expires_at, accepted_at, .. } = self.clone();
        InvitationValues { email, role, inviter_id, user_id, code_hash: None, expires_at, accepted_at }
    }

    /// As its inviter sees it at this time.
    pub fn at(self, now: DateTime<Utc>) -> InvitedGuest {
        let status = match self.accepted_at {
            Some(_) => InvitationStatus::Accepted,
            None if self.expires_at <= now => InvitationStatus::Expired,
            None => InvitationStatus::Open,
        };
        let Self { id, email, role, inviter_id, user_id, created_at, expires_at, accepted_at } = self;
        InvitedGuest { id, email, role, status, inviter_id, user_id, created_at, expires_at, accepted_at }
    }
}

/// Who is to be invited
#[derive(Object)]
#[oai(example)]
pub struct InvitedGuestCreate {
    /// Who gets the letter, and logs in with this address; upper and lower case are the same
    pub email: Email,
    /// What the account may do; only admins invite `staff` and `admin`
    #[oai(default = "active")]
    pub role: Role,
}

fn active() -> Role {
    Role::Active
}

impl Example for InvitedGuestCreate {
    fn example() -> Self {
        Self { email: Email::new("gil@example.com"), role: Role::Active }
    }
}

/// An accepted invitation
#[derive(Object)]
#[oai(example)]
pub struct InvitationAcceptance {
    /// The code of the letter
    #[oai(validator(min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]*$"))]
    pub code: String,
    /// 8 to 128 characters, taken exactly as sent
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Password,
}

impl Example for InvitationAcceptance {
    fn example() -> Self {
        Self { code: EXAMPLE_CODE.into(), password: Password("correct horse battery".into()) }
    }
}
