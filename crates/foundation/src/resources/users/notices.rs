//! E-mails that tell the owner of an account what was changed about it: if it was not them, they must know.

use async_trait::async_trait;

use super::emails::{EmailChanged, PasswordChanged};
use super::model::StoredUser;
use crate::db::signals::{Context, Hook, Phase, Refused};
use crate::tasks::mail;

/// Sends those e-mails.
pub struct Notices;

#[async_trait]
impl Hook<StoredUser> for Notices {
    fn phase(&self) -> Phase {
        Phase::Notify
    }

    async fn after_update(&self, context: &mut Context<'_>, old: &StoredUser, new: &StoredUser) -> Result<(), Refused> {
        // nobody has proved the address to be theirs, so the e-mail says nothing that its owner has chosen, not even a name
        let to = old.user.email.as_str();
        if old.token_version != new.token_version {
            mail::send_to(context.tx, to, &PasswordChanged {}, context.now).await?;
        } else if old.user.email != new.user.email {
            mail::send_to(context.tx, to, &EmailChanged {}, context.now).await?;
        }
        Ok(())
    }
}
