//! The table of sessions.

use crate::auth::tables::Sessions;
use crate::db::tables::declare::{bigint, index, never_updated, primary_key, text, timestamp};
use crate::db::tables::table::Action::Cascade;
use crate::tables;

tables! {
    /// The refresh tokens of each login.
    RefreshTokens without hooks "They belong to a login." {
        TokenHash: text(),
        SessionId: bigint().references(Sessions::Id, Cascade),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
        UsedAt: timestamp().null(),
    } with [
        never_updated("changed once, at `used_at`"),
        primary_key([TokenHash]),
        index("refresh_tokens_session_id_idx", [SessionId]),
    ]
}
