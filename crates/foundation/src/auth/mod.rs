//! Who calls, and who may: access tokens, passwords, the caller they prove, the rules of operations, permissions.
//!
//! Must never be: a password, hash or token in a log line; an algorithm taken from a token;
//! less work for an unknown address than for a known one.

pub mod access;
pub mod caller;
pub mod code;
pub mod email;
pub mod oidc;
pub mod password;
pub mod permission;
pub mod role;
pub mod seal;
pub mod tables;
pub mod token;

pub use access::{Access, Admin, Enabled, LoggedIn, Needs, Public};
pub use caller::Caller;
pub use email::Email;
pub use role::{Role, Status};
