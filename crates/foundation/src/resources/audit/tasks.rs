//! The retention of the audit: the only way by which an event may be deleted.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::AUDIT_TTL;
use super::store;
use crate::app::App;
use crate::tasks::{Fault, Task};

/// Events deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// Deletes the events that are older than `audit_ttl`; none with 0.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeAuditEvents {}

impl Task for PurgeAuditEvents {
    const NAME: &'static str = "purge-audit-events";

    async fn run(self, app: &App) -> Result<(), Fault> {
        if app.config.number(&AUDIT_TTL) == 0 {
            return Ok(());
        }
        let now = app.now();
        let before = now - TimeDelta::seconds(app.config.number(&AUDIT_TTL).cast_signed());
        let mut tx = app.db.begin().await?;
        store::expire(&mut tx, before, now).await?;
        tx.commit().await?;
        let mut purged = 0;
        loop {
            // on SQLite others write while this looks
            let ids = store::expired(&mut app.db.read().await?, before, AT_ONCE).await?;
            if ids.is_empty() {
                tracing::info!(events = purged, "purged");
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            purged += store::delete(&mut tx, ids).await?;
            tx.commit().await?;
        }
    }
}
