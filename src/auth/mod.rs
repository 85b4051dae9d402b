//! Who calls: access tokens, passwords, and the caller they prove.
//!
//! Must never be: a password, hash or token in a log line; an algorithm taken from a token;
//! less work for an unknown address than for a known one.

pub mod caller;
pub mod email;
pub mod password;
pub mod token;

pub use caller::{Caller, Public, Role};
pub use email::Email;
