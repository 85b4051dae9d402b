//! Limits for the account that the body of a public request names. An operation has them by the type of its body,
//! [`PerAccount`].
//!
//! Must never be: an answer that tells whether the named account exists.

use std::sync::{Arc, Mutex, PoisonError};

use poem::{Request, RequestBody, Response};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};

use super::{is_known_from, of_refresh_token};
use crate::app::App;
use crate::app::limit::{Ledger, Limit, Who};
use crate::auth::Email;
use crate::error::{Code, Error};
use crate::http::client::ClientAddress;
use crate::http::payload::Body;

/// The account that a request is about, as its body names it.
pub enum NamedAccount {
    /// The address of an account, with its password. Only wrong passwords count, over all operations that take some.
    Login(Email),
    /// The address of an account.
    Email(Email),
    /// A refresh token of an account.
    RefreshToken(String),
}

/// The content of a body that names an account.
pub trait NamesAccount {
    /// The account. Returns `None` if this body names none.
    fn account(&self) -> Option<NamedAccount>;
}

/// The body of a public operation whose calls are limited by the account that the body names. The operation must declare
/// 429.
pub struct PerAccount<B: Body>(pub B::Content);

impl<B: Body> Payload for PerAccount<B> {
    const CONTENT_TYPE: &'static str = B::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        B::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        B::schema_ref()
    }

    fn register(registry: &mut Registry) {
        <B as Payload>::register(registry);
    }
}

impl<B: Body> ParsePayload for PerAccount<B>
where
    B::Content: NamesAccount,
{
    const IS_REQUIRED: bool = B::IS_REQUIRED;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let content = B::from_request(request, body).await?.content();
        if let Some(account) = content.account() {
            let (Some(app), Some(limits)) = (request.data::<App>(), request.data::<AccountLimits>()) else {
                return Err(Error::internal("an operation that limits accounts declares no 429").into());
            };
            limits.count(app, request.data::<ClientAddress>().copied(), account).await?;
        }
        Ok(Self(content))
    }
}

poem_openapi::impl_apirequest_for_payload!(PerAccount<B>, B: Body<Content: NamesAccount>);

/// The limits of an operation for the account that the body of a request names, and the login that the request has
/// counted. Request validation puts it into the extensions of the request.
#[derive(Clone)]
pub struct AccountLimits {
    calls: Option<Arc<Limit>>,
    logins: Option<Arc<Limit>>,
    ledger: Ledger,
    login: Arc<Mutex<Option<Login>>>,
}

/// A counted login.
struct Login {
    who: Who,
    /// The account as strangers name it, and whether the login was counted for it.
    everybody: Option<(Who, bool)>,
}

impl AccountLimits {
    /// The limits of calls and of logins; `ledger` gets what is left of them.
    pub fn new(calls: Option<Arc<Limit>>, logins: Option<Arc<Limit>>, ledger: Ledger) -> Self {
        Self { calls, logins, ledger, login: Arc::default() }
    }

    /// Counts a call for an account. A login counts until its password is known to be right, so that a client gains nothing
    /// by sending many at once.
    async fn count(&self, app: &App, client: Option<ClientAddress>, account: NamedAccount) -> Result<(), Error> {
        let is_login = matches!(account, NamedAccount::Login(_));
        let Some(limit) = (if is_login { &self.logins } else { &self.calls }) else { return Ok(()) };
        let who = who(account, app, client).await?;
        // The headers show what is left for strangers also to who has a count of their own: the difference would reveal that
        // somebody has logged in to the account from their network.
        let (everybody, silent) = (who.without_network(), Ledger::default());
        let everybody = everybody.map(|everybody| {
            let is_counted = limit.take(&everybody, &self.ledger).is_ok();
            (everybody, is_counted)
        });
        limit.take(&who, if everybody.is_some() { &silent } else { &self.ledger })?;
        if is_login {
            *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Some(Login { who, everybody });
        }
        Ok(())
    }

    /// Refunds the login of a request unless its password was wrong.
    pub fn settle(&self, answer: &poem::Result<Response>) {
        let login = self.login.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(Login { who, everybody }), Some(limit)) = (login, &self.logins) else { return };
        if is_wrong_password(answer) {
            return;
        }
        match everybody {
            Some((everybody, is_counted)) => {
                limit.give_back(&who, &Ledger::default());
                if is_counted {
                    limit.give_back(&everybody, &self.ledger);
                }
            }
            None => limit.give_back(&who, &self.ledger),
        }
    }
}

/// The key under which a limit counts for an account.
async fn who(account: NamedAccount, app: &App, client: Option<ClientAddress>) -> Result<Who, Error> {
    Ok(match account {
        NamedAccount::Login(email) | NamedAccount::Email(email) => {
            let name = email.as_str().to_owned();
            match client {
                // strangers who use up what all strangers have do not lock the owner out
                Some(client) if is_known_from(&app.db, &email, client).await? => Who::EmailAt(name, client.network()),
                _ => Who::Email(name),
            }
        }
        NamedAccount::RefreshToken(token) => match of_refresh_token(&app.db, &token).await? {
            Some(session_id) => Who::Session(session_id),
            None => Who::Token(token),
        },
    })
}

fn is_wrong_password(answer: &poem::Result<Response>) -> bool {
    let error = answer.as_ref().err().and_then(|error| error.downcast_ref::<Error>());
    error.is_some_and(|error| error.code == Code::INVALID_CREDENTIALS)
}
