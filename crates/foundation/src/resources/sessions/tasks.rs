//! What is done about sessions outside of requests.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::store;
use crate::app::App;
use crate::tasks::{Fault, Task};

/// Sessions deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// Deletes the sessions that nothing can be done with any more: their last refresh token has expired, and any access
/// token that it gave. Until then they are kept, also when they have ended, so that a token that was stolen and is used
/// again is known.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeSessions {}

impl Task for PurgeSessions {
    const NAME: &'static str = "purge-sessions";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let before = app.now() - TimeDelta::seconds(app.config.tokens.token_ttl.into());
        let mut purged = 0;
        loop {
            // on SQLite others write while this looks; what has expired stays so
            let ids = store::expired(&mut app.db.read().await?, before, AT_ONCE).await?;
            if ids.is_empty() {
                tracing::info!(sessions = purged, "purged");
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            purged += store::delete(&mut tx, &ids).await?;
            tx.commit().await?;
        }
    }
}
