//! What goes over the wire for accounts.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::{Example, MaybeUndefined, Password};
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::Email;
use crate::auth::Role;

/// An account
#[derive(Object, Serialize, FromRow)]
#[oai(example)]
pub struct User {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Address to log in with, in lower case
    #[sqlx(try_from = "String")]
    pub email: Email,
    /// Name that others see, or null
    #[oai(nullable, validator(min_length = 1, max_length = 80))]
    pub name: Option<String>,
    /// What the account may do
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// When it was registered
    pub created_at: DateTime<Utc>,
    /// When its owner last changed it
    pub updated_at: DateTime<Utc>,
}

impl Example for User {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        let email = Email::new("ann@example.com");
        Self { id: 1, email, name: Some("Ann".into()), role: Role::Active, created_at: at, updated_at: at }
    }
}

/// A new account
#[derive(Object)]
#[oai(example)]
pub struct UserCreate {
    /// Address to log in with; upper and lower case are the same
    pub email: Email,
    /// 8 to 128 characters, taken exactly as sent
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Password,
    /// Name that others see; may be left out
    #[oai(nullable, validator(min_length = 1, max_length = 80))]
    pub name: Option<String>,
}

impl Example for UserCreate {
    fn example() -> Self {
        Self {
            email: Email::new("ann@example.com"),
            password: Password("correct horse battery".into()),
            name: Some("Ann".into()),
        }
    }
}

/// A change to an account: what is left out stays as it is
#[derive(Object)]
#[oai(example)]
pub struct UserUpdate {
    /// New address to log in with
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<Email>,
    /// New name that others see; null removes it
    #[oai(nullable, skip_serializing_if = "MaybeUndefined::is_undefined", validator(min_length = 1, max_length = 80))]
    pub name: MaybeUndefined<String>,
}

impl Example for UserUpdate {
    fn example() -> Self {
        Self { email: None, name: MaybeUndefined::Value("Ann B.".into()) }
    }
}

/// A new password
#[derive(Object)]
#[oai(example)]
pub struct PasswordChange {
    /// The present password
    #[oai(validator(min_length = 1, max_length = 128))]
    pub old_password: Password,
    /// 8 to 128 characters, taken exactly as sent
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: Password,
}

impl Example for PasswordChange {
    fn example() -> Self {
        Self {
            old_password: Password("correct horse battery".into()),
            new_password: Password("staple correct horse".into()),
        }
    }
}
