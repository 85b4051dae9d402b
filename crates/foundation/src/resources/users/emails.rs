//! The e-mails that tell the owner of an account of a change.

use serde::Serialize;

use crate::emails;

/// The password of an account was changed.
#[derive(Debug, Serialize)]
pub struct PasswordChanged {}

/// The address of an account was changed. Goes to the old address, and does not contain the new one.
#[derive(Debug, Serialize)]
pub struct EmailChanged {}

emails! { of super::ACCOUNT:
    "password-changed", Delayed = PasswordChanged {};
    "email-changed", Delayed = EmailChanged {};
}
