//! Logging in with a password, and with a refresh token.

use chrono::TimeDelta;

use super::model::TokenRequest;
use super::rules::{self, Grant};
use super::store::{self, Login};
use super::{Pair, REFRESH_TOKEN_REUSED, State, hash, login_failed, open, refresh};
use crate::app::App;
use crate::auth::access::{disabled, unverified};
use crate::auth::password::Verdict;
use crate::auth::{Email, Status};
use crate::db::Conn;
use crate::error::{Code, Error};
use crate::http::Origin;
use crate::http::client::Client;
use crate::resources::audit::{self, Event};

/// Logs in with what a token request proves the login with.
///
/// # Errors
/// 400 for a grant without its fields; otherwise as [`with_password`] and [`with_refresh_token`].
pub async fn with_grant(app: &App, client: &Client, request: TokenRequest) -> Result<Pair, Error> {
    match rules::grant(request)? {
        Grant::Password(email, password) => with_password(app, client, &email, password).await,
        Grant::RefreshToken(token) => with_refresh_token(app, &client.origin, &token).await,
    }
}

/// Logs in with a password. A failed login is recorded.
///
/// # Errors
/// 401 `invalid_credentials`, 403 `account_disabled` or `email_unverified`.
pub async fn with_password(app: &App, client: &Client, email: &Email, password: String) -> Result<Pair, Error> {
    let login = store::find_login(&mut app.db.read().await?, email).await?;
    let user_id = login.as_ref().map(|login| login.account.id);
    match prove(app, client, login, password).await {
        Ok(pair) => Ok(pair),
        Err(Refused { reason: Some(reason), error }) => {
            record_failure(app, &client.origin, user_id, reason).await?;
            Err(error)
        }
        Err(Refused { reason: None, error }) => Err(error),
    }
}

/// Why no session was opened; the audit records the reason, if there is one.
struct Refused {
    reason: Option<&'static str>,
    error: Error,
}

impl Refused {
    fn new(reason: &'static str, error: Error) -> Self {
        Self { reason: Some(reason), error }
    }

    /// One error for an unknown address and for a wrong password.
    fn credentials() -> Self {
        let error = Error::new(Code::INVALID_CREDENTIALS, "Check the address and the password.");
        Self::new("credentials", error)
    }
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { reason: None, error: error.into() }
    }
}

/// Opens a session if the password is that of the account and the account may log in. Hashing takes tens of milliseconds:
/// no connection is held meanwhile.
async fn prove(app: &App, client: &Client, login: Option<Login>, password: String) -> Result<Pair, Refused> {
    let verdict = app.passwords.verify(password, login.as_ref().map(|login| login.password_hash.clone())).await?;
    let (Some(login), Verdict::Right | Verdict::RightUpgrade(_)) = (login, &verdict) else {
        return Err(Refused::credentials());
    };
    // only to whoever knows the password
    if login.account.status == Status::Disabled {
        return Err(Refused::new("account_disabled", disabled()));
    }
    if app.config.mail.require_verified && login.email_verified_at.is_none() {
        return Err(Refused::new("email_unverified", unverified()));
    }
    let mut tx = app.db.begin().await?;
    if !store::stands(&mut tx, login.account).await? {
        return Err(Refused::credentials());
    }
    if let Verdict::RightUpgrade(new) = verdict {
        store::upgrade_hash(&mut tx, login.account.id, &login.password_hash, new).await?;
    }
    let pair = open(app, &mut tx, client, login.account).await?;
    tx.commit().await?;
    Ok(pair)
}

/// Records a failed login, in a transaction of its own: there is no other one that it could be part of.
async fn record_failure(app: &App, origin: &Origin, user_id: Option<i64>, reason: &str) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, origin.actor(None), login_failed(user_id, reason)).await?;
    Ok(tx.commit().await?)
}

/// Uses a refresh token, and returns the next pair of its session. A refresh token that is used again ends the session,
/// unless it was used within the grace period: then a client may have sent one request twice.
///
/// # Errors
/// 401 `refresh_token_invalid`, `refresh_token_used` or `refresh_token_reused`, 403 `account_disabled`.
pub async fn with_refresh_token(app: &App, origin: &Origin, refresh_token: &str) -> Result<Pair, Error> {
    let (token_hash, now) = (hash(refresh_token), app.now());
    let mut tx = app.db.begin().await?;
    store::hold(&mut tx, &token_hash).await?;
    let Some(session_id) = store::use_refresh_token(&mut tx, &token_hash, now).await? else {
        return Err(reused(app, tx, origin, &token_hash).await?);
    };
    let ended = || Error::new(Code::REFRESH_TOKEN_INVALID, "Log in again: the session has ended.");
    let session = store::find_standing(&mut tx, session_id).await?.ok_or_else(ended)?;
    // without a commit: the token stays unused for when the account is opened again
    if session.account.status == Status::Disabled {
        return Err(disabled());
    }
    let pair = refresh(app, &mut tx, session_id, session).await?.ok_or_else(ended)?;
    tx.commit().await?;
    Ok(pair)
}

/// The error for a refresh token that cannot be used. Ends the session of one that was used before the grace period.
async fn reused(app: &App, mut tx: Conn, origin: &Origin, token_hash: &str) -> Result<Error, Error> {
    let now = app.now();
    let Some(used) = store::find_used(&mut tx, token_hash).await? else {
        let detail = "Log in again: the refresh token is unknown or has expired.";
        return Ok(Error::new(Code::REFRESH_TOKEN_INVALID, detail));
    };
    if now < used.used_at + TimeDelta::seconds(app.config.tokens.refresh_grace.into()) {
        let detail = "Go on with the tokens that the request before this one got, or log in again.";
        return Ok(Error::new(Code::REFRESH_TOKEN_USED, detail));
    }
    if store::revoke(&mut tx, used.session_id, now).await? {
        let after = State { session_id: used.session_id };
        let event = Event::of(REFRESH_TOKEN_REUSED, used.user_id).after(&after);
        audit::record(&mut tx, origin.actor(None), event).await?;
    }
    tx.commit().await?;
    let detail = "The session was ended because one of its refresh tokens was used twice; log in again.";
    Ok(Error::new(Code::REFRESH_TOKEN_REUSED, detail))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::Role;
    use crate::config::Config;
    use crate::db::Db;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::{Actor, Hooks};
    use crate::mail::transport::Mailer;
    use crate::resources::users;
    use crate::resources::users::model::UserValues;

    #[tokio::test]
    async fn the_first_login_upgrades_an_imported_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::load(None).expect("the defaults");
        config.database.database_url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&config.database.database_url, Direction::Up, Target::Head).await.expect("migrates");
        let db = Db::connect(&config.database.connection(), Hooks::default()).await.expect("connects");
        let mailer = Mailer::of(&config).expect("the defaults");
        let app = App::new(Arc::new(config), db, "a secret of this test, 32 bytes long", mailer);

        let (email, password) = (Email::new("ann@example.com"), "correct horse");
        let client = Client { origin: Origin::default(), user_agent: None };
        let status = Status::Active;
        let imported = bcrypt::hash(password, 4).expect("bcrypt");
        let (email_of_user, password_hash) = (email.clone(), Some(imported));
        let (name, role) = (None, Role::Active);
        let user = UserValues { email: email_of_user, name, password_hash, role, status, email_verified_at: None };
        let mut tx = app.db.begin().await.expect("a transaction");
        let id = users::create(&mut tx, Actor::default(), user, app.now()).await.expect("inserts").user.id;
        tx.commit().await.expect("commits");

        assert!(with_password(&app, &client, &email, "wrong horse".into()).await.is_err());
        with_password(&app, &client, &email, password.into()).await.expect("logs in");
        let mut conn = app.db.read().await.expect("a connection");
        let (hash, _) = users::store::password(&mut conn, id).await.expect("reads").expect("is there");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        with_password(&app, &client, &email, password.into()).await.expect("logs in with the new hash");
    }
}
