//! The e-mail about a webhook that is disabled.

use serde::Serialize;

use crate::emails;

/// A webhook was disabled.
#[derive(Debug, Serialize)]
pub struct WebhookDisabled {
    /// Its identifier.
    pub id: i64,
    /// The host of its receiver.
    pub host: String,
    /// Its description.
    pub description: Option<String>,
    /// The reason.
    pub reason: String,
}

emails! { of super::RESOURCE:
    "webhook-disabled", Sent = WebhookDisabled {
        id: 1,
        host: "example.com".into(),
        description: Some("Tells the search engine".into()),
        reason: "it answered 410 (Gone)".into(),
    };
}
