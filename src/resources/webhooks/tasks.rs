//! What is done about events outside of requests: publish, deliver, forget.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::events::{self, Event, EventType};
use super::model::{DeliveryStatus, DisabledReason, StoredWebhook};
use super::rules;
use super::sender::{self, Refusal, Sent};
use super::store::{self, Outgoing, Tried};
use crate::app::App;
use crate::tasks::{Fault, Task};

/// Deliveries deleted in one transaction: others want to write, too.
const AT_ONCE: u64 = 500;

/// 410: the receiver says that it is gone, and does not want to be asked again.
const GONE: u16 = 410;

/// Makes a delivery for each webhook that wants an event. Run twice it makes none twice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishEvent {
    /// The event's own.
    pub id: String,
    /// Its type.
    pub event_type: EventType,
    /// What it is about.
    pub object: String,
    /// As it is sent.
    pub body: String,
}

impl PublishEvent {
    /// For this event, which happens now.
    pub fn new(event: &Event<'_>, now: DateTime<Utc>) -> Self {
        let id = events::new_id();
        Self { event_type: event.event_type(), object: event.object(), body: event.body(&id, now), id }
    }
}

impl Task for PublishEvent {
    const NAME: &'static str = "publish-event";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let mut tx = app.db.begin().await?;
        for webhook in store::all(&mut tx).await?.iter().filter(|webhook| webhook.wants(self.event_type)) {
            super::deliver(&mut tx, webhook.id, &self, app.now()).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Sends one delivery, until it succeeds or its time is over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverWebhook {
    /// Which one.
    pub delivery_id: i64,
}

impl Task for DeliverWebhook {
    const NAME: &'static str = "deliver-webhook";
    // never reached: `webhook_retry_for`, a fortnight at most, ends a delivery in about 500 tries
    const ATTEMPTS: i64 = 1000;

    async fn run(self, app: &App) -> Result<(), Fault> {
        let mut conn = app.db.read().await?;
        let outgoing = store::find_outgoing(&mut conn, None, self.delivery_id).await?;
        // ended, or sent before the process could say so
        let Some(outgoing) = outgoing.filter(|outgoing| outgoing.status == DeliveryStatus::Pending) else {
            return Ok(());
        };
        let Some(webhook) = store::find(&mut conn, outgoing.webhook_id).await? else { return Ok(()) };
        // nothing of the database is held while the receiver thinks
        drop(conn);
        if !webhook.enabled {
            let mut tx = app.db.begin().await?;
            store::fail_pending(&mut tx, webhook.id).await?;
            return Ok(tx.commit().await?);
        }
        let now = app.now();
        let result = send(app, &webhook, &outgoing, now).await;
        settle(app, &outgoing, result, now).await
    }
}

async fn send(app: &App, webhook: &StoredWebhook, outgoing: &Outgoing, now: DateTime<Utc>) -> Result<u16, Refusal> {
    let (id, timestamp) = (outgoing.event_id.as_str(), now.timestamp());
    let signatures = rules::signatures(&webhook.secrets(now), id, timestamp, &outgoing.event);
    let sent = Sent { id, timestamp, signatures, body: outgoing.event.clone() };
    let patience = Duration::from_secs(app.config.webhook_timeout);
    sender::send(&webhook.url, app.config.webhook_private, patience, sent).await
}

/// Notes what came of a try, for the delivery and for its webhook.
async fn settle(app: &App, outgoing: &Outgoing, result: Result<u16, Refusal>, at: DateTime<Utc>) -> Result<(), Fault> {
    let (now, retry_for) = (app.now(), app.config.webhook_retry_for);
    let since = outgoing.tried_since.unwrap_or(at);
    let mut tx = app.db.begin().await?;
    let Some(webhook) = store::find_to_change(&mut tx, outgoing.webhook_id).await? else { return Ok(()) };
    let refusal = match result {
        Ok(status) => {
            let status = Some(status);
            let tried = Tried { status: DeliveryStatus::Succeeded, http_status: status, error: None, since, at };
            store::note(&mut tx, outgoing.id, tried).await?;
            if webhook.first_failed_at.is_some() {
                store::set_first_failed(&mut tx, webhook.id, None).await?;
                super::resume(&mut tx, webhook.id, now).await?;
            }
            return Ok(tx.commit().await?);
        }
        Err(refusal) => refusal,
    };
    let gone = refusal.http_status == Some(GONE);
    let given_up = gone || !webhook.enabled || rules::is_given_up(since, retry_for, now);
    let status = if given_up { DeliveryStatus::Failed } else { DeliveryStatus::Pending };
    let (http_status, error) = (refusal.http_status, Some(refusal.error.as_str()));
    store::note(&mut tx, outgoing.id, Tried { status, http_status, error, since, at }).await?;
    if webhook.enabled {
        if refusal.timed_out {
            let until = now + rules::pause_after_time_out(since, app.config.webhook_timeout, now);
            super::postpone(&mut tx, webhook.id, until).await?;
        }
        let first_failed_at = webhook.first_failed_at.unwrap_or(at);
        store::set_first_failed(&mut tx, webhook.id, Some(first_failed_at)).await?;
        if gone {
            super::disable(&mut tx, &webhook, DisabledReason::Gone, now).await?;
        } else if given_up && rules::is_given_up(first_failed_at, retry_for, now) {
            super::disable(&mut tx, &webhook, DisabledReason::Failing, now).await?;
        }
    }
    tx.commit().await?;
    if given_up { Ok(()) } else { Err(Fault::Again(refusal.error)) }
}

/// Deletes the deliveries that are not tried any more and that nobody will look for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeDeliveries {}

impl Task for PurgeDeliveries {
    const NAME: &'static str = "purge-deliveries";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let ttl = i64::try_from(app.config.webhook_deliveries_ttl).unwrap_or(i64::MAX);
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
