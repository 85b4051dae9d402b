//! The e-mail with an invitation.

use serde::Serialize;

use crate::emails;
use crate::mail::message::{EXAMPLE_PAGE, EXAMPLE_TIME};

/// A code that creates an account with the address. Contains nothing that the inviter has chosen: anyone may be inviter.
#[derive(Debug, Serialize)]
pub struct Invitation {
    /// The page where the code can be entered, if there is one.
    pub page: Option<String>,
    /// The time at which the code expires.
    pub until: String,
}

emails! { of super::RESOURCE:
    "invitation", Sent = Invitation { page: Some(EXAMPLE_PAGE.into()), until: EXAMPLE_TIME.into() };
}
