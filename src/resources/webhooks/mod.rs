//! Webhooks: what happens here is told to other programs, by requests that they can verify.
//!
//! An event is written in the transaction of what it tells ([`announce`]), as a task in the lane of its object. That
//! task makes a delivery for each webhook that wants it, each with a task of its own in the lane of webhook and object:
//! events of one object arrive in their order, at least once, and one receiver that is away holds up nobody else.
//!
//! Must never be: an event of what was rolled back; a request to an address that only insiders reach; a secret in a
//! log, an event, the audit or any answer but those that make one; a delivery that is tried without end.

pub mod api;
pub mod events;
pub mod hook;
pub mod model;
pub mod rules;
pub mod sender;
pub mod store;
pub mod tasks;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use url::Url;

use self::events::Event;
use self::model::{Delivery, DisabledReason, StoredWebhook};
use self::store::WebhookValues;
use self::tasks::{DeliverWebhook, PublishEvent};
use crate::auth::{Role, Status};
use crate::db::signals::{self, Actor, Refused};
use crate::db::{Conn, DbResult};
use crate::mail::letter::WebhookDisabled;
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{self, Audited};
use crate::resources::users::model::User;
use crate::resources::users::store::{self as users, Filter};
use crate::tasks::store::{cancel_lanes, enqueue_in, postpone_lanes, resume_lanes};

/// Admins that are told of a webhook whose maker is gone.
const TOLD: u64 = 100;

/// Tells an event to whoever wants it, once the transaction that is open is committed.
///
/// # Errors
/// 503 when the database is away.
pub async fn announce(tx: &mut Conn, event: &Event<'_>, now: DateTime<Utc>) -> DbResult<()> {
    let object = event.object();
    enqueue_in(tx, &object, &PublishEvent::new(event, now), now, now).await?;
    Ok(())
}

/// Sends an event to one webhook, whatever it wants; none if it has had it already.
async fn deliver(
    tx: &mut Conn,
    webhook_id: i64,
    event: &PublishEvent,
    now: DateTime<Utc>,
) -> DbResult<Option<Delivery>> {
    let delivery = store::insert_delivery(tx, webhook_id, event, now).await?;
    if let Some(delivery) = &delivery {
        send(tx, webhook_id, &event.object, delivery.id, now).await?;
    }
    Ok(delivery)
}

/// Asks for a delivery to be sent.
async fn send(tx: &mut Conn, webhook_id: i64, object: &str, delivery_id: i64, now: DateTime<Utc>) -> DbResult<()> {
    let lane = format!("{}{object}", lanes(webhook_id));
    enqueue_in(tx, &lane, &DeliverWebhook { delivery_id }, now, now).await?;
    Ok(())
}

/// What all lanes of a webhook begin with.
fn lanes(webhook_id: i64) -> String {
    format!("webhook:{webhook_id} ")
}

/// Postpones every queued delivery of a webhook whose receiver has timed out. The delivery that timed out is tried again
/// first: one silent receiver holds few workers, and the other receivers get theirs.
async fn postpone(tx: &mut Conn, webhook_id: i64, until: DateTime<Utc>) -> DbResult<()> {
    postpone_lanes(tx, &lanes(webhook_id), until).await
}

/// Sends the postponed deliveries of a webhook whose receiver responds again.
async fn resume(tx: &mut Conn, webhook_id: i64, now: DateTime<Utc>) -> DbResult<()> {
    resume_lanes(tx, &lanes(webhook_id), now).await
}

/// Nothing more is sent: what waits has failed. Its tasks go, so that they hold up nothing that is sent again later.
async fn stop(tx: &mut Conn, webhook_id: i64) -> DbResult<()> {
    store::fail_pending(tx, webhook_id).await?;
    cancel_lanes(tx, &lanes(webhook_id)).await
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
    let letter = WebhookDisabled {
        id: webhook.id,
        host: webhook.host(),
        description: webhook.description.clone(),
        reason: why.sentence().into(),
    };
    for mailbox in told(tx, webhook.created_by).await? {
        crate::tasks::mail::send(tx, mailbox, &letter, now).await?;
    }
    Ok(())
}

impl StoredWebhook {
    /// What the audit keeps: no URL, which may have a secret in it.
    fn state(&self) -> State {
        State { host: Some(self.host()), enabled: Some(self.enabled), ..State::default() }
    }

    /// The names of the fields that a change has changed.
    fn differences(&self, new: &Self) -> Vec<String> {
        let fields = [
            ("url", self.url != new.url),
            ("description", self.description != new.description),
            ("events", self.event_types != new.event_types),
            ("enabled", self.enabled != new.enabled),
            ("secret", self.secret.expose() != new.secret.expose()),
        ];
        fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name.to_owned()).collect()
    }
}

impl Audited for StoredWebhook {
    fn created(&self) -> audit::Event {
        audit::Event::of(Action::WebhookCreated, self.id).after(self.state())
    }

    fn updated(&self, new: &Self) -> Option<audit::Event> {
        let disabled = new.disabled_reason().filter(|_| self.enabled);
        let (action, after) = match disabled {
            Some(why) => (Action::WebhookDisabled, State { reason: Some(why.word().into()), ..new.state() }),
            None => (Action::WebhookUpdated, State { changed: Some(self.differences(new)), ..new.state() }),
        };
        Some(audit::Event::of(action, self.id).before(self.state()).after(after))
    }

    fn deleted(&self) -> audit::Event {
        audit::Event::of(Action::WebhookDeleted, self.id).before(self.state())
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

    use super::model::{Secret, WebhookCreate};
    use super::*;
    use crate::config::Config;
    use crate::db::Db;
    use crate::db::migrate::{self, Direction, Target};
    use crate::resources::groups::model::StoredGroup;
    use crate::resources::groups::store::GroupValues;
    use crate::resources::hooks::hooks;

    /// The tasks that wait, by name.
    async fn waiting(tx: &mut Conn) -> Vec<String> {
        let seen = crate::tasks::store::list(tx, false, None, 10).await.expect("reads");
        seen.into_iter().map(|task| task.name).collect()
    }

    #[tokio::test]
    async fn an_event_is_written_in_the_transaction_of_its_change_if_anyone_wants_events() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::load(None).expect("the defaults");
        config.database_url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&config.database_url, Direction::Up, Target::Head).await.expect("migrates");
        let db = Db::connect(&config.database(), hooks(&config).expect("the defaults")).await.expect("connects");
        let (by, now) = (Actor::default(), crate::app::now());
        let change = async |tx: &mut Conn| {
            let values = GroupValues { name: "Editors".into() };
            signals::insert_new::<StoredGroup>(tx, by, values, now).await.expect("inserts");
        };

        let mut tx = db.begin().await.expect("a transaction");
        change(&mut tx).await;
        assert!(waiting(&mut tx).await.is_empty(), "there is no webhook");
        drop(tx);

        let mut tx = db.begin().await.expect("a transaction");
        let secret = Secret::from(rules::new_secret());
        let new = WebhookCreate::example().by(None, secret.clone());
        let webhook: StoredWebhook = signals::insert_new(&mut tx, by, new, now).await.expect("inserts");
        assert!(!format!("{:?}", webhook.secret).contains(&secret.expose()[6..]), "debugging shows no secret");
        tx.commit().await.expect("commits");
        let mut tx = db.begin().await.expect("a transaction");
        change(&mut tx).await;
        assert_eq!(waiting(&mut tx).await, ["publish-event"]);
        drop(tx);
        assert!(waiting(&mut db.read().await.expect("reads")).await.is_empty(), "rolled back with its change");

        let mut tx = db.begin().await.expect("a transaction");
        disable(&mut tx, &webhook, DisabledReason::Gone, now).await.expect("writes");
        change(&mut tx).await;
        assert!(!waiting(&mut tx).await.contains(&"publish-event".into()), "it is disabled");
    }
}
