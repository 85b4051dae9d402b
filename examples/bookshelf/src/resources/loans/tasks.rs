//! The job that reminds users of overdue loans.

use accord_foundation::mail::message;
use accord_foundation::prelude::*;
use accord_foundation::tasks::mail;

use super::LoanOverdue;
use super::store::{self, Overdue};

/// Reminders in one transaction, so that other writers need not wait long.
const AT_ONCE: u64 = 100;

/// The pause between two reminders of one loan.
const PAUSE: TimeDelta = TimeDelta::days(7);

/// Sends an e-mail for each overdue loan, once a week until the copy is returned.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailOverdue {}

impl Task for MailOverdue {
    const NAME: &'static str = "mail-overdue";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let now = app.now();
        loop {
            let mut tx = app.db.begin().await?;
            let loans = store::overdue(&mut tx, now, now - PAUSE, AT_ONCE).await?;
            if loans.is_empty() {
                return Ok(());
            }
            for Overdue { id, email, title, due_at } in loans {
                store::set_reminded(&mut tx, id, now).await?;
                let overdue = LoanOverdue { title, due: message::until(due_at) };
                mail::send_to(&mut tx, &email, &overdue, now).await?;
            }
            tx.commit().await?;
        }
    }
}
