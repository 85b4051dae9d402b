//! What can go wrong, and what the caller is told of it: the one list of codes, the one error type, the one body.

use std::borrow::Cow;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::{Enum, Object};
use serde::Serialize;

use crate::db::signals::Refused;
use crate::db::{Constraint, DbError};

/// Declares [`Code`]: each line is one code, its status, and its title (the same for every occurrence).
macro_rules! codes {
    ($($code:ident = $status:literal, $title:literal;)*) => {
        /// Stable word that says what went wrong; programs match on it
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
        #[oai(rename_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $title] $code),*
        }

        impl Code {
            /// Every code there is, in the order of their statuses.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The HTTP status this code is sent with.
            pub fn status(self) -> StatusCode {
                let status = match self { $(Code::$code => $status),* };
                StatusCode::from_u16(status).expect("the table holds valid statuses")
            }

            /// One short sentence for this kind of problem, always the same.
            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title),* }
            }
        }
    };
}

codes! {
    Invalid = 400, "The request breaks a rule of the document";
    MalformedBody = 400, "The body cannot be read";
    EmptyPatch = 400, "The change names no field";
    UnknownField = 400, "The body has a field that the operation does not take";
    UnknownParameter = 400, "The query has a parameter that the operation does not take";
    InvalidCursor = 400, "The cursor does not belong to this list";
    WrongPassword = 400, "The old password is wrong";
    PasswordCommon = 400, "The password is one of the most common";
    PasswordPersonal = 400, "The password is the address or the name of the account";
    ResetInvalid = 400, "The code for a new password is not valid";
    InvitationInvalid = 400, "The code of the invitation is not valid";
    VerificationInvalid = 400, "The code for an address is not valid";
    Unauthenticated = 401, "The operation needs an access token";
    SchemeMissing = 401, "The Authorization header has no Bearer scheme";
    TokenMalformed = 401, "The access token cannot be read";
    TokenExpired = 401, "The access token has expired";
    TokenSignature = 401, "The access token was not signed by this server";
    TokenRevoked = 401, "The access token was revoked";
    UserGone = 401, "The account of the access token no longer exists";
    IdentityUnknown = 401, "No account belongs to the identity";
    FreshLoginRequired = 401, "The login is too old for this";
    InvalidCredentials = 401, "The e-mail or the password is wrong";
    RefreshTokenInvalid = 401, "The refresh token is not valid";
    RefreshTokenUsed = 401, "The refresh token was used a moment ago";
    RefreshTokenReused = 401, "The refresh token was used before";
    Forbidden = 403, "The caller may not do this";
    AccountDisabled = 403, "The account is disabled";
    EmailUnverified = 403, "The e-mail address is not verified";
    NotFound = 404, "There is no such thing";
    NotVoted = 404, "There is no vote to remove";
    RouteNotFound = 404, "There is no such path";
    MethodNotAllowed = 405, "The path does not take this method";
    RequestTimeout = 408, "The request took too long to arrive";
    EmailInUse = 409, "The e-mail address is in use";
    AlreadyVoted = 409, "The caller has voted already";
    LastAdmin = 409, "There must be an active admin";
    NameInUse = 409, "The name is in use";
    AlreadyInvited = 409, "The address is invited already";
    AlreadyGranted = 409, "The permission is granted already";
    Vetoed = 409, "A rule of this server does not allow the change";
    TooManyWebhooks = 409, "There are as many webhooks as there may be";
    IdempotencyKeyInUse = 409, "The request with this key is still running";
    WebhookDisabled = 409, "The webhook is disabled";
    PreconditionFailed = 412, "The resource has changed since it was read";
    PayloadTooLarge = 413, "The body is too large";
    UnsupportedMediaType = 415, "The operation does not take this media type";
    IdempotencyKeyReused = 422, "The key belongs to another request";
    PreconditionRequired = 428, "The operation needs an If-Match header";
    RateLimited = 429, "Too many requests";
    Internal = 500, "A fault of the server";
    DatabaseUnavailable = 503, "The database does not answer";
    DatabaseUnwritable = 503, "The database stores no changes";
    IssuerUnavailable = 503, "The identity provider does not answer";
    Overloaded = 503, "The server has more work than it can do";
    Timeout = 503, "The server did not finish in time";
}

impl Code {
    /// The word on the wire, e.g. `email_in_use`.
    pub fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => word,
            _ => unreachable!("a unit variant is a string"),
        }
    }
}

/// One part of the request that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct FieldError {
    /// Where it is: `body`, `query.NAME`, `path.NAME` or `header.NAME`
    pub location: String,
    /// JSON pointer (RFC 6901) to the part of the body; only with location `body`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong with it; never repeats the value
    pub detail: String,
}

impl FieldError {
    /// A fault in the body at a JSON pointer.
    pub fn body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: "body".into(), pointer: Some(pointer.into()), detail: detail.into() }
    }

    /// A fault in the parameter at a location such as `query.limit`.
    pub fn parameter(location: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: location.into(), pointer: None, detail: detail.into() }
    }
}

/// The body of every error, after RFC 9457.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Problem {
    /// URI that names the kind of problem: `urn:accord:problem:` and the code
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    /// Short sentence for this kind of problem
    pub title: String,
    /// The HTTP status of this answer
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    pub status: i32,
    /// What happened this time, for a person
    pub detail: String,
    /// Stable word for programs
    pub code: Code,
    /// The `X-Request-Id` of this answer; quote it when you report a fault
    pub request_id: String,
    /// Which parts of the request are at fault
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// Error word of RFC 6749 section 5.2; only from `/login`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Every failure of a rule, a store or an extractor. The code decides the status.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code:?}: {detail}")]
pub struct Error {
    /// Decides status and title.
    pub code: Code,
    /// What happened this time, for the caller.
    pub detail: Cow<'static, str>,
    /// The parts of the request at fault.
    pub fields: Vec<FieldError>,
    /// Seconds after which a retry makes sense; sent as `Retry-After`.
    pub retry_after: Option<u64>,
    /// Word of RFC 6749 section 5.2, for `/login`.
    pub oauth: Option<&'static str>,
    /// Seconds that a login may be old, for a challenge after RFC 9470.
    pub max_age: Option<u32>,
}

impl Error {
    /// A failure with its sentence for the caller.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { code, detail: detail.into(), fields: vec![], retry_after, oauth: None, max_age: None }
    }

    /// Parts of the request are at fault; the detail counts them.
    pub fn fields(code: Code, fields: Vec<FieldError>) -> Self {
        let detail = match fields.len() {
            1 => "1 part of the request is at fault, see errors.".into(),
            n => format!("{n} parts of the request are at fault, see errors."),
        };
        Self { fields, ..Self::new(code, detail) }
    }

    /// Nothing the caller may see has this id.
    pub fn not_found(what: &str, id: i64) -> Self {
        Self::new(Code::NotFound, format!("{what} {id} not found."))
    }

    /// A fault of the server; the cause goes to the log, never to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "internal error");
        Self::new(Code::Internal, "The fault is logged under the request id.")
    }

    /// The wire form; the edge fills in the request id.
    pub fn problem(self, request_id: &str) -> Problem {
        Problem {
            kind: format!("urn:accord:problem:{}", self.code.word()),
            title: self.code.title().into(),
            status: self.code.status().as_u16().into(),
            detail: self.detail.into_owned(),
            code: self.code,
            request_id: request_id.into(),
            errors: (!self.fields.is_empty()).then_some(self.fields),
            error: self.oauth.map(Into::into),
        }
    }

    /// The whole answer: problem+json with the headers its status calls for.
    pub fn response(self, request_id: &str) -> Response {
        let (status, retry_after, challenge) = (self.code.status(), self.retry_after, self.challenge());
        let body = serde_json::to_vec(&self.problem(request_id)).expect("a problem is plain data");
        let mut response = Response::builder()
            .status(status)
            .content_type("application/problem+json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(body);
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_str(&challenge).expect("words of ours and a number");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            // the rest of the body is not read, so the connection cannot be used again
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    /// The challenge of a 401 (RFC 6750 section 3): `error` only when a token was sent; of a login that is too old, how old
    /// it may be (RFC 9470 section 3).
    fn challenge(&self) -> String {
        let challenge = r#"Bearer realm="accord""#;
        match (self.code, self.max_age) {
            (
                Code::TokenMalformed
                | Code::TokenExpired
                | Code::TokenSignature
                | Code::TokenRevoked
                | Code::UserGone
                | Code::IdentityUnknown,
                _,
            ) => format!(r#"{challenge}, error="invalid_token""#),
            (_, Some(max_age)) => {
                format!(r#"{challenge}, error="insufficient_user_authentication", max_age="{max_age}""#)
            }
            _ => challenge.into(),
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "database unavailable");
                Self::new(Code::DatabaseUnavailable, "The database does not answer; try again soon.")
            }
            DbError::Overloaded(wait) => {
                let detail = "The database has more work than it can do; try again soon.";
                Self { retry_after: Some(wait.as_secs() + 1), ..Self::new(Code::Overloaded, detail) }
            }
            DbError::Unwritable(cause) => {
                tracing::error!(error = %cause, "the database cannot be written");
                let detail = "The database stores no changes for now, e.g. because its disk is full; try again later.";
                Self::new(Code::DatabaseUnwritable, detail)
            }
            DbError::Violation(Constraint::User, _) => {
                Self::new(Code::UserGone, "The account was deleted; its tokens are worth nothing.")
            }
            DbError::Unmigrated(cause) => {
                tracing::error!(error = %cause, "the database needs `accord migrate up`");
                Self::new(Code::DatabaseUnavailable, "The database is not ready yet; try again later.")
            }
            DbError::Violation(_, cause) | DbError::Other(cause) => Self::internal(cause),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Veto(sentence) => Self::new(Code::Vetoed, sentence),
            Refused::Db(error) => error.into(),
        }
    }
}

/// Lets an [`Error`] travel through poem to the edge, where it becomes a response.
impl poem::error::ResponseError for Error {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        self.clone().response("").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_word_and_an_error_status() {
        let words: std::collections::BTreeSet<_> = Code::ALL.iter().map(|c| c.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|c| c.status().as_u16() >= 400));
        assert_eq!(Code::EmailInUse.word(), "email_in_use");
    }

    #[test]
    fn a_server_fault_tells_nothing_of_its_cause() {
        let problem = Error::internal("secret cause").problem("r1");
        assert!(!serde_json::to_string(&problem).expect("serialises").contains("secret cause"));
    }
}
