//! Webhooks: requests that send events to other programs, signed so that the receiver can verify them.
//!
//! The transaction of a change inserts a delivery of its event for each webhook that wants it ([`hook`]). The
//! dispatcher ([`dispatch`]) sends the pending deliveries of each webhook by itself, those of one object in order and at
//! least once. So one receiver that is away, slow or silent delays nobody else.
//!
//! Must never be: an event of a change that was rolled back; a request to an address that only insiders reach; a secret
//! in a log, an event, the audit or any response but those that create one; a delivery that is tried without end.

pub mod api;
pub mod dispatch;
pub mod emails;
pub mod events;
pub mod hook;
pub mod model;
pub mod rules;
pub mod sender;
pub mod store;
pub mod tables;
pub mod tasks;

use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use serde::Serialize;
use url::Url;

use self::emails::WebhookDisabled;
use self::events::OutgoingEvent;
use self::model::{DisabledReason, StoredWebhook};
use self::store::WebhookValues;
use crate::actions;
use crate::application::Resource;
use crate::auth::seal::{Sealed, Seals};
use crate::auth::{Role, Status};
use crate::codes;
use crate::config::{A_FORTNIGHT, A_YEAR, AN_HOUR, Setting};
use crate::db::migrate::script;
use crate::db::signals::{self, Actor, Refused};
use crate::db::{Conn, DbResult};
use crate::declared;
use crate::resources::audit::Audit;
use crate::resources::audit::{self, Audited};
use crate::resources::users::model::User;
use crate::resources::users::store::{self as users, Filter};
use crate::server::document::Api;
use crate::server::normalise::Thing;
use crate::tasks::Kind;

/// Seconds that a receiver has for its answer.
pub const TIMEOUT: Setting = Setting::number("webhook_timeout", 1, AN_HOUR);
/// Seconds that a delivery is tried again.
pub const RETRY_FOR: Setting = Setting::number("webhook_retry_for", 1, A_FORTNIGHT);
/// Seconds that the old secret signs beside a new one.
pub const SECRET_OVERLAP: Setting = Setting::number("webhook_secret_overlap", 1, A_YEAR);
/// Seconds that deliveries are kept after their end.
pub const DELIVERIES_TTL: Setting = Setting::number("webhook_deliveries_ttl", 1, 10 * A_YEAR);
/// The number of webhooks.
pub const LIMIT: Setting = Setting::number("webhook_limit", 1, 10_000);
/// Set if webhooks may call http:// and private addresses.
pub const PRIVATE: Setting =
    Setting::flag("webhook_private", "admins can make the server call addresses that only insiders reach");

/// Webhooks and their deliveries.
pub static RESOURCE: Resource = Resource {
    name: "webhooks",
    apis: &[Api::of::<api::WebhooksApi>()],
    things: &[Thing { path: "/api/v1/webhooks/{id}", name: "Webhook", variable: "id" }],
    tables: tables::declared,
    migrations: &[script!("0004_webhooks")],
    hooks: |hooks, _| hooks.entity::<StoredWebhook>().on::<StoredWebhook, _>(Audit),
    actions: ACTIONS,
    events: events::EVENTS,
    codes: CODES,
    emails: emails::EMAILS,
    jobs: &[
        Kind::of::<tasks::PublishEvent>(),
        Kind::of::<tasks::DeliverWebhook>(),
        Kind::every::<tasks::PurgeDeliveries>(|config| Duration::from_secs(config.tasks.purge_interval)),
        Kind::every::<tasks::SealSecrets>(|config| Duration::from_secs(config.tasks.purge_interval)),
    ],
    services: &[|app, stop| Box::pin(dispatch::run(app, stop))],
    settings: &[TIMEOUT, RETRY_FOR, SECRET_OVERLAP, DELIVERIES_TTL, LIMIT, PRIVATE],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "webhook":
    WEBHOOK_CREATED = "webhook_created", "A webhook was made";
    WEBHOOK_UPDATED = "webhook_updated", "A webhook was changed";
    WEBHOOK_DELETED = "webhook_deleted", "A webhook was deleted";
    WEBHOOK_DISABLED = "webhook_disabled", "A webhook was disabled because its receiver takes no events";
}

codes! {
    TOO_MANY_WEBHOOKS = 409 "too_many_webhooks", "There are as many webhooks as there may be";
    DISABLED = 409 "webhook_disabled", "The webhook is disabled";
}

/// Admins that are told of a webhook whose maker is gone.
const TOLD: u64 = 100;

/// Returns whether the application has webhooks.
fn is_served() -> bool {
    declared::has(RESOURCE.name)
}

/// Inserts a delivery of the event for every enabled webhook that wants it and does not have it yet.
async fn publish(tx: &mut Conn, event: &OutgoingEvent, now: DateTime<Utc>) -> DbResult<()> {
    if store::insert_deliveries(tx, event, now).await? > 0 {
        dispatch::wake(tx);
    }
    Ok(())
}

/// Sends nothing more: the pending deliveries have failed.
async fn stop(tx: &mut Conn, webhook_id: i64) -> DbResult<()> {
    store::fail_pending(tx, webhook_id).await
}

/// Disables a webhook whose receiver does not take events, and tells its maker, or all admins if that one is no admin
/// any more.
async fn disable(
    tx: &mut Conn,
    webhook: &StoredWebhook,
    why: DisabledReason,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let values = WebhookValues { enabled: false, disabled_reason: Some(why), ..webhook.values() };
    signals::update(tx, Actor::default(), webhook, values, now).await?;
    stop(tx, webhook.id).await?;
    let message = WebhookDisabled {
        id: webhook.id,
        host: webhook.host(),
        description: webhook.description.clone(),
        reason: why.sentence().into(),
    };
    for mailbox in told(tx, webhook.created_by).await? {
        crate::tasks::mail::send(tx, mailbox, &message, now).await?;
    }
    Ok(())
}

/// A secret is sealed with a key that is not known here.
struct UnknownKey;

/// The webhook with its secrets sealed by the present key. Returns `None` if they are already.
fn sealed(webhook: &StoredWebhook, seals: &Seals) -> Result<Option<WebhookValues>, UnknownKey> {
    let values = webhook.values();
    if [Some(&values.secret), values.old_secret.as_ref()].into_iter().flatten().all(|secret| seals.is_current(secret)) {
        return Ok(None);
    }
    let again = |secret: &Sealed| seals.open(secret).map(|text| seals.seal(&text)).ok_or(UnknownKey);
    let (secret, old_secret) = (again(&values.secret)?, values.old_secret.as_ref().map(again).transpose()?);
    Ok(Some(WebhookValues { secret, old_secret, ..values }))
}

/// The state of a webhook that the audit records: of its URL only the host.
#[derive(Serialize)]
struct State {
    /// The names of changed fields.
    changed: Option<Vec<&'static str>>,
    /// The reason for which the server disabled the webhook.
    reason: Option<&'static str>,
    host: String,
    enabled: bool,
}

impl StoredWebhook {
    /// What the audit keeps: no URL, which may have a secret in it.
    fn state(&self) -> State {
        State { changed: None, reason: None, host: self.host(), enabled: self.enabled }
    }

    /// The names of the fields that a change has changed.
    fn differences(&self, new: &Self) -> Vec<&'static str> {
        let fields = [
            ("url", self.url != new.url),
            ("description", self.description != new.description),
            ("events", self.event_types != new.event_types),
            ("enabled", self.enabled != new.enabled),
            // sealed with another key it is the same secret
            ("secret", self.old_secret_until != new.old_secret_until),
        ];
        fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name).collect()
    }
}

impl Audited for StoredWebhook {
    fn created(&self) -> audit::Event {
        audit::Event::of(WEBHOOK_CREATED, self.id).after(&self.state())
    }

    fn updated(&self, new: &Self) -> Option<audit::Event> {
        let seals = |row: &Self| (row.secret.clone(), row.old_secret.clone());
        // what `SealSecrets` does changes no webhook
        if self.old_secret_until == new.old_secret_until && seals(self) != seals(new) {
            return None;
        }
        let disabled = new.disabled_reason().filter(|_| self.enabled);
        let (action, after) = match disabled {
            Some(why) => (WEBHOOK_DISABLED, State { reason: Some(why.as_str()), ..new.state() }),
            None => (WEBHOOK_UPDATED, State { changed: Some(self.differences(new)), ..new.state() }),
        };
        Some(audit::Event::of(action, self.id).before(&self.state()).after(&after))
    }

    fn deleted(&self) -> audit::Event {
        audit::Event::of(WEBHOOK_DELETED, self.id).before(&self.state())
    }
}

async fn told(tx: &mut Conn, maker: Option<i64>) -> DbResult<Vec<Mailbox>> {
    let is_admin = |user: &User| user.role == Role::Admin && user.status == Status::Active;
    let maker = match maker {
        Some(id) => users::find(tx, id).await?.filter(|found| is_admin(&found.user)),
        None => None,
    };
    let people = match maker {
        Some(maker) => vec![maker],
        None => {
            let admins = Filter { role: Some(Role::Admin), status: Some(Status::Active), ..Filter::default() };
            users::list(tx, &admins, None, TOLD).await?
        }
    };
    let mailbox = |email: &str| email.parse().ok().map(|address| Mailbox::new(None, address));
    Ok(people.iter().filter_map(|found| mailbox(found.user.email.as_str())).collect())
}

/// Whom a webhook calls, without what may be secret in its URL.
fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example;

    use super::model::WebhookCreate;
    use super::*;
    use crate::config::Config;
    use crate::db::Db;
    use crate::db::migrate::{self, Direction, Target};
    use crate::resources::groups::model::{Group, GroupCreate};
    use crate::resources::hooks::hooks;

    /// The number of deliveries.
    async fn deliveries(tx: &mut Conn) -> i64 {
        store::count_deliveries(tx, 1, None).await.expect("reads")
    }

    #[tokio::test]
    async fn an_event_is_written_in_the_transaction_of_its_change_if_anyone_wants_events() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::load(None).expect("the defaults");
        config.database.database_url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&config.database.database_url, Direction::Up, Target::Head).await.expect("migrates");
        let db =
            Db::connect(&config.database.connection(), hooks(&config).expect("the defaults")).await.expect("connects");
        let (by, now) = (Actor::default(), crate::app::now());
        let change = async |tx: &mut Conn| {
            let values = GroupCreate { name: "Editors".into() };
            signals::insert_new::<Group>(tx, by, values, now).await.expect("inserts");
        };

        let mut tx = db.begin().await.expect("a transaction");
        change(&mut tx).await;
        assert_eq!(deliveries(&mut tx).await, 0, "there is no webhook");
        drop(tx);

        let mut tx = db.begin().await.expect("a transaction");
        let secret = Sealed::from(rules::new_secret());
        let new = WebhookValues { event_types: None, ..WebhookCreate::example().by(None, secret.clone()) };
        let webhook: StoredWebhook = signals::insert_new(&mut tx, by, new, now).await.expect("inserts");
        assert!(!format!("{:?}", webhook.secret).contains(&secret.as_str()[6..]), "debugging shows no secret");
        tx.commit().await.expect("commits");
        let mut tx = db.begin().await.expect("a transaction");
        change(&mut tx).await;
        assert_eq!(deliveries(&mut tx).await, 1);
        drop(tx);
        assert_eq!(deliveries(&mut db.read().await.expect("reads")).await, 0, "rolled back with its change");

        let mut tx = db.begin().await.expect("a transaction");
        disable(&mut tx, &webhook, DisabledReason::Gone, now).await.expect("writes");
        change(&mut tx).await;
        assert_eq!(deliveries(&mut tx).await, 0, "it is disabled");

        let lease = |worker: &str| store::Lease { webhook_id: webhook.id, worker: worker.into() };
        let (first, second) = (lease("first"), lease("second"));
        let until = now + chrono::TimeDelta::seconds(60);
        assert!(store::take_lease(&mut tx, &first, until, now).await.expect("writes"));
        assert!(!store::take_lease(&mut tx, &second, until, now).await.expect("writes"), "the first has it");
        assert!(
            store::take_lease(&mut tx, &second, until, until).await.expect("writes"),
            "the first has not renewed it"
        );
        assert!(!store::set_lease(&mut tx, &first, None, now).await.expect("writes"), "the first has lost it");
    }
}
