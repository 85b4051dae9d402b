//! The caller: somebody whose access token holds, on the connection that proved it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_query::{Expr, ExprTrait, JoinType, Query};
use sqlx::FromRow;

use crate::auth::oidc::Identity;
use crate::auth::role::{Role, Status};
use crate::auth::tables::{Identities, Sessions, Users};
use crate::auth::token::Claims;
use crate::db::signals::Actor;
use crate::db::{Conn, Db, DbResult};
use crate::error::{Code, Error};
use crate::http::Origin;

/// Somebody whose access token holds, on the connection that proved it.
pub struct Caller {
    /// The user's id.
    pub id: i64,
    /// The present role, from the database.
    pub role: Role,
    /// The present status, from the database.
    pub status: Status,
    /// Whether the address is verified.
    pub is_verified: bool,
    /// The login that the token belongs to; none if it is one of an identity provider.
    pub session_id: Option<i64>,
    /// The time of the login; `None` if the token of an identity provider does not have it.
    pub logged_in_at: Option<DateTime<Utc>>,
    /// The request, as the audit records it.
    pub origin: Origin,
    conn: Option<Conn>,
}

/// What is asked of an account in each request.
const STANDING: [Users; 4] = [Users::Id, Users::Role, Users::Status, Users::EmailVerifiedAt];

#[derive(FromRow)]
struct Standing {
    id: i64,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    status: Status,
    email_verified_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Session {
    token_version: i64,
    /// The session if it is this user's and not revoked.
    session_id: Option<i64>,
    /// The time of the login that opened the session.
    opened_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Found {
    #[sqlx(flatten)]
    standing: Standing,
    #[sqlx(flatten)]
    session: Session,
}

impl Caller {
    /// Proves the claims of a verified token against the database: one statement.
    ///
    /// # Errors
    /// 401 `user_gone` or `token_revoked`, 503 when the database is away.
    pub async fn prove(db: &Db, claims: &Claims, origin: Origin) -> Result<Self, Error> {
        let (id, session_id) = (claims.user_id()?, claims.session_id()?);
        let mut conn = db.read().await?;
        match standing(&mut conn, id, session_id).await? {
            None => Err(Error::new(Code::USER_GONE, "The account was deleted; its tokens are worth nothing.")),
            Some((_, session)) if session.session_id.is_none() || session.token_version != claims.ver => {
                Err(Error::new(Code::TOKEN_REVOKED, "Log in again: the session has ended."))
            }
            Some((standing, session)) => {
                let caller = Self::of(standing, origin, conn);
                Ok(Self { session_id: session.session_id, logged_in_at: session.opened_at, ..caller })
            }
        }
    }

    /// Proves an identity of a provider against the database: one statement. None if no account is linked to it.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn identified(db: &Db, identity: &Identity, origin: Origin) -> DbResult<Option<Self>> {
        let mut conn = db.read().await?;
        let user = Expr::col((Identities::Table, Identities::UserId)).equals((Users::Table, Users::Id));
        let statement = Query::select()
            .columns(STANDING.map(|column| (Users::Table, column)))
            .from(Identities::Table)
            .join(JoinType::InnerJoin, Users::Table, user)
            .and_where(Expr::col((Identities::Table, Identities::Issuer)).eq(identity.issuer.as_str()))
            .and_where(Expr::col((Identities::Table, Identities::Subject)).eq(identity.subject.as_str()))
            .take();
        let found: Option<Standing> = conn.maybe(&statement).await?;
        let caller = |standing| Self { logged_in_at: identity.logged_in_at, ..Self::of(standing, origin, conn) };
        Ok(found.map(caller))
    }

    fn of(standing: Standing, origin: Origin, conn: Conn) -> Self {
        let Standing { id, role, status, email_verified_at } = standing;
        let is_verified = email_verified_at.is_some();
        Self { id, role, status, is_verified, session_id: None, logged_in_at: None, origin, conn: Some(conn) }
    }

    /// Rejects a caller whose login is older than `max_age` seconds: for changes that cannot be undone, which whoever has
    /// stolen an access token or a refresh token must not make.
    ///
    /// # Errors
    /// 401 `fresh_login_required`.
    pub fn has_logged_in_within(&self, max_age: u32, now: DateTime<Utc>) -> Result<(), Error> {
        let oldest = now - TimeDelta::seconds(max_age.into());
        if self.logged_in_at.is_some_and(|at| at >= oldest) {
            return Ok(());
        }
        let detail = format!("Log in again, then send the request with the new token within {max_age} s.");
        Err(Error { max_age: Some(max_age), ..Error::new(Code::FRESH_LOGIN_REQUIRED, detail) })
    }

    /// The connection for reading; the one that proved the caller, so that a request takes one.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn read(&mut self, db: &Db) -> DbResult<Conn> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => db.read().await,
        }
    }

    /// Keeps a connection that was taken for reading, for what the request does next.
    pub(crate) fn give_back(&mut self, conn: Conn) {
        self.conn = Some(conn);
    }

    /// Gives the connection back to the pool, so that a request does not hold two.
    pub(crate) fn release(&mut self) {
        self.conn = None;
    }

    /// A transaction for writing, on the same connection where the database allows it.
    ///
    /// # Errors
    /// 503 when the database is away or locked for too long.
    pub async fn begin(&mut self, db: &Db) -> DbResult<Conn> {
        db.begin_on(self.conn.take()).await
    }
}

impl<'a> From<&'a Caller> for Actor<'a> {
    fn from(caller: &'a Caller) -> Self {
        caller.origin.actor(Some(caller.id))
    }
}

async fn standing(conn: &mut Conn, id: i64, session_id: i64) -> DbResult<Option<(Standing, Session)>> {
    let session = Expr::col((Sessions::Table, Sessions::UserId))
        .equals((Users::Table, Users::Id))
        .and(Expr::col((Sessions::Table, Sessions::Id)).eq(session_id))
        .and(Expr::col((Sessions::Table, Sessions::RevokedAt)).is_null());
    let statement = Query::select()
        .columns(STANDING.map(|column| (Users::Table, column)))
        .column((Users::Table, Users::TokenVersion))
        .expr_as(Expr::col((Sessions::Table, Sessions::Id)), "session_id")
        .expr_as(Expr::col((Sessions::Table, Sessions::CreatedAt)), "opened_at")
        .from(Users::Table)
        .join(JoinType::LeftJoin, Sessions::Table, session)
        .and_where(Expr::col((Users::Table, Users::Id)).eq(id))
        .take();
    let found: Option<Found> = conn.maybe(&statement).await?;
    Ok(found.map(|Found { standing, session }| (standing, session)))
}
