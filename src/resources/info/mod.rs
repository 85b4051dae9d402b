//! Info: which version of what is running.

pub mod api;
pub mod model;
