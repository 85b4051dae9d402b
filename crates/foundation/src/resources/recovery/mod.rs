//! Recovery and verification: whoever has the address of an account proves it by a code from an e-mail, and then sets a
//! new password, or has the address verified.
//!
//! A request only asks for the e-mail, whatever the address: a task looks the account up. Must never be: an answer, or
//! work in a request, that tells whether an address is known; a code that works twice, for another purpose, after a new
//! one, or for an address that the account no longer has; a code or an address in a log.

pub mod api;
pub mod emails;
pub mod model;
pub mod store;
pub mod tables;
pub mod tasks;

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use self::tasks::SendCode;
use crate::application::Resource;
use crate::auth::Status;
use crate::config::{A_YEAR, Config, Setting};
use crate::db::signals::{Context, Hook, Phase, Refused};
use crate::resources::users::model::{StoredUser, User};
use crate::server::document::Api;
use crate::tasks::Kind;
use crate::tasks::store::enqueue;
use crate::text_enum;

/// Seconds until the code of a new password expires.
pub const RESET_TTL: Setting = Setting::number("reset_ttl", 1, A_YEAR);
/// Seconds until the code that verifies an address expires.
pub const VERIFY_TTL: Setting = Setting::number("verify_ttl", 1, A_YEAR);

/// New passwords and verified addresses.
pub static RESOURCE: Resource = Resource {
    name: "recovery",
    apis: &[Api::of::<api::RecoveryApi>()],
    tables: tables::declared,
    hooks: |hooks, config| {
        let hooks = hooks.on::<StoredUser, _>(EndCodes);
        if config.mail_url().is_empty() { hooks } else { hooks.on::<StoredUser, _>(Verify) }
    },
    emails: emails::EMAILS,
    jobs: &[
        Kind::of::<SendCode>(),
        Kind::every::<tasks::PurgeCodes>(|config| Duration::from_secs(config.tasks.purge_interval)),
    ],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    settings: &[RESET_TTL, VERIFY_TTL],
    ..Resource::EMPTY
};

text_enum! {
    /// The purpose of a one-time code.
    pub enum Purpose {
        /// To set a new password.
        Reset = "reset",
        /// To have the address verified.
        Verify = "verify",
    }
}

impl Purpose {
    /// How long a code is good for.
    pub fn lifetime(self, config: &Config) -> TimeDelta {
        let setting = match self {
            Self::Reset => RESET_TTL,
            Self::Verify => VERIFY_TTL,
        };
        TimeDelta::seconds(config.number(&setting).cast_signed())
    }

    /// Whether an account may have one.
    pub fn is_for(self, user: &User) -> bool {
        let needs = match self {
            Self::Reset => true,
            Self::Verify => user.email_verified_at.is_none(),
        };
        needs && user.status == Status::Active
    }
}

/// Ends the codes of an account that has another address, all of them, or another password, those for setting one:
/// whoever has them has lost what they prove.
pub struct EndCodes;

#[async_trait]
impl Hook<StoredUser> for EndCodes {
    async fn after_update(&self, context: &mut Context<'_>, old: &StoredUser, new: &StoredUser) -> Result<(), Refused> {
        let id = new.user.id;
        if old.user.email != new.user.email {
            store::end(context.tx, id, None).await?;
        } else if old.token_version != new.token_version {
            store::end(context.tx, id, Some(Purpose::Reset)).await?;
        }
        Ok(())
    }
}

/// Asks for an e-mail wherever an address is new and not verified.
pub struct Verify;

impl Verify {
    async fn ask(context: &mut Context<'_>, user: &User) -> Result<(), Refused> {
        if Purpose::Verify.is_for(user) {
            let task = SendCode { purpose: Purpose::Verify, email: user.email.clone() };
            enqueue(context.tx, &task, context.now, context.now).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Hook<StoredUser> for Verify {
    fn phase(&self) -> Phase {
        Phase::Notify
    }

    async fn after_insert(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        Self::ask(context, &row.user).await
    }

    async fn after_update(&self, context: &mut Context<'_>, old: &StoredUser, new: &StoredUser) -> Result<(), Refused> {
        if old.user.email != new.user.email { Self::ask(context, &new.user).await } else { Ok(()) }
    }
}
