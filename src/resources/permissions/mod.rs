//! Permissions: the catalogue. What code demands stands in the registry of `auth::permission`; admins may add others,
//! for clients of their own.
//!
//! Must never be: a name that is no scope of the registry's form; a grant of a permission that has no row.

pub mod api;
pub mod model;
pub mod store;
