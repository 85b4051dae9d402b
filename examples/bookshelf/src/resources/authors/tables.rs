//! The table of authors.

use accord_foundation::db::tables::declare::{bigint, key, text, timestamp};
use accord_foundation::prelude::*;

tables! {
    /// Authors.
    Authors versioned by Version {
        Id: key(),
        Name: text().unique(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }
}
