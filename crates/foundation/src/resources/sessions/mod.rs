//! Sessions: a login, its access tokens and the family of its refresh tokens.
//!
//! Must never be: a refresh token stored as it is; one that works twice; a token that outlives its session.

pub mod api;
pub mod limits;
pub mod login;
pub mod model;
pub mod rules;
pub mod store;
pub mod tables;
pub mod tasks;

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::store::Account;
use crate::actions;
use crate::app::App;
use crate::application::Resource;
use crate::auth::{Caller, Email};
use crate::db::{Conn, Db, DbResult};
use crate::error::Error;
use crate::http::client::{Client, ClientAddress};
use crate::resources::audit::model::Action;
use crate::resources::audit::{self, Event};
use crate::server::document::Api;
use crate::tasks::Kind;

/// Logins and tokens.
pub static RESOURCE: Resource = Resource {
    name: "sessions",
    apis: &[Api::of::<api::SessionApi>()],
    tables: tables::declared,
    actions: ACTIONS,
    jobs: &[Kind::every::<tasks::PurgeSessions>(|config| Duration::from_secs(config.tasks.purge_interval))],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "user":
    LOGGED_IN = "logged_in", "Somebody logged in, also by registering or by accepting an invitation; tokens of an identity provider open no session here";
    LOGGED_OUT = "logged_out", "Somebody logged out";
    SESSION_REVOKED = "session_revoked", "Somebody ended one of their sessions";
    LOGIN_FAILED = "login_failed", "Somebody failed to log in, or gave a wrong present password with a token; the object is the account, if there is one. Of one hour, account, client network and reason the first ten are an event each, the others are counted in one more";
    REFRESH_TOKEN_REUSED = "refresh_token_reused", "Somebody used a refresh token of the account again; its session was ended";
    IDENTITY_LINKED = "identity_linked", "An identity of the provider was linked to an account";
}

/// An access token and the refresh token that gives the next pair.
pub struct Pair {
    /// The user they belong to.
    pub user_id: i64,
    /// The session they belong to.
    pub session_id: i64,
    /// JWT.
    pub access_token: String,
    /// Opaque, 256 random bits.
    pub refresh_token: String,
    /// Seconds that the access token is valid.
    pub expires_in: i64,
}

/// Opens a session for an account whose credentials hold, and records the login.
pub async fn open(app: &App, conn: &mut Conn, client: &Client, account: Account) -> DbResult<Pair> {
    let now = app.now();
    let term = Term::of(app, now, now);
    let session_id = store::insert(conn, account.id, client, now, term.expires_at).await?;
    let event = Event::of(LOGGED_IN, account.id).after(&State { session_id });
    audit::record(conn, client.origin.actor(Some(account.id)), event).await?;
    issue(app, conn, account, session_id, term).await
}

/// The state of a session that the audit records.
#[derive(Serialize)]
struct State {
    session_id: i64,
}

/// The failure of a login, as the audit records it.
#[derive(Serialize)]
struct Failure<'a> {
    reason: &'a str,
}

/// The event of a failed login, or of a wrong present password.
pub fn login_failed(user_id: Option<i64>, reason: &str) -> Event {
    Event::of(LOGIN_FAILED, user_id).after(&Failure { reason }).aggregated()
}

/// Ends the session of the caller, if the token has one.
pub async fn log_out(tx: &mut Conn, caller: &Caller, now: DateTime<Utc>) -> DbResult<()> {
    // of two at once one ends it, and is recorded
    if let Some(session_id) = caller.session_id
        && store::revoke(tx, session_id, now).await?
    {
        audit::record(tx, caller, ended(LOGGED_OUT, caller.id, session_id)).await?;
    }
    Ok(())
}

/// Ends a session of the caller.
///
/// # Errors
/// 404 for a session that is not the caller's, or has ended.
pub async fn end(tx: &mut Conn, caller: &Caller, session_id: i64, now: DateTime<Utc>) -> Result<(), Error> {
    if !store::revoke_of(tx, caller.id, session_id, now).await? {
        return Err(Error::not_found("Session", session_id));
    }
    Ok(audit::record(tx, caller, ended(SESSION_REVOKED, caller.id, session_id)).await?)
}

/// The event of a session that its owner has ended.
fn ended(action: Action, user_id: i64, session_id: i64) -> Event {
    Event::of(action, user_id).before(&State { session_id })
}

/// Returns the next pair of a session, or `None` if the session has reached its end.
async fn refresh(app: &App, conn: &mut Conn, session_id: i64, session: store::Standing) -> DbResult<Option<Pair>> {
    let term = Term::of(app, session.created_at, app.now());
    if term.token_seconds(app) < 1 {
        return Ok(None);
    }
    store::extend(conn, session_id, term.now, term.expires_at).await?;
    issue(app, conn, session.account, session_id, term).await.map(Some)
}

/// The validity of the tokens of a session. The session ends `session_ttl` seconds after its login, however often it
/// is refreshed, and no token of it is valid beyond that (OWASP ASVS 7.3.2).
#[derive(Clone, Copy)]
struct Term {
    now: DateTime<Utc>,
    /// The end of the session.
    ends_at: DateTime<Utc>,
    /// The end of the session if it is not refreshed before.
    expires_at: DateTime<Utc>,
}

impl Term {
    fn of(app: &App, opened_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let ends_at = opened_at + TimeDelta::seconds(app.config.tokens.session_ttl.into());
        let expires_at = ends_at.min(now + TimeDelta::seconds(app.config.tokens.refresh_ttl.into()));
        Self { now, ends_at, expires_at }
    }

    /// Seconds that an access token issued now is valid.
    fn token_seconds(self, app: &App) -> i64 {
        app.tokens.lifetime(self.now, self.ends_at)
    }
}

async fn issue(app: &App, conn: &mut Conn, account: Account, session_id: i64, term: Term) -> DbResult<Pair> {
    let refresh_token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    store::insert_refresh_token(conn, &hash(&refresh_token), session_id, term.now, term.expires_at).await?;
    let Term { now, ends_at, .. } = term;
    let access_token = app.tokens.issue(account.id, account.role, account.token_version, session_id, now, ends_at);
    let expires_in = term.token_seconds(app);
    Ok(Pair { user_id: account.id, session_id, access_token, refresh_token, expires_in })
}

/// Sessions that are looked at to know an address again.
const REMEMBERED: u64 = 100;

/// Whether somebody has logged in to an account from this client's network before. What there is to find of an account
/// that is not there takes the same statement.
pub async fn is_known_from(db: &Db, email: &Email, client: ClientAddress) -> DbResult<bool> {
    // the text of an IPv6 network has no one beginning, but its first two groups have
    let like = match client.0 {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) if address.segments()[1] == 0 => format!("{:x}:%", address.segments()[0]),
        IpAddr::V6(address) => format!("{:x}:{:x}:%", address.segments()[0], address.segments()[1]),
    };
    let addresses = store::addresses(&mut db.read().await?, email, &like, REMEMBERED).await?;
    let same = |address: &String| address.parse().is_ok_and(|ip| ClientAddress(ip).network() == client.network());
    Ok(addresses.iter().any(same))
}

/// The session that a refresh token is one of, also when it has been used or has expired.
pub async fn of_refresh_token(db: &Db, refresh_token: &str) -> DbResult<Option<i64>> {
    store::session_of(&mut db.read().await?, &hash(refresh_token)).await
}

/// What is stored of a refresh token: SHA-256, because 256 random bits cannot be guessed.
pub fn hash(refresh_token: &str) -> String {
    Sha256::digest(refresh_token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
