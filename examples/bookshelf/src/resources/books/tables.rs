//! The table of books.

use accord_foundation::db::tables::declare::{bigint, index, key, text, timestamp};
use accord_foundation::db::tables::table::Action::Restrict;
use accord_foundation::prelude::*;

use crate::resources::authors::tables::Authors;

tables! {
    /// Books.
    Books versioned by Version {
        Id: key(),
        Isbn: text().unique(),
        Title: text(),
        AuthorId: bigint().references(Authors::Id, Restrict),
        Copies: bigint(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("books_author_id_idx", [AuthorId, Id]),
    ]
}
