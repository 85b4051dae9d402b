//! The table of loans.

use accord_foundation::auth::tables::Users;
use accord_foundation::db::DerivedColumn;
use accord_foundation::db::tables::declare::{bigint, index, key, timestamp, unique_index};
use accord_foundation::db::tables::table::Action::{Cascade, Restrict};
use accord_foundation::prelude::*;

use crate::resources::books::tables::Books;

tables! {
    /// Loans of copies.
    Loans versioned by Version {
        Id: key(),
        BookId: bigint().references(Books::Id, Restrict),
        Copy: bigint(),
        UserId: bigint().references(Users::Id, Cascade),
        DueAt: timestamp(),
        ReturnedAt: timestamp().null(),
        RemindedAt: timestamp().null(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        unique_index("loans_open_idx", [BookId, Copy]).only_where("returned_at IS NULL"),
        index("loans_book_id_idx", [BookId, Id]),
        index("loans_user_id_idx", [UserId, Id]),
        index("loans_due_at_idx", [DueAt, Id]).only_where("returned_at IS NULL"),
    ]
}

/// The time of the last reminder, which the job sets.
pub const REMINDED_AT: DerivedColumn<Loans> = DerivedColumn(Loans::RemindedAt);
