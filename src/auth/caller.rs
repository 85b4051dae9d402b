//! The first parameter of every handler: a [`Caller`], or [`Public`].
//!
//! Both stand in the document as the operation's security. The guard of the server proves the caller before
//! anything else of the request is looked at; the extractors here only hand over what it found.

use std::sync::{Arc, Mutex};

use poem::{Request, RequestBody};
use poem_openapi::auth::Bearer;
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions, SecurityScheme};
use sea_query::{Expr, ExprTrait, JoinType, Query};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::auth::token::Claims;
use crate::db::tables::{Sessions, Users};
use crate::db::{Conn, Db, DbResult};
use crate::error::{Code, Error};

/// What an account may do everywhere: `admin` everything, `staff` and `active` what they own
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and changes everything.
    Admin,
    /// Works for the operator.
    Staff,
    /// Anyone who registered.
    Active,
}

impl Role {
    /// The word in the database and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Active => "active",
        }
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let roles = [Self::Admin, Self::Staff, Self::Active];
        roles.into_iter().find(|role| role.word() == word).ok_or_else(|| format!("`{word}` is no role"))
    }
}

/// Somebody whose access token holds, on the connection that proved it.
pub struct Caller {
    /// The user's id.
    pub id: i64,
    /// The present role, from the database.
    pub role: Role,
    /// The login that the token belongs to.
    pub session_id: i64,
    conn: Option<Conn>,
}

#[derive(FromRow)]
struct Standing {
    #[sqlx(try_from = "String")]
    role: Role,
    token_version: i64,
    /// The session if it is this user's and not revoked.
    session_id: Option<i64>,
}

impl Caller {
    /// Proves the claims of a verified token against the database: one statement.
    ///
    /// # Errors
    /// 401 `user_gone` or `token_revoked`, 503 when the database is away.
    pub async fn prove(db: &Db, claims: &Claims) -> Result<Self, Error> {
        let (id, session_id) = (claims.user_id()?, claims.session_id()?);
        let mut conn = db.read().await?;
        match standing(&mut conn, id, session_id).await? {
            None => Err(Error::new(Code::UserGone, "The account was deleted; its tokens are worth nothing.")),
            Some(found) if found.session_id.is_none() || found.token_version != claims.ver => {
                Err(Error::new(Code::TokenRevoked, "Log in again: the session has ended."))
            }
            Some(found) => Ok(Self { id, role: found.role, session_id, conn: Some(conn) }),
        }
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

    /// A transaction for writing, on the same connection where the database allows it.
    ///
    /// # Errors
    /// 503 when the database is away or locked for too long.
    pub async fn begin(&mut self, db: &Db) -> DbResult<Conn> {
        db.begin_on(self.conn.take()).await
    }
}

async fn standing(conn: &mut Conn, id: i64, session_id: i64) -> DbResult<Option<Standing>> {
    let session = Expr::col((Sessions::Table, Sessions::UserId))
        .equals((Users::Table, Users::Id))
        .and(Expr::col((Sessions::Table, Sessions::Id)).eq(session_id))
        .and(Expr::col((Sessions::Table, Sessions::RevokedAt)).is_null());
    let statement = Query::select()
        .columns([(Users::Table, Users::Role), (Users::Table, Users::TokenVersion)])
        .expr_as(Expr::col((Sessions::Table, Sessions::Id)), "session_id")
        .from(Users::Table)
        .join(JoinType::LeftJoin, Sessions::Table, session)
        .and_where(Expr::col((Users::Table, Users::Id)).eq(id))
        .take();
    conn.maybe(&statement).await
}

/// Carries the proven caller through the request's extensions, which must be `Clone`.
#[derive(Clone)]
pub struct Proven(Arc<Mutex<Option<Caller>>>);

impl Proven {
    /// Wraps what the guard found.
    pub fn new(caller: Caller) -> Self {
        Self(Arc::new(Mutex::new(Some(caller))))
    }
}

/// Access token in the `Authorization` header. Log in with your e-mail address as username.
#[derive(SecurityScheme)]
#[oai(
    rename = "oauth2",
    ty = "oauth2",
    flows(password(token_url = "/api/v1/login", refresh_url = "/api/v1/login")),
    checker = "never"
)]
struct Scheme(());

/// [`Scheme`] declares; it is never extracted, because [`Caller`] is.
async fn never(_: &Request, _: Bearer) -> Option<()> {
    None
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Scheme as ApiExtractor>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        <Scheme as ApiExtractor>::security_schemes()
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let proven = request.extensions().get::<Proven>();
        let caller = proven.and_then(|proven| proven.0.lock().ok()?.take());
        // an operation outside the guard must fail closed
        caller.ok_or_else(|| Error::internal("a protected operation ran without its guard").into())
    }
}

/// Says in a signature that anyone may call. In the document: `security: []`.
pub struct Public;

impl<'a> ApiExtractor<'a> for Public {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(_: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self)
    }
}
