//! Groups: what is granted to a group, each of its members may do.
//!
//! Must never be: two groups of one name; a member who is no account.

pub mod api;
pub mod model;
pub mod store;
