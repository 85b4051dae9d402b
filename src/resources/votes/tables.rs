//! The table of votes.

use crate::auth::tables::Users;
use crate::db::tables::declare::{bigint, index, never_updated, primary_key, timestamp};
use crate::db::tables::table::Action::Cascade;
use crate::resources::posts::tables::Posts;
use crate::tables;

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
