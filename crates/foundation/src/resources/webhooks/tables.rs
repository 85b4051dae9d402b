//! The tables of webhooks.

use crate::auth::tables::Users;
use crate::db::DerivedColumn;
use crate::db::tables::declare::{bigint, boolean, index, key, never_updated, primary_key, text, timestamp, unique};
use crate::db::tables::table::Action::{Cascade, SetNull};
use crate::tables;

tables! {
    /// Webhooks.
    Webhooks versioned by Version {
        Id: key(),
        Url: text(),
        Description: text().null(),
        EventTypes: text().null(),
        Enabled: boolean().default("TRUE"),
        DisabledReason: text().null().words(&["failing", "gone"]),
        Secret: text(),
        OldSecret: text().null(),
        OldSecretUntil: timestamp().null(),
        FirstFailedAt: timestamp().null(),
        CreatedBy: bigint().null().references(Users::Id, SetNull),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("webhooks_created_by_idx", [CreatedBy]),
    ]

    /// Leases: the process that sends to a webhook, and its pauses.
    WebhookLeases without hooks "They say which process sends, which is no change of the webhook." {
        WebhookId: bigint().references(Webhooks::Id, Cascade),
        Worker: text(),
        LeaseUntil: timestamp().null(),
        PausedUntil: timestamp().null(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([WebhookId]),
    ]

    /// Events on their way to webhooks.
    Deliveries without hooks "What is sent of an event is no change of anybody's data." {
        Id: key(),
        WebhookId: bigint().references(Webhooks::Id, Cascade),
        EventId: text(),
        EventType: text(),
        Object: text(),
        Event: text(),
        Status: text().words(&["pending", "succeeded", "failed"]),
        Attempts: bigint().default("0"),
        HttpStatus: bigint().null(),
        Error: text().null(),
        TriedSince: timestamp().null(),
        LastAttemptAt: timestamp().null(),
        NextAttemptAt: timestamp().default("'1970-01-01T00:00:00+00:00'"),
        CreatedAt: timestamp(),
    } with [
        never_updated("`last_attempt_at` and the event of its end"),
        unique("deliveries_event_key", [WebhookId, EventId]),
        index("deliveries_due_idx", [WebhookId, NextAttemptAt, Id]).only_where("status = 'pending'"),
        index("deliveries_object_idx", [WebhookId, Object, Id]).only_where("status = 'pending'"),
        index("deliveries_webhook_id_idx", [WebhookId, Id]),
        index("deliveries_created_at_idx", [CreatedAt]),
    ]
}

/// The time at which the failures of a webhook began, which deliveries set.
pub const FIRST_FAILED_AT: DerivedColumn<Webhooks> = DerivedColumn(Webhooks::FirstFailedAt);
