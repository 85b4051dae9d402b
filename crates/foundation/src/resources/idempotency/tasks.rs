//! The job that deletes expired idempotency keys.

use serde::{Deserialize, Serialize};

use super::{LIFETIME, store};
use crate::app::App;
use crate::tasks::{Fault, Task};

/// Keys deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// Deletes the keys, and the answers with them, that are older than a day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeIdempotencyKeys {}

impl Task for PurgeIdempotencyKeys {
    const NAME: &'static str = "purge-idempotency-keys";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let (mut purged, before) = (0, app.now() - LIFETIME);
        loop {
            // on SQLite others write while this looks
            let runs = store::expired(&mut app.db.read().await?, before, AT_ONCE).await?;
            if runs.is_empty() {
                tracing::info!(keys = purged, "purged");
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            purged += store::purge(&mut tx, runs).await?;
            tx.commit().await?;
        }
    }
}
