//! What goes over the wire for sessions.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::types::{Example, Password};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use sqlx::FromRow;

use super::Pair;
use super::limits::{NamedAccount, NamesAccount};
use crate::auth::Email;
use crate::http::page::page;

/// A session: what a client needs to act for its user
#[derive(Object, Serialize)]
#[oai(example)]
pub struct Session {
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The session's identifier, for `DELETE /api/v1/sessions/{id}`
    #[oai(validator(minimum(value = "1")))]
    pub session_id: i64,
    /// Access token; send it as `Authorization: Bearer <token>`
    pub token: String,
    /// Always `bearer`
    pub token_type: TokenType,
    /// Seconds that the access token is valid
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Gives the next pair at `POST /api/v1/token/refresh`, once
    pub refresh_token: String,
}

impl From<Pair> for Session {
    fn from(pair: Pair) -> Self {
        Self {
            id: pair.user_id,
            session_id: pair.session_id,
            token: pair.access_token,
            token_type: TokenType::Bearer,
            expires_in: pair.expires_in,
            refresh_token: pair.refresh_token,
        }
    }
}

/// How the access token is sent
#[derive(Debug, Clone, Copy, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// RFC 6750
    Bearer,
}

/// Short, so that no scanner takes them for real ones.
const EXAMPLE_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";
const EXAMPLE_REFRESH_TOKEN: &str = "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0";

impl Example for Session {
    fn example() -> Self {
        Self {
            id: 1,
            session_id: 1,
            token: EXAMPLE_TOKEN.into(),
            token_type: TokenType::Bearer,
            expires_in: 900,
            refresh_token: EXAMPLE_REFRESH_TOKEN.into(),
        }
    }
}

/// Tokens as RFC 6749 section 5.1 names them
#[derive(Object, Serialize)]
#[oai(example)]
pub struct Token {
    /// Access token; send it as `Authorization: Bearer <token>`
    pub access_token: String,
    /// Always `bearer`
    pub token_type: TokenType,
    /// Seconds that the access token is valid
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Gives the next pair with `grant_type=refresh_token`, once
    pub refresh_token: String,
}

impl From<Pair> for Token {
    fn from(pair: Pair) -> Self {
        Self {
            access_token: pair.access_token,
            token_type: TokenType::Bearer,
            expires_in: pair.expires_in,
            refresh_token: pair.refresh_token,
        }
    }
}

impl Example for Token {
    fn example() -> Self {
        Self {
            access_token: EXAMPLE_TOKEN.into(),
            token_type: TokenType::Bearer,
            expires_in: 900,
            refresh_token: EXAMPLE_REFRESH_TOKEN.into(),
        }
    }
}

/// Address and password
#[derive(Object)]
#[oai(example)]
pub struct Credentials {
    /// Address of the account; upper and lower case are the same
    pub email: Email,
    /// Password of the account
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Password,
}

impl NamesAccount for Credentials {
    fn account(&self) -> Option<NamedAccount> {
        Some(NamedAccount::Login(self.email.clone()))
    }
}

impl Example for Credentials {
    fn example() -> Self {
        Self { email: Email::new("ann@example.com"), password: Password("correct horse battery".into()) }
    }
}

/// A refresh token
#[derive(Object)]
#[oai(example)]
pub struct Refresh {
    /// The newest refresh token of the session
    #[oai(validator(min_length = 1, max_length = 200))]
    pub refresh_token: String,
}

impl NamesAccount for Refresh {
    fn account(&self) -> Option<NamedAccount> {
        Some(NamedAccount::RefreshToken(self.refresh_token.clone()))
    }
}

impl Example for Refresh {
    fn example() -> Self {
        Self { refresh_token: EXAMPLE_REFRESH_TOKEN.into() }
    }
}

/// How the caller of `/login` proves who they are
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum GrantType {
    /// With `username` and `password` (RFC 6749 section 4.3)
    Password,
    /// With `refresh_token` (RFC 6749 section 6)
    RefreshToken,
}

/// OAuth2 token request
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub struct TokenRequest {
    /// `password` needs `username` and `password`; `refresh_token` needs `refresh_token`
    pub grant_type: GrantType,
    /// E-mail address of the account
    #[oai(validator(min_length = 1, max_length = 254))]
    pub username: Option<String>,
    /// Password of the account
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Option<Password>,
    /// The newest refresh token of the session
    #[oai(validator(min_length = 1, max_length = 200))]
    pub refresh_token: Option<String>,
    /// Taken from OAuth2 clients that send it, and ignored
    #[oai(validator(max_length = 1000))]
    pub scope: Option<String>,
    /// Taken from OAuth2 clients that send it, and ignored
    #[oai(validator(max_length = 200))]
    pub client_id: Option<String>,
    /// Taken from OAuth2 clients that send it, and ignored
    #[oai(validator(max_length = 200))]
    pub client_secret: Option<String>,
}

impl NamesAccount for TokenRequest {
    fn account(&self) -> Option<NamedAccount> {
        match (self.grant_type, &self.username, &self.refresh_token) {
            // a grant ignores the fields of the other one
            (GrantType::RefreshToken, _, Some(token)) => Some(NamedAccount::RefreshToken(token.clone())),
            (_, Some(username), _) => Some(NamedAccount::Login(Email::new(username))),
            _ => None,
        }
    }
}

impl Example for TokenRequest {
    fn example() -> Self {
        Self {
            grant_type: GrantType::Password,
            username: Some("ann@example.com".into()),
            password: Some(Password("correct horse battery".into())),
            refresh_token: None,
            scope: None,
            client_id: None,
            client_secret: None,
        }
    }
}

/// A session that goes on
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct OpenSession {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Whether it is the one of this request's access token
    pub current: bool,
    /// The address that it was opened from
    #[oai(nullable)]
    pub address: Option<String>,
    /// What the client that opened it calls itself, at most 200 characters of it
    #[oai(nullable)]
    pub user_agent: Option<String>,
    /// When it was opened
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed
    #[oai(nullable)]
    pub refreshed_at: Option<DateTime<Utc>>,
    /// When it ends if it is not refreshed before; refreshing extends it, but not beyond 90 days after the login, unless the
    /// server is set up otherwise
    pub expires_at: DateTime<Utc>,
}

impl Example for OpenSession {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self {
            id: 1,
            current: true,
            address: Some("203.0.113.7".into()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".into()),
            created_at: at,
            refreshed_at: None,
            expires_at: at + TimeDelta::days(30),
        }
    }
}

/// A session as its row has it.
#[derive(FromRow)]
#[expect(missing_docs, reason = "as in `OpenSession`")]
pub struct StoredSession {
    pub id: i64,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub refreshed_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl StoredSession {
    /// What whoever calls in that session sees of it.
    pub fn seen_from(self, current: Option<i64>) -> OpenSession {
        let Self { id, address, user_agent, created_at, refreshed_at, expires_at } = self;
        OpenSession { id, current: Some(id) == current, address, user_agent, created_at, refreshed_at, expires_at }
    }
}

page! {
    /// A page of sessions
    OpenSessionPage, OpenSession, "sessions"
}
