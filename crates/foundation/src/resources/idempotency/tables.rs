//! The table of idempotency.

use crate::auth::tables::Users;
use crate::db::tables::declare::{bigint, index, never_updated, primary_key, text, timestamp};
use crate::db::tables::table::Action::Cascade;
use crate::tables;

tables! {
    /// Creates that clients may send again, and the answers of those that have run.
    IdempotencyKeys without hooks "They repeat an answer; what it tells of has signals." {
        UserId: bigint().references(Users::Id, Cascade),
        KeyHash: text(),
        RequestHash: text(),
        Run: text().unique(),
        Status: bigint().null(),
        Headers: text().null(),
        Body: text().null(),
        ClaimedUntil: timestamp(),
        CreatedAt: timestamp(),
    } with [
        never_updated("replaced whole, or changed once, when the answer is stored"),
        primary_key([UserId, KeyHash]),
        index("idempotency_keys_created_at_idx", [CreatedAt]),
    ]
}
