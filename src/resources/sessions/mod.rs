//! Sessions: a login, its access tokens and the family of its refresh tokens.
//!
//! Must never be: a refresh token stored as it is; one that works twice; a token that outlives its session.

pub mod api;
pub mod model;
pub mod store;
pub mod tasks;

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use self::store::Account;
use crate::app::App;
use crate::auth::Email;
use crate::db::{Conn, Db, DbResult};
use crate::http::client::{Client, ClientAddress};

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

/// Opens a session for an account whose credentials hold.
pub async fn open(app: &App, conn: &mut Conn, client: &Client, account: Account) -> DbResult<Pair> {
    let (now, expires_at) = term(app);
    let session_id = store::insert(conn, account.id, client, now, expires_at).await?;
    issue(app, conn, account, session_id, (now, expires_at)).await
}

/// Gives the next pair of a session.
async fn refresh(app: &App, conn: &mut Conn, account: Account, session_id: i64) -> DbResult<Pair> {
    let (now, expires_at) = term(app);
    store::extend(conn, session_id, now, expires_at).await?;
    issue(app, conn, account, session_id, (now, expires_at)).await
}

/// From now on, and for so long.
fn term(app: &App) -> (DateTime<Utc>, DateTime<Utc>) {
    let now = app.now();
    (now, now + TimeDelta::seconds(app.config.refresh_ttl.into()))
}

async fn issue(
    app: &App,
    conn: &mut Conn,
    account: Account,
    session_id: i64,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> DbResult<Pair> {
    let refresh_token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    store::insert_refresh_token(conn, &hash(&refresh_token), session_id, now, expires_at).await?;
    let access_token = app.tokens.issue(account.id, account.role, account.token_version, session_id, now);
    let expires_in = app.tokens.lifetime().into();
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
