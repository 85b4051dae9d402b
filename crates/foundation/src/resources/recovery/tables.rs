//! The table of recovery.

use crate::auth::tables::Users;
use crate::db::tables::declare::{bigint, index, never_updated, primary_key, text, timestamp};
use crate::db::tables::table::Action::Cascade;
use crate::tables;

tables! {
    /// One-time codes of e-mails.
    OneTimeCodes without hooks "They prove something for a while; what is changed with them has signals." {
        UserId: bigint().references(Users::Id, Cascade),
        Purpose: text().words(&["reset", "verify"]),
        CodeHash: text().unique(),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
    } with [
        never_updated("replaced whole, with a new `created_at`"),
        primary_key([UserId, Purpose]),
        index("one_time_codes_expires_at_idx", [ExpiresAt]),
    ]
}
