//! The table of statistics.

use accord_foundation::db::tables::declare::{bigint, primary_key, timestamp};
use accord_foundation::db::tables::table::Action::Cascade;
use accord_foundation::prelude::*;

use crate::resources::posts::tables::Posts;

tables! {
    /// The number of views and shares of a post. Without a row both are 0.
    PostStatistics without hooks "A view is no change that anyone waits for, and there are many." {
        PostId: bigint().references(Posts::Id, Cascade),
        ViewNumber: bigint(),
        SharedNumber: bigint(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([PostId]),
    ]
}
