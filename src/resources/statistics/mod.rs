//! Statistics of posts: how often each was viewed and shared.
//!
//! Must never be: a statement for a view, a number that one instance overwrites for another, a view told to somebody
//! who may not see the statistics.

pub mod api;
pub mod model;
pub mod store;
pub mod tasks;
