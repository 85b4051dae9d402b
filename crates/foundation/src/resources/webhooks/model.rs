//! What goes over the wire for webhooks and their deliveries, and the rows it is made from.

use std::fmt;

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::{Example, MaybeUndefined};
use serde::Serialize;
use sqlx::FromRow;

use super::events::{self, EventType, Told};
use super::store::WebhookValues;
use crate::auth::seal::{Sealed, Seals};
use crate::crud::Represented;
use crate::declared;
use crate::http::page::page;
use crate::text_enum;

/// A webhook: where events are sent
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct Webhook {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Where events are sent, by POST
    pub url: String,
    /// What it is for, or null
    #[oai(nullable)]
    pub description: Option<String>,
    /// Which events it gets; null or empty for all
    #[oai(nullable)]
    pub events: Option<Vec<EventType>>,
    /// False for one that gets nothing: an admin, or its receiver's failures, have disabled it
    pub enabled: bool,
    /// Why {application-title} has disabled it; null if it is enabled, or an admin has disabled it
    #[oai(nullable)]
    pub disabled_reason: Option<DisabledReason>,
    /// When a try failed for the first time since the last success; null after a success
    #[oai(nullable)]
    pub first_failed_at: Option<DateTime<Utc>>,
    /// The key of its signatures, `whsec_` and base64: only in the answer that made it, in no other. Keep it
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Who made it; null when the account was deleted
    #[oai(nullable, validator(minimum(value = "1")))]
    pub created_by: Option<i64>,
    /// When it was made
    pub created_at: DateTime<Utc>,
    /// When it was last changed
    pub updated_at: DateTime<Utc>,
}

impl Example for Webhook {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self {
            id: 1,
            url: format!("https://hooks.example.com/{}", declared::name()),
            description: Some("Tells the search engine".into()),
            events: Some(events::example().types.to_vec()),
            enabled: true,
            disabled_reason: None,
            first_failed_at: None,
            secret: None,
            created_by: Some(1),
            created_at: at,
            updated_at: at,
        }
    }
}

/// The key of signatures, which no debugging output shows.
#[derive(Clone, Serialize, poem_openapi::NewType)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

text_enum! {
    /// Why a webhook was disabled without an admin
    pub enum DisabledReason {
        /// For as long as a delivery is tried again, none has succeeded.
        Failing = "failing",
        /// Its receiver answered 410 (Gone).
        Gone = "gone",
    }
}

impl DisabledReason {
    /// For a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Failing => "for as long as a delivery is tried again, none has succeeded",
            Self::Gone => "it answered 410 (Gone)",
        }
    }
}

/// A webhook as its row has it.
#[derive(Clone, FromRow)]
#[expect(missing_docs, reason = "model::Webhook and the migration document them")]
pub struct StoredWebhook {
    pub id: i64,
    pub url: String,
    pub description: Option<String>,
    /// A JSON list, or nothing for all.
    pub event_types: Option<String>,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    #[sqlx(try_from = "String")]
    pub secret: Sealed,
    pub old_secret: Option<String>,
    pub old_secret_until: Option<DateTime<Utc>>,
    pub first_failed_at: Option<DateTime<Utc>>,
    pub created_by: Option<i64>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl StoredWebhook {
    /// What is written to leave it as it is.
    pub fn values(&self) -> WebhookValues {
        let row = self.clone();
        WebhookValues {
            disabled_reason: row.disabled_reason(),
            url: row.url,
            description: row.description,
            event_types: row.event_types,
            enabled: row.enabled,
            secret: row.secret,
            old_secret: row.old_secret.map(Sealed::from),
            old_secret_until: row.old_secret_until,
            first_failed_at: row.first_failed_at,
            created_by: row.created_by,
        }
    }

    /// Why the server has disabled it.
    pub fn disabled_reason(&self) -> Option<DisabledReason> {
        let word = self.disabled_reason.as_deref()?;
        [DisabledReason::Failing, DisabledReason::Gone].into_iter().find(|reason| reason.as_str() == word)
    }

    /// Which events it gets; none for all.
    pub fn events(&self) -> Option<Vec<EventType>> {
        // a type that a newer release knows is none that this one can send
        let words: Vec<serde_json::Value> = serde_json::from_str(self.event_types.as_deref()?).unwrap_or_default();
        Some(words.into_iter().filter_map(|word| serde_json::from_value(word).ok()).collect())
    }

    /// The secrets that sign now, the newest first. Returns `None` if the key of one is not known here.
    pub fn secrets(&self, seals: &Seals, now: DateTime<Utc>) -> Option<Vec<String>> {
        let old = self.old_secret.clone().filter(|_| self.old_secret_until.is_some_and(|until| now < until));
        std::iter::once(self.secret.clone()).chain(old.map(Sealed::from)).map(|secret| seals.open(&secret)).collect()
    }

    /// The object with its secret, and the entity tag, which does not depend on the secret.
    pub fn tagged_with_secret(self, secret: Secret) -> (Webhook, String) {
        let (webhook, tag) = self.tagged();
        (Webhook { secret: Some(secret), ..webhook }, tag)
    }

    /// The host that it calls.
    pub fn host(&self) -> String {
        super::host(&self.url)
    }
}

impl Represented for StoredWebhook {
    type Object = Webhook;
    const NAME: &'static str = "Webhook";
    const PATH: &'static str = "/api/v1/webhooks";

    fn object(self) -> Webhook {
        self.into()
    }
}

impl From<StoredWebhook> for Webhook {
    fn from(row: StoredWebhook) -> Self {
        let disabled_reason = row.disabled_reason();
        Self {
            events: row.events(),
            id: row.id,
            url: row.url,
            description: row.description,
            enabled: row.enabled,
            disabled_reason,
            first_failed_at: row.first_failed_at,
            secret: None,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A new webhook
#[derive(Debug, Object)]
#[oai(example)]
pub struct WebhookCreate {
    /// Where to send events: `https://`, in ASCII, without user and fragment, and at a public address
    #[oai(validator(max_length = 2000, pattern = r#"^https?://[A-Za-z0-9.:\[\]-]+([/?][!-"$-~]*)?$"#))]
    pub url: String,
    /// What it is for
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    pub description: Option<String>,
    /// Which events it gets; null, empty or left out for all
    #[oai(nullable, validator(max_items = 50))]
    pub events: Option<Vec<EventType>>,
}

impl WebhookCreate {
    /// The webhook of this admin, with this secret.
    pub fn by(self, user_id: Option<i64>, secret: Sealed) -> WebhookValues {
        WebhookValues {
            url: self.url,
            description: self.description,
            event_types: self.events.map(list),
            enabled: true,
            disabled_reason: None,
            secret,
            old_secret: None,
            old_secret_until: None,
            first_failed_at: None,
            created_by: user_id,
        }
    }
}

/// Event types as the row keeps them.
fn list(events: Vec<EventType>) -> String {
    serde_json::to_string(&events).expect("words are plain data")
}

impl Example for WebhookCreate {
    fn example() -> Self {
        let Webhook { url, description, events, .. } = Webhook::example();
        Self { url, description, events }
    }
}

/// A change to a webhook: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct WebhookUpdate {
    /// Where to send events: `https://`, in ASCII, without user and fragment, and at a public address
    #[oai(
        skip_serializing_if_is_none,
        validator(max_length = 2000, pattern = r#"^https?://[A-Za-z0-9.:\[\]-]+([/?][!-"$-~]*)?$"#)
    )]
    pub url: Option<String>,
    /// What it is for; null removes it
    #[oai(nullable, skip_serializing_if = "MaybeUndefined::is_undefined", validator(min_length = 1, max_length = 200))]
    pub description: MaybeUndefined<String>,
    /// Which events it gets; null or empty for all
    #[oai(nullable, skip_serializing_if = "MaybeUndefined::is_undefined", validator(max_items = 50))]
    pub events: MaybeUndefined<Vec<EventType>>,
    /// False disables it: what waits to be sent fails. True enables it, with the failures of before forgotten
    #[oai(skip_serializing_if_is_none)]
    pub enabled: Option<bool>,
    /// True makes a new secret, which this answer shows; the old one signs, too, for a day
    #[oai(skip_serializing_if_is_none)]
    pub rotate_secret: Option<bool>,
}

impl WebhookUpdate {
    /// The webhook with this change. Of a new secret the present one keeps signing until then, and one from before that no
    /// longer.
    pub fn of(self, mut webhook: WebhookValues, secret: Option<Sealed>, until: DateTime<Utc>) -> WebhookValues {
        // what was wrong with another address, or before an admin took care of it, says nothing any more
        if self.url.is_some() || self.enabled == Some(true) {
            webhook.first_failed_at = None;
        }
        if let Some(enabled) = self.enabled {
            webhook.enabled = enabled;
            webhook.disabled_reason = None;
        }
        webhook.url = self.url.unwrap_or(webhook.url);
        webhook.description = match self.description {
            MaybeUndefined::Undefined => webhook.description,
            MaybeUndefined::Null => None,
            MaybeUndefined::Value(text) => Some(text),
        };
        webhook.event_types = match self.events {
            MaybeUndefined::Undefined => webhook.event_types,
            MaybeUndefined::Null => None,
            MaybeUndefined::Value(events) => Some(list(events)),
        };
        if let Some(secret) = secret {
            webhook.old_secret = Some(std::mem::replace(&mut webhook.secret, secret));
            webhook.old_secret_until = Some(until);
        }
        webhook
    }
}

impl Example for WebhookUpdate {
    fn example() -> Self {
        Self {
            url: None,
            description: MaybeUndefined::Value("Tells both search engines".into()),
            events: MaybeUndefined::Undefined,
            enabled: Some(true),
            rotate_secret: None,
        }
    }
}

page! {
    /// A page of webhooks
    WebhookPage, Webhook, "webhooks"
}

text_enum! {
    /// What has become of a delivery
    pub enum DeliveryStatus {
        /// It is sent, or will be tried again
        Pending = "pending",
        /// The receiver has taken it
        Succeeded = "succeeded",
        /// It is not tried any more
        Failed = "failed",
    }
}

/// An event on its way to a webhook
#[derive(Debug, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Delivery {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The webhook that it is for
    #[oai(validator(minimum(value = "1")))]
    pub webhook_id: i64,
    /// What is sent
    #[sqlx(try_from = "String")]
    pub event: Told,
    /// What has become of it
    #[sqlx(try_from = "String")]
    pub status: DeliveryStatus,
    /// How often it was sent
    #[oai(validator(minimum(value = "0")))]
    pub attempts: i64,
    /// What the receiver answered the last time; null if it did not
    #[oai(nullable, validator(minimum(value = "100"), maximum(value = "999")))]
    pub http_status: Option<i64>,
    /// Why it has not succeeded the last time, or null
    #[oai(nullable)]
    pub error: Option<String>,
    /// When it was last sent, or null
    #[oai(nullable)]
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// When it was made
    pub created_at: DateTime<Utc>,
}

impl Example for Delivery {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self {
            id: 1,
            webhook_id: 1,
            event: Told::example(),
            status: DeliveryStatus::Pending,
            attempts: 1,
            http_status: Some(500),
            error: Some("answered 500".into()),
            last_attempt_at: Some(at),
            created_at: at,
        }
    }
}

page! {
    /// A page of deliveries
    DeliveryPage, Delivery, "deliveries"
}
