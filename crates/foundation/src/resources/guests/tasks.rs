//! What is done about invitations outside of requests.

use serde::{Deserialize, Serialize};

use super::store;
use crate::app::App;
use crate::db::signals::{self, Actor};
use crate::tasks::{Fault, Task};

/// Invitations deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 100;

/// Deletes the invitations that nobody has accepted in time, each with its event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeInvitations {}

impl Task for PurgeInvitations {
    const NAME: &'static str = "purge-invitations";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let (mut purged, now) = (0, app.now());
        loop {
            let mut tx = app.db.begin().await?;
            let expired = store::find_expired_to_change(&mut tx, None, now, AT_ONCE).await?;
            if expired.is_empty() {
                tracing::info!(invitations = purged, "purged");
                return Ok(());
            }
            for invitation in &expired {
                signals::delete(&mut tx, Actor::default(), invitation, now).await?;
            }
            tx.commit().await?;
            purged += expired.len();
        }
    }
}
