//! What goes over the wire for accounts.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::{Example, MaybeUndefined, Password};
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::{Email, Role, Status};
use crate::http::etag::etag;
use crate::http::page::page;
use crate::resources::sessions::limits::{NamedAccount, NamesAccount};

/// An account
#[derive(Clone, Object, Serialize, FromRow)]
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
    /// Whether the account may be used
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// When its owner has proved to have the address, or null: a new address is not proved
    #[oai(nullable)]
    pub email_verified_at: Option<DateTime<Utc>>,
    /// When it was registered
    pub created_at: DateTime<Utc>,
    /// When it was last changed
    pub updated_at: DateTime<Utc>,
}

impl Example for User {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        let email = Email::new("ann@example.com");
        let (role, status) = (Role::Active, Status::Active);
        let (name, verified) = (Some("Ann".into()), Some(at));
        Self { id: 1, email, name, role, status, email_verified_at: verified, created_at: at, updated_at: at }
    }
}

/// An account with what its answer does not show.
#[derive(Clone, FromRow)]
pub struct StoredUser {
    /// What it shows.
    #[sqlx(flatten)]
    pub user: User,
    /// Raised by each new password.
    pub token_version: i64,
    /// Counts the changes, for `If-Match`.
    pub version: i64,
}

/// The values that are written of an account.
pub struct UserValues {
    /// The address, in lower case.
    pub email: Email,
    /// The public name.
    pub name: Option<String>,
    /// argon2id, as a PHC string. `None` leaves the password as it is.
    pub password_hash: Option<String>,
    /// The role.
    pub role: Role,
    /// The status.
    pub status: Status,
    /// The time at which its owner proved to have the address.
    pub email_verified_at: Option<DateTime<Utc>>,
}

impl StoredUser {
    /// What is written to leave it as it is.
    pub fn values(&self) -> UserValues {
        let User { email, name, role, status, email_verified_at, .. } = self.user.clone();
        UserValues { email, name, password_hash: None, role, status, email_verified_at }
    }

    /// What an admin sees, and the tag that names this version.
    pub fn tagged(self) -> (Account, String) {
        let account = Account { user: self.user };
        let tag = etag(self.version, &account);
        (account, tag)
    }
}

/// An account as admins see it
#[derive(Object, Serialize)]
#[oai(example)]
pub struct Account {
    /// What its owner sees, too.
    #[oai(flatten)]
    #[serde(flatten)]
    pub user: User,
}

impl Example for Account {
    fn example() -> Self {
        Self { user: User::example() }
    }
}

page! {
    /// A page of accounts
    AccountPage, Account, "users"
}

/// What everyone may know of a user
#[derive(Object, Serialize, FromRow)]
#[oai(example)]
pub struct Profile {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Public name, or null
    #[oai(nullable, validator(min_length = 1, max_length = 80))]
    pub name: Option<String>,
}

impl Example for Profile {
    fn example() -> Self {
        Self { id: 1, name: Some("Ann".into()) }
    }
}

/// An account that an admin makes
#[derive(Object)]
#[oai(example)]
pub struct AccountCreate {
    /// Address to log in with; upper and lower case are the same
    pub email: Email,
    /// 8 to 128 characters, taken exactly as sent
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Password,
    /// Name that others see; may be left out
    #[oai(nullable, validator(min_length = 1, max_length = 80))]
    pub name: Option<String>,
    /// What the account may do
    #[oai(default = "active")]
    pub role: Role,
}

fn active() -> Role {
    Role::Active
}

impl Example for AccountCreate {
    fn example() -> Self {
        Self {
            email: Email::new("sam@example.com"),
            password: Password("correct horse battery".into()),
            name: Some("Sam".into()),
            role: Role::Staff,
        }
    }
}

/// What an admin changes of an account: what is left out stays as it is
#[derive(Object)]
#[oai(example)]
pub struct AccountUpdate {
    /// What the account may do
    #[oai(skip_serializing_if_is_none)]
    pub role: Option<Role>,
    /// `disabled` ends it at once, with all its tokens; `active` opens it again
    #[oai(skip_serializing_if_is_none)]
    pub status: Option<Status>,
}

impl Example for AccountUpdate {
    fn example() -> Self {
        Self { role: Some(Role::Staff), status: None }
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

impl NamesAccount for UserCreate {
    fn account(&self) -> Option<NamedAccount> {
        Some(NamedAccount::Email(self.email.clone()))
    }
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
    /// The present password: needed for another address. An account without one gets one by `POST
    /// /api/v1/password-reset` first
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 128))]
    pub password: Option<Password>,
    /// New name that others see; null removes it
    #[oai(nullable, skip_serializing_if = "MaybeUndefined::is_undefined", validator(min_length = 1, max_length = 80))]
    pub name: MaybeUndefined<String>,
}

impl UserUpdate {
    /// The account with this change.
    pub fn of(self, mut values: UserValues) -> UserValues {
        values.email = self.email.unwrap_or(values.email);
        values.name = match self.name {
            MaybeUndefined::Undefined => values.name,
            MaybeUndefined::Null => None,
            MaybeUndefined::Value(name) => Some(name),
        };
        values
    }
}

impl Example for UserUpdate {
    fn example() -> Self {
        Self { email: None, password: None, name: MaybeUndefined::Value("Ann B.".into()) }
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

impl From<StoredUser> for Account {
    fn from(row: StoredUser) -> Self {
        Self { user: row.user }
    }
}
