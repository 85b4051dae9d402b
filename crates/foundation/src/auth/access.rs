//! Who may call, as the first parameter of a handler: [`Public`], [`LoggedIn`], [`Enabled`], [`Caller`], [`Admin`] or
//! [`Needs`].
//!
//! Each states its rule in the document. The server proves the caller and applies the rule before it
//! looks at anything else of the request; the extractors here only hand over the caller.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use poem::{Request, RequestBody};
use poem_openapi::auth::Bearer;
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, SecurityScheme};

use crate::auth::permission::{self, Entry, Permission};
use crate::auth::{Caller, Role, Status};
use crate::config::Config;
use crate::db::Db;
use crate::db::signals::Actor;
use crate::error::{Code, Error};

/// The rule of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Whoever has an access token, also if the account is disabled.
    LoggedIn,
    /// Whoever has an access token and an active account, also if its address must be verified first.
    Enabled,
    /// Whoever has an access token and an active account, with a verified address where the settings require one.
    Active,
    /// Admins.
    Admin,
    /// Admins and who holds this permission, in general or on the object; the handler may know more reasons.
    Needs(&'static Entry),
}

impl Access {
    /// The rule that a security requirement of a handler states: none if it names none of these words.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "logged_in" => Some(Self::LoggedIn),
            "enabled" => Some(Self::Enabled),
            "active" => Some(Self::Active),
            "admin" => Some(Self::Admin),
            name => permission::find(name).map(Self::Needs),
        }
    }

    /// The word for it; that of a permission is its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::LoggedIn => "logged_in",
            Self::Enabled => "enabled",
            Self::Active => "active",
            Self::Admin => "admin",
            Self::Needs(entry) => entry.name,
        }
    }

    /// What the document asks for beside a token.
    pub fn scope(self) -> Option<&'static str> {
        matches!(self, Self::Admin | Self::Needs(_)).then(|| self.as_str())
    }

    /// What can be told of a caller alone, before the request is judged.
    ///
    /// # Errors
    /// 403 `account_disabled`, `email_unverified` or `forbidden`.
    pub fn admits(self, caller: &Caller, config: &Config) -> Result<(), Error> {
        if caller.status == Status::Disabled && self != Self::LoggedIn {
            return Err(disabled());
        }
        let is_for_all = matches!(self, Self::LoggedIn | Self::Enabled);
        if config.mail.require_verified && !caller.is_verified && !is_for_all {
            return Err(unverified());
        }
        if self == Self::Admin && caller.role != Role::Admin {
            return Err(Error::new(Code::FORBIDDEN, "Only admins may do this."));
        }
        Ok(())
    }
}

/// The account is disabled.
pub fn disabled() -> Error {
    Error::new(Code::ACCOUNT_DISABLED, "An admin has disabled the account.")
}

/// The address must be verified first.
pub fn unverified() -> Error {
    let detail = "Verify the address with the code of the letter; POST /api/v1/verify-email/resend sends another.";
    Error::new(Code::EMAIL_UNVERIFIED, detail)
}

/// Every scope of the document, and what it stands for.
pub fn scopes() -> Vec<(&'static str, &'static str)> {
    let role = ("admin", "Everything: the role `admin`, which is not granted but set by another admin");
    std::iter::once(role).chain(permission::registry().iter().map(|entry| (entry.name, entry.description))).collect()
}

/// Says in a signature that anyone may call. In the document: `security: []`.
pub struct Public;

/// Whoever has an access token, also if their account is disabled: for what must stay possible then.
pub struct LoggedIn(Caller);

/// Somebody with an active account, also if its address must be verified first: for what puts that right.
pub struct Enabled(Caller);

/// An admin. In the document: the scope `admin`.
pub struct Admin(Caller);

/// Somebody who may need a permission. In the document: its name as a scope.
///
/// Who calls is told only by a question whether they hold it, so no handler forgets to ask.
pub struct Needs<P>(Caller, PhantomData<P>);

impl<P: Permission> Needs<P> {
    /// The caller, and whether they hold the permission: for rules that know more reasons, such as an owner.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn ask(self, db: &Db, object_id: Option<i64>) -> Result<(Caller, Held), Error> {
        let Self(mut caller, _) = self;
        if caller.role == Role::Admin {
            return Ok((caller, Held(true)));
        }
        let mut conn = caller.read(db).await?;
        let held = permission::holds(&mut conn, caller.id, P::ENTRY.name, object_id).await?;
        caller.give_back(conn);
        Ok((caller, Held(held)))
    }

    /// The caller, if they hold the permission on all objects.
    ///
    /// # Errors
    /// 403 `forbidden` if they do not, 503 when the database is away.
    pub async fn require(self, db: &Db) -> Result<Caller, Error> {
        match self.ask(db, None).await? {
            (caller, Held(true)) => Ok(caller),
            _ => {
                let detail = format!("Only admins and users with the permission {} may do this.", P::ENTRY.name);
                Err(Error::new(Code::FORBIDDEN, detail))
            }
        }
    }
}

/// Whether the permission is held; true for admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Held(pub bool);

impl Held {
    /// Allows what the permission allows also to the owner.
    ///
    /// # Errors
    /// 403 `forbidden` if the permission is not held and the caller is not the owner.
    pub fn or(self, is_owner: bool) -> Result<(), Error> {
        if self.0 || is_owner {
            return Ok(());
        }
        Err(Error::new(Code::FORBIDDEN, "Only the owner, admins and users with the permission may do this."))
    }
}

macro_rules! is_a_caller {
    ($($type:ident),*) => { $(
        impl Deref for $type {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }

        impl DerefMut for $type {
            fn deref_mut(&mut self) -> &mut Caller {
                &mut self.0
            }
        }
    )* };
}
is_a_caller!(LoggedIn, Enabled, Admin);

impl<'a> From<&'a Enabled> for Actor<'a> {
    fn from(caller: &'a Enabled) -> Self {
        Self::from(&**caller)
    }
}

impl<'a> From<&'a Admin> for Actor<'a> {
    fn from(admin: &'a Admin) -> Self {
        Self::from(&**admin)
    }
}

/// Carries the proven caller through the request's extensions, which must be `Clone`.
#[derive(Clone)]
pub struct Proven(Arc<Mutex<Option<Caller>>>);

impl Proven {
    /// Wraps the caller.
    pub fn new(caller: Caller) -> Self {
        Self(Arc::new(Mutex::new(Some(caller))))
    }

    fn take(request: &Request) -> poem::Result<Caller> {
        let proven = request.extensions().get::<Self>();
        let caller = proven.and_then(|proven| proven.0.lock().ok()?.take());
        // an operation without authorization must fail closed
        caller.ok_or_else(|| Error::internal("a protected operation ran without authorization").into())
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

/// [`Scheme`] declares; it is never extracted, because a caller is.
async fn never(_: &Request, _: Bearer) -> Option<()> {
    None
}

/// An extractor whose security requirement is the word of its rule; the normaliser makes scheme and scope of it.
macro_rules! states {
    ([$($parameter:ident)?] $type:ty, $access:expr, |$caller:ident| $value:expr) => {
        impl<'a $(, $parameter: Permission)?> ApiExtractor<'a> for $type {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                <Scheme as ApiExtractor>::register(registry);
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![$access.as_str()]
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                let $caller = Proven::take(request)?;
                Ok($value)
            }
        }
    };
}
states!([] LoggedIn, Access::LoggedIn, |caller| LoggedIn(caller));
states!([] Enabled, Access::Enabled, |caller| Enabled(caller));
states!([] Caller, Access::Active, |caller| caller);
states!([] Admin, Access::Admin, |caller| Admin(caller));
states!([P] Needs<P>, Access::Needs(P::ENTRY), |caller| Needs(caller, PhantomData));

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
