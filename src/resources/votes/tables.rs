//! The table of votes.

use accord_foundation::auth::tables::Users;
use accord_foundation::db::tables::declare::{bigint, index, never_updated, primary_key, timestamp};
use accord_foundation::db::tables::table::Action::Cascade;
use accord_foundation::prelude::*;

use crate::resources::posts::tables::Posts;

tables! {
    /// One vote of a user for a post.
    Votes {
        PostId: bigint().references(Posts::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        never_updated("given and taken, never changed"),
        primary_key([PostId, UserId]),
        index("votes_user_id_idx", [UserId]),
    ]
}
