//! Votes: a user votes for a post at most once; the count stands in the post's row.
//!
//! Must never be: a count that differs from the number of rows.

pub mod api;
pub mod model;
pub mod store;
