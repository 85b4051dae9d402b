//! `/api/v1/authenticate`, `/login`, `/token/refresh`, `/logout`, `/sessions`

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::limits::PerAccount;
use super::model::{Credentials, OpenSessionPage, Refresh, Session, Token, TokenRequest};
use super::{login, rules, store};
use crate::app::App;
use crate::auth::{Caller, LoggedIn, Public};
use crate::http::Origin;
use crate::http::answer::{NO_STORE, NoContent, Private};
use crate::http::client::Client;
use crate::http::fail::{Fail, Forbidden, NotFound, RateLimited, Unauthorized};
use crate::http::parameters::Paging;
use crate::http::payload::{FormIn, JsonIn, JsonOut};
use crate::resources::Tag;

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
        let pair = login::with_password(&app, &client, &body.0.email, body.0.password.0).await?;
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
        let pair = login::with_grant(&app, &client, body.0).await.map_err(rules::oauth)?;
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
        let pair = login::with_refresh_token(&app, &origin, &body.0.refresh_token).await?;
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
        super::log_out(&mut tx, &caller, app.now()).await?;
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
        super::end(&mut tx, &caller, id.0, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}
