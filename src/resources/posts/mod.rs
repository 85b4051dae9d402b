//! Posts: what a user writes and others read.
//!
//! Must never be: a draft shown to anyone but its owner and admins; a change that overwrites one the writer has not seen.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;
