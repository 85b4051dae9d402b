//! What is done about codes outside of requests: send, forget.

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};

use super::emails::{PasswordReset, VerifyEmail};
use super::{Purpose, store};
use crate::app::App;
use crate::auth::Email;
use crate::mail::message::until;
use crate::resources::users::store as users;
use crate::tasks::mail::send_with_code;
use crate::tasks::{Fault, Pool, Task};

/// Codes deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// Creates a code and the e-mail with it, if an account with this address may have one. Not `Debug`: an address is personal.
///
/// Run twice it sends one e-mail: the limit of the address drops a second one within five minutes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendCode {
    /// What the code is for.
    pub purpose: Purpose,
    /// Any address: nobody has looked yet whether it is known.
    pub email: Email,
}

impl Task for SendCode {
    const NAME: &'static str = "send-code";
    const POOL: Pool = Pool::Mail;

    async fn run(self, app: &App) -> Result<(), Fault> {
        let Self { purpose, email } = self;
        // an address that no mail can be sent to gets none
        let Ok(address) = email.as_str().parse() else { return Ok(()) };
        let now = app.now();
        let mut tx = app.db.begin().await?;
        let found = users::find_by_email_to_change(&mut tx, &email).await?;
        let Some(found) = found.filter(|found| purpose.is_for(&found.user)) else { return Ok(()) };
        let expires_at = now + purpose.lifetime(&app.config);
        let (to, until) = (Mailbox::new(None, address), until(expires_at));
        let code_hash = match purpose {
            Purpose::Reset => {
                let message = PasswordReset { page: app.config.mail.page("reset-password"), until };
                send_with_code(&mut tx, to, &message, &app.codes, now).await?
            }
            Purpose::Verify => {
                let message = VerifyEmail { page: app.config.mail.page("verify-email"), until };
                send_with_code(&mut tx, to, &message, &app.codes, now).await?
            }
        };
        // without an e-mail the code of the last one stays valid
        if let Some(code_hash) = code_hash {
            store::replace(&mut tx, found.user.id, purpose, &code_hash, expires_at, now).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Deletes the codes that have expired.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeCodes {}

impl Task for PurgeCodes {
    const NAME: &'static str = "purge-codes";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let (mut purged, now) = (0, app.now());
        loop {
            // on SQLite others write while this looks
            let hashes = store::expired(&mut app.db.read().await?, now, AT_ONCE).await?;
            if hashes.is_empty() {
                tracing::info!(codes = purged, "purged");
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            purged += store::delete(&mut tx, hashes).await?;
            tx.commit().await?;
        }
    }
}
