//! `/api/v1/authenticate`, `/login`, `/token/refresh`, `/logout`, `/sessions`

use chrono::TimeDelta;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::limits::PerAccount;
use super::model::{Credentials, GrantType, OpenSessionPage, Refresh, Session, Token, TokenRequest};
use super::{Pair, hash, open, refresh, store};
use crate::app::App;
use crate::auth::Email;
use crate::auth::access::{disabled, unverified};
use crate::auth::password::Verdict;
use crate::auth::{Caller, LoggedIn, Public, Status};
use crate::error::{Code, Error, FieldError};
use crate::http::Origin;
use crate::http::answer::{NO_STORE, NoContent, Private};
use crate::http::client::Client;
use crate::http::fail::{Fail, Forbidden, NotFound, RateLimited, Unauthorized};
use crate::http::parameters::Paging;
use crate::http::payload::{FormIn, JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{self, Event};

/// The operations.
#[derive(Default)]
pub struct SessionApi;

/// The answer of `authenticate` and `refresh_token`.
#[derive(ApiResponse)]
pub enum SessionResponse {
    /// Logged in
    #[oai(status = 200)]
    Opened(
        JsonOut<Session>,
        /// Tokens are not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// The answer of `log_in`.
#[derive(ApiResponse)]
pub enum TokenResponse {
    /// Logged in
    #[oai(status = 200)]
    Issued(
        JsonOut<Token>,
        /// Tokens are not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Session")]
impl SessionApi {
    /// Authenticate
    ///
    /// Takes an e-mail address and a password as JSON. An unknown address and a wrong password get the same
    /// answer, after the same work. With the right one a disabled account is told so: 403 `account_disabled`; as is one
    /// whose address must be verified first: 403 `email_unverified`. Ten wrong passwords within 15 minutes slow an account
    /// down: further tries are answered 429, from addresses that have never logged in to it; each other address is
    /// counted alone. Right ones do not count.
    #[oai(path = "/authenticate", method = "post", operation_id = "authenticate")]
    async fn authenticate(
        &self,
        _public: Public,
        app: Data<&App>,
        client: Client,
        body: PerAccount<JsonIn<Credentials>>,
    ) -> Result<SessionResponse, Fail<(Unauthorized, Forbidden, RateLimited)>> {
        let pair = with_password(&app, &client, &body.0.email, body.0.password.0).await?;
        Ok(SessionResponse::Opened(JsonOut(pair.into()), NO_STORE.into()))
    }

    /// Log in
    ///
    /// The OAuth2 token endpoint (RFC 6749): the password grant, with the e-mail address as `username`, and the
    /// refresh grant. Errors are problems like everywhere and carry the RFC's word in `error`. Wrong passwords are counted
    /// together with those of `POST /authenticate`.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        _public: Public,
        app: Data<&App>,
        client: Client,
        body: PerAccount<FormIn<TokenRequest>>,
    ) -> Result<TokenResponse, Fail<(Unauthorized, Forbidden, RateLimited)>> {
        let pair = with_grant(&app, &client, body.0).await.map_err(oauth)?;
        Ok(TokenResponse::Issued(JsonOut(pair.into()), NO_STORE.into()))
    }

    /// Refresh the tokens
    ///
    /// Takes a refresh token and gives the next pair. Each refresh token works once. Refreshing extends a session, but not
    /// beyond its end: 90 days after the login, unless the server is set up otherwise. Then log in again: 401
    /// `refresh_token_invalid`. A refresh token that is used again ends its
    /// session, because somebody has copied it: 401 `refresh_token_reused`, and the audit says so. But within 5 seconds
    /// of its use that is taken for a request sent twice: 401 `refresh_token_used`, and the session goes on with the
    /// pair that the first request got.
    #[oai(path = "/token/refresh", method = "post", operation_id = "refresh_token")]
    async fn refresh(
        &self,
        _public: Public,
        app: Data<&App>,
        origin: Data<&Origin>,
        body: PerAccount<JsonIn<Refresh>>,
    ) -> Result<SessionResponse, Fail<(Unauthorized, Forbidden, RateLimited)>> {
        let pair = with_refresh_token(&app, &origin, &body.0.refresh_token).await?;
        Ok(SessionResponse::Opened(JsonOut(pair.into()), NO_STORE.into()))
    }

    /// Log out
    ///
    /// Ends the session of the access token: the token and the session's refresh tokens stop working at once.
    /// Other sessions of the user go on. A disabled account may log out, too. A token of an identity provider has no
    /// session here: it is ended there.
    #[oai(path = "/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, mut caller: LoggedIn, app: Data<&App>) -> Result<NoContent, Fail<()>> {
        let mut tx = caller.begin(&app.db).await?;
        if let Some(session_id) = caller.session_id {
            // of two at once one ends it, and is recorded
            if store::revoke(&mut tx, session_id, app.now()).await? {
                audit::record(&mut tx, &*caller, ended(super::LOGGED_OUT, caller.id, session_id)).await?;
            }
        }
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// List your sessions
    ///
    /// Where you are logged in, page by page, the newest login first. One that you do not know is ended with
    /// `DELETE /api/v1/sessions/{id}`; then change the password.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// sessions
        paging: Paging,
        /// Also count all, which costs more than the page
        #[oai(default)]
        with_total: Query<bool>,
    ) -> Result<Private<OpenSessionPage>, Fail<()>> {
        let page = paging.newest("sessions")?;
        let now = app.now();
        let mut conn = caller.read(&app.db).await?;
        let mut rows = store::page(&mut conn, caller.id, now, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.id);
        let total = if with_total.0 { Some(store::count(&mut conn, caller.id, now).await?) } else { None };
        let items = rows.into_iter().map(|row| row.seen_from(caller.session_id)).collect();
        Ok(OpenSessionPage { items, next, total }.into())
    }

    /// End a session
    ///
    /// One of yours: its access tokens and its refresh token stop working at once. Those of others, and those that have
    /// ended, are not found.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "delete_session")]
    async fn delete(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The session's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<NoContent, Fail<(NotFound,)>> {
        let mut tx = caller.begin(&app.db).await?;
        if !store::revoke_of(&mut tx, caller.id, id.0, app.now()).await? {
            return Err(Error::not_found("Session", id.0).into());
        }
        audit::record(&mut tx, &caller, ended(super::SESSION_REVOKED, caller.id, id.0)).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// The event of a session that its owner has ended.
fn ended(action: Action, user_id: i64, session_id: i64) -> Event {
    Event::of(action, user_id).before(State { session_id: Some(session_id), ..State::default() })
}

async fn with_password(app: &App, client: &Client, email: &Email, password: String) -> Result<Pair, Error> {
    let mut conn = app.db.read().await?;
    let login = store::find_login(&mut conn, email).await?;
    // hashing takes tens of milliseconds: no connection is held meanwhile
    drop(conn);
    let verdict = app.passwords.verify(password, login.as_ref().map(|login| login.password_hash.clone())).await?;
    let wrong = || Error::new(Code::INVALID_CREDENTIALS, "Check the address and the password.");
    let user_id = login.as_ref().map(|login| login.account.id);
    let (Some(login), Verdict::Right | Verdict::RightUpgrade(_)) = (login, &verdict) else {
        failed(app, &client.origin, user_id, "credentials").await?;
        return Err(wrong());
    };
    // only to whoever knows the password
    if login.account.status == Status::Disabled {
        failed(app, &client.origin, user_id, "account_disabled").await?;
        return Err(disabled());
    }
    if app.config.require_verified && login.email_verified_at.is_none() {
        failed(app, &client.origin, user_id, "email_unverified").await?;
        return Err(unverified());
    }
    let mut tx = app.db.begin().await?;
    if !store::stands(&mut tx, login.account).await? {
        // the event is written in another one
        drop(tx);
        failed(app, &client.origin, user_id, "credentials").await?;
        return Err(wrong());
    }
    if let Verdict::RightUpgrade(new) = verdict {
        store::upgrade_hash(&mut tx, login.account.id, &login.password_hash, new).await?;
    }
    let pair = open(app, &mut tx, client, login.account).await?;
    tx.commit().await?;
    Ok(pair)
}

/// Writes a failed login down, in a transaction of its own: there is none that it could be part of.
async fn failed(app: &App, origin: &Origin, user_id: Option<i64>, reason: &str) -> Result<(), Error> {
    let after = State { reason: Some(reason.into()), ..State::default() };
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, origin.actor(None), Event::of(super::LOGIN_FAILED, user_id).after(after)).await?;
    Ok(tx.commit().await?)
}

async fn with_refresh_token(app: &App, origin: &Origin, refresh_token: &str) -> Result<Pair, Error> {
    let (token_hash, now) = (hash(refresh_token), app.now());
    let mut tx = app.db.begin().await?;
    store::hold(&mut tx, &token_hash).await?;
    let Some(session_id) = store::use_refresh_token(&mut tx, &token_hash, now).await? else {
        let Some(used) = store::find_used(&mut tx, &token_hash).await? else {
            return Err(Error::new(
                Code::REFRESH_TOKEN_INVALID,
                "Log in again: the refresh token is unknown or has expired.",
            ));
        };
        if now < used.used_at + TimeDelta::seconds(app.config.refresh_grace.into()) {
            return Err(Error::new(
                Code::REFRESH_TOKEN_USED,
                "Go on with the tokens that the request before this one got, or log in again.",
            ));
        }
        if store::revoke(&mut tx, used.session_id, now).await? {
            let after = State { session_id: Some(used.session_id), ..State::default() };
            let event = Event::of(super::REFRESH_TOKEN_REUSED, used.user_id).after(after);
            audit::record(&mut tx, origin.actor(None), event).await?;
        }
        tx.commit().await?;
        return Err(Error::new(
            Code::REFRESH_TOKEN_REUSED,
            "The session was ended because one of its refresh tokens was used twice; log in again.",
        ));
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

async fn with_grant(app: &App, client: &Client, request: TokenRequest) -> Result<Pair, Error> {
    let missing = |field: &str| FieldError::body(format!("/{field}"), "is required for this grant_type");
    match (request.grant_type, request.username, request.password, request.refresh_token) {
        (GrantType::Password, Some(username), Some(password), _) => {
            with_password(app, client, &Email::new(&username), password.0).await
        }
        (GrantType::RefreshToken, _, _, Some(refresh_token)) => {
            with_refresh_token(app, &client.origin, &refresh_token).await
        }
        (GrantType::Password, username, password, _) => {
            let absent = [("username", username.is_none()), ("password", password.is_none())];
            let fields = absent.into_iter().filter(|(_, absent)| *absent).map(|(field, _)| missing(field));
            Err(Error::fields(Code::INVALID, fields.collect()))
        }
        (GrantType::RefreshToken, ..) => Err(Error::fields(Code::INVALID, vec![missing("refresh_token")])),
    }
}

/// Adds the word of RFC 6749 section 5.2.
fn oauth(error: Error) -> Error {
    let word = match error.code {
        Code::INVALID_CREDENTIALS
        | Code::REFRESH_TOKEN_INVALID
        | Code::REFRESH_TOKEN_USED
        | Code::REFRESH_TOKEN_REUSED
        | Code::ACCOUNT_DISABLED
        | Code::EMAIL_UNVERIFIED => Some("invalid_grant"),
        Code::INVALID => Some("invalid_request"),
        _ => None,
    };
    Error { oauth: word, ..error }
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
    use crate::resources::users::store::UserValues;

    #[tokio::test]
    async fn the_first_login_upgrades_an_imported_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::load(None).expect("the defaults");
        config.database_url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&config.database_url, Direction::Up, Target::Head).await.expect("migrates");
        let db = Db::connect(&config.database(), Hooks::default()).await.expect("connects");
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
