//! What goes over the wire for recovery and verification.

use poem_openapi::Object;
use poem_openapi::types::{Example, Password};

use crate::auth::Email;
use crate::mail::message::EXAMPLE_CODE;
use crate::resources::sessions::limits::{NamedAccount, NamesAccount};

/// Where a letter is wanted
#[derive(Object)]
#[oai(example)]
pub struct LetterRequest {
    /// Address of the account; upper and lower case are the same
    pub email: Email,
}

impl NamesAccount for LetterRequest {
    fn account(&self) -> Option<NamedAccount> {
        Some(NamedAccount::Email(self.email.clone()))
    }
}

impl Example for LetterRequest {
    fn example() -> Self {
        Self { email: Email::new("ann@example.com") }
    }
}

/// A new password for the account whose letter has the code
#[derive(Object)]
#[oai(example)]
pub struct PasswordResetConfirm {
    /// The code of the letter
    #[oai(validator(min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]*$"))]
    pub code: String,
    /// 8 to 128 characters, taken exactly as sent
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Password,
}

impl Example for PasswordResetConfirm {
    fn example() -> Self {
        Self { code: EXAMPLE_CODE.into(), password: Password("staple correct horse".into()) }
    }
}

/// The proof that an address is one's own
#[derive(Object)]
#[oai(example)]
pub struct EmailVerification {
    /// The code of the letter
    #[oai(validator(min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]*$"))]
    pub code: String,
}

impl Example for EmailVerification {
    fn example() -> Self {
        Self { code: EXAMPLE_CODE.into() }
    }
}
