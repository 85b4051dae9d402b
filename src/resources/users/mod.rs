//! Users: an account is an e-mail address, a password and a role; its owner reads, changes and deletes it.
//!
//! Must never be: a password or its hash in an answer; two accounts with one address in any case.

pub mod admin;
pub mod api;
pub mod model;
pub mod rules;
pub mod store;
