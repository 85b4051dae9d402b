//! The table of users.

use crate::db::tables::declare::{never_updated, primary_key, text, timestamp};
use crate::tables;

tables! {
    /// Identities whose accounts were deleted.
    DeletedIdentities without hooks "They only keep a deleted account from being made again; the deletion has signals." {
        IdentityHash: text(),
        CreatedAt: timestamp(),
    } with [
        never_updated("added, never changed"),
        primary_key([IdentityHash]),
    ]
}
