//! The e-mails with one-time codes.

use serde::Serialize;

use crate::emails;
use crate::mail::message::{EXAMPLE_PAGE, EXAMPLE_TIME};

/// A code that sets a new password of the account with the address.
#[derive(Debug, Serialize)]
pub struct PasswordReset {
    /// The page where the code can be entered, if there is one.
    pub page: Option<String>,
    /// The time at which the code expires.
    pub until: String,
}

/// A code that verifies the address of an account.
#[derive(Debug, Serialize)]
pub struct VerifyEmail {
    /// The page where the code can be entered, if there is one.
    pub page: Option<String>,
    /// The time at which the code expires.
    pub until: String,
}

emails! { of super::RESOURCE:
    "password-reset", Dropped = PasswordReset { page: Some(EXAMPLE_PAGE.into()), until: EXAMPLE_TIME.into() };
    "verify-email", Dropped = VerifyEmail { page: Some(EXAMPLE_PAGE.into()), until: EXAMPLE_TIME.into() };
}
