//! The table of guests.

use crate::auth::tables::Users;
use crate::db::tables::declare::{bigint, index, key, never_updated, text, timestamp, unique_index};
use crate::db::tables::table::Action::SetNull;
use crate::tables;

tables! {
    /// Invitations of guests.
    InvitedGuests {
        Id: key(),
        Email: text(),
        Role: text().words(&["admin", "staff", "active"]),
        InviterId: bigint().null().references(Users::Id, SetNull),
        UserId: bigint().null().references(Users::Id, SetNull),
        CodeHash: text().unique(),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
        AcceptedAt: timestamp().null(),
    } with [
        never_updated("changed once, at `accepted_at`"),
        unique_index("invited_guests_email_key", [Email]).only_where("accepted_at IS NULL"),
        index("invited_guests_inviter_id_idx", [InviterId, Id]),
        index("invited_guests_user_id_idx", [UserId]),
        index("invited_guests_expires_at_idx", [ExpiresAt]).only_where("accepted_at IS NULL"),
    ]
}
