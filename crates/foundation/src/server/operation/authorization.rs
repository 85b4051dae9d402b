//! Authentication and authorization of a request: its token, the account that the token proves, and the access rule.

use poem::Request;
use poem::http::header;
use poem_openapi::registry::MetaOperation;

use crate::app::App;
use crate::auth::oidc::{Identity, Oidc};
use crate::auth::token::{self, Claims};
use crate::auth::{Access, Caller};
use crate::error::{Code, Error};
use crate::http::Origin;
use crate::resources::users::identities;

/// The access rule that an operation states. Returns `None` if it states none.
pub fn rule(operation: &MetaOperation) -> Option<Access> {
    match operation.security.as_slice() {
        [one] if one.is_empty() => Some(Access::Public),
        [one] if one.len() == 1 => one.keys().next().and_then(|word| Access::of(word)),
        _ => None,
    }
}

/// The content of a token whose signature and times are valid.
pub enum Proof {
    /// A token of this server.
    Session(Claims),
    /// A token of the identity provider.
    Identity(Identity),
}

impl Proof {
    /// Verifies the token of a request, without the database.
    ///
    /// # Errors
    /// 401 with the code of the part that is not valid.
    pub async fn of(app: &App, request: &Request) -> Result<Self, Error> {
        let authorization = authorization(request)?.map(str::to_owned);
        if let Some(oidc) = &app.oidc
            && let token = token::bearer(authorization.as_deref())?
            && Oidc::may_have_signed(token)
        {
            return Ok(Self::Identity(oidc.verify(token, app.now()).await?));
        }
        Ok(Self::Session(app.tokens.verify(authorization.as_deref(), app.now())?))
    }

    /// Reads the account, on the connection that the handler will use.
    ///
    /// # Errors
    /// 401 if the account or its session no longer exists, 503 when the database is away.
    pub async fn caller(self, app: &App, request: &Request) -> Result<Caller, Error> {
        let origin: Origin = request.data().cloned().unwrap_or_default();
        match self {
            Self::Session(claims) => Caller::prove(&app.db, &claims, origin).await,
            Self::Identity(identity) => identities::caller(app, &identity, &origin).await,
        }
    }
}

/// The one `Authorization` header; two would leave open which one counts.
fn authorization(request: &Request) -> Result<Option<&str>, Error> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::new(Code::TOKEN_MALFORMED, "Send one Authorization header."));
    }
    Ok(first.map(|value| value.to_str().unwrap_or("Bearer")))
}
