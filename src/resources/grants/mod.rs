//! Grants: a permission given to a user or to a group, on all objects or on one.
//!
//! Must never be: the same grant twice; one that tells of another user's to somebody who is no admin.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;
