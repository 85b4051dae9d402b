//! The jobs of webhooks: the purge of old deliveries, and what releases before 0.4 have enqueued.

use chrono::TimeDelta;
use sea_query::Condition;
use serde::{Deserialize, Serialize};

use super::DELIVERIES_TTL;
use super::events::OutgoingEvent;
use super::model::StoredWebhook;
use super::{UnknownKey, dispatch, store};
use crate::app::App;
use crate::db::signals::{self, Actor};
use crate::db::versioned;
use crate::declared;
use crate::tasks::{Fault, Task};

/// The largest `webhook_limit`.
const MOST: u64 = 10_000;

/// Deliveries deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// An event of a release before 0.4, whose deliveries are still to be inserted. Since 0.4 the transaction of the change
/// inserts them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublishEvent(OutgoingEvent);

impl Task for PublishEvent {
    const NAME: &'static str = "publish-event";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let mut tx = app.db.begin().await?;
        super::publish(&mut tx, &self.0, app.now()).await?;
        Ok(tx.commit().await?)
    }
}

/// A delivery that a release before 0.4 has inserted. There is nothing to do: the dispatcher sends every pending delivery.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverWebhook {
    /// The delivery's id.
    pub delivery_id: i64,
}

impl Task for DeliverWebhook {
    const NAME: &'static str = dispatch::NAME;

    async fn run(self, _: &App) -> Result<(), Fault> {
        Ok(())
    }
}

/// Deletes the deliveries that are not tried any more and that nobody will look for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeDeliveries {}

impl Task for PurgeDeliveries {
    const NAME: &'static str = "purge-deliveries";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let ttl = i64::try_from(app.config.number(&DELIVERIES_TTL)).unwrap_or(i64::MAX);
        let before = app.now() - TimeDelta::try_seconds(ttl).unwrap_or(TimeDelta::MAX);
        let mut purged = 0;
        loop {
            // on SQLite others write while this looks
            let ids = store::ended(&mut app.db.read().await?, before, AT_ONCE).await?;
            if ids.is_empty() {
                tracing::info!(deliveries = purged, "purged");
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            purged += store::delete_deliveries(&mut tx, &ids).await?;
            tx.commit().await?;
        }
    }
}

/// Encrypts the secrets that are in plain or sealed with another key than the present one. Once it has run after a change
/// of keys, the old key is not needed any more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealSecrets {}

impl Task for SealSecrets {
    const NAME: &'static str = "seal-webhook-secrets";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let (mut sealed, mut unknown) = (0, 0);
        for webhook in versioned::list::<StoredWebhook>(&mut app.db.read().await?, Condition::all(), None, MOST).await?
        {
            if super::sealed(&webhook, &app.seals).is_ok_and(|values| values.is_none()) {
                continue;
            }
            let mut tx = app.db.begin().await?;
            // an admin may have rotated or deleted it meanwhile
            let Some(webhook) = versioned::find_to_change::<StoredWebhook>(&mut tx, webhook.id).await? else {
                continue;
            };
            match super::sealed(&webhook, &app.seals) {
                Ok(Some(values)) => {
                    signals::update(&mut tx, Actor::default(), &webhook, values, app.now()).await?;
                    tx.commit().await?;
                    sealed += 1;
                }
                Ok(None) => {}
                Err(UnknownKey) => unknown += 1,
            }
        }
        if unknown > 0 {
            tracing::warn!(
                webhooks = unknown,
                "secrets are sealed with a key that is neither SECRET_KEY nor in {}: add the key, or rotate the \
                 secrets",
                declared::variable("more_secret_keys")
            );
        }
        tracing::info!(webhooks = sealed, "sealed");
        Ok(())
    }
}
