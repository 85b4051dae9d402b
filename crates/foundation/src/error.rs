//! What can go wrong, and what the caller is told of it: the one list of codes, the one error type, the one body.

use std::borrow::Cow;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::Object;
use serde::Serialize;

use crate::db::DbError;
use crate::db::signals::Refused;
use crate::declared::{self, List, assert_declared, declared_enum};

/// A stable word that names an error; programs match on it. The code decides the status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code {
    name: &'static str,
    /// The status and the title, behind a reference: every `Result` has room for a code.
    meaning: &'static (u16, &'static str),
}

static CODES: List<Code> = List::new();

declared_enum! {
    /// Stable word that says what went wrong; programs match on it
    Code in CODES
}

assert_declared!(Code, "codes: CODES");

/// Declares error codes as constants: the status, the word on the wire, and the title, which is the same for every
/// occurrence. `codes! { pub NAME = 409 "name", "Title"; … }` also makes the list `CODES` for the declaration of the
/// resource, `RESOURCE` of the same module: a declaration without them does not compile.
#[macro_export]
macro_rules! codes {
    ($($code:ident = $status:literal $name:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $code: $crate::error::Code = $crate::error::Code::new($name, &($status, $title));)*

        /// The error codes of the resource.
        pub const CODES: &[$crate::error::Code] = &[$($code),*];

        const _: () = $crate::error::Code::assert_declared(CODES, RESOURCE.codes);
    };
}

macro_rules! own_codes {
    ($($code:ident = $status:literal $name:literal, $title:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $code: Self = Self::new($name, &($status, $title));)*

            const OWN: &[Self] = &[$(Self::$code),*];
        }
    };
}

own_codes! {
    INVALID = 400 "invalid", "The request breaks a rule of the document";
    MALFORMED_BODY = 400 "malformed_body", "The body cannot be read";
    EMPTY_PATCH = 400 "empty_patch", "The change names no field";
    UNKNOWN_FIELD = 400 "unknown_field", "The body has a field that the operation does not take";
    UNKNOWN_PARAMETER = 400 "unknown_parameter", "The query has a parameter that the operation does not take";
    INVALID_CURSOR = 400 "invalid_cursor", "The cursor does not belong to this list";
    WRONG_PASSWORD = 400 "wrong_password", "The old password is wrong";
    PASSWORD_COMMON = 400 "password_common", "The password is one of the most common";
    PASSWORD_PERSONAL = 400 "password_personal", "The password is the address or the name of the account";
    RESET_INVALID = 400 "reset_invalid", "The code for a new password is not valid";
    VERIFICATION_INVALID = 400 "verification_invalid", "The code for an address is not valid";
    UNAUTHENTICATED = 401 "unauthenticated", "The operation needs an access token";
    SCHEME_MISSING = 401 "scheme_missing", "The Authorization header has no Bearer scheme";
    TOKEN_MALFORMED = 401 "token_malformed", "The access token cannot be read";
    TOKEN_EXPIRED = 401 "token_expired", "The access token has expired";
    TOKEN_SIGNATURE = 401 "token_signature", "The access token was not signed by this server";
    TOKEN_REVOKED = 401 "token_revoked", "The access token was revoked";
    USER_GONE = 401 "user_gone", "The account of the access token no longer exists";
    IDENTITY_UNKNOWN = 401 "identity_unknown", "No account belongs to the identity";
    FRESH_LOGIN_REQUIRED = 401 "fresh_login_required", "The login is too old for this";
    INVALID_CREDENTIALS = 401 "invalid_credentials", "The e-mail or the password is wrong";
    REFRESH_TOKEN_INVALID = 401 "refresh_token_invalid", "The refresh token is not valid";
    REFRESH_TOKEN_USED = 401 "refresh_token_used", "The refresh token was used a moment ago";
    REFRESH_TOKEN_REUSED = 401 "refresh_token_reused", "The refresh token was used before";
    FORBIDDEN = 403 "forbidden", "The caller may not do this";
    ACCOUNT_DISABLED = 403 "account_disabled", "The account is disabled";
    EMAIL_UNVERIFIED = 403 "email_unverified", "The e-mail address is not verified";
    NOT_FOUND = 404 "not_found", "There is no such thing";
    ROUTE_NOT_FOUND = 404 "route_not_found", "There is no such path";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed", "The path does not take this method";
    REQUEST_TIMEOUT = 408 "request_timeout", "The request took too long to arrive";
    EMAIL_IN_USE = 409 "email_in_use", "The e-mail address is in use";
    LAST_ADMIN = 409 "last_admin", "There must be an active admin";
    NAME_IN_USE = 409 "name_in_use", "The name is in use";
    VETOED = 409 "vetoed", "A rule of this server does not allow the change";
    IDEMPOTENCY_KEY_IN_USE = 409 "idempotency_key_in_use", "The request with this key is still running";
    PRECONDITION_FAILED = 412 "precondition_failed", "The resource has changed since it was read";
    PAYLOAD_TOO_LARGE = 413 "payload_too_large", "The body is too large";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "The operation does not take this media type";
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency_key_reused", "The key belongs to another request";
    PRECONDITION_REQUIRED = 428 "precondition_required", "The operation needs an If-Match header";
    RATE_LIMITED = 429 "rate_limited", "Too many requests";
    INTERNAL = 500 "internal", "A fault of the server";
    DATABASE_UNAVAILABLE = 503 "database_unavailable", "The database does not answer";
    DATABASE_UNWRITABLE = 503 "database_unwritable", "The database stores no changes";
    ISSUER_UNAVAILABLE = 503 "issuer_unavailable", "The identity provider does not answer";
    OVERLOADED = 503 "overloaded", "The server has more work than it can do";
    TIMEOUT = 503 "timeout", "The server did not finish in time";
}

impl Code {
    /// An error code: the word on the wire, its status from 400 on, and its title.
    #[doc(hidden)]
    pub const fn new(name: &'static str, meaning: &'static (u16, &'static str)) -> Self {
        Self { name, meaning }
    }

    /// Completes the list of all codes: those of the foundation, then those of the resources, in the order of their
    /// statuses.
    pub(crate) fn complete(of_resources: impl Iterator<Item = Self>) {
        let mut codes: Vec<_> = Self::OWN.iter().copied().chain(of_resources).collect();
        codes.sort_by_key(|code| code.meaning.0);
        CODES.complete(codes);
    }

    /// All codes of the application, in the order of their statuses.
    pub fn all() -> &'static [Self] {
        CODES.get()
    }

    /// The HTTP status this code is sent with.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.meaning.0).expect("a status from 400 on")
    }

    /// One short sentence for this kind of problem, always the same.
    pub fn title(self) -> &'static str {
        self.meaning.1
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
    /// URI that names the kind of problem: `urn:{application-name}:problem:` and the code
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
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Code::NOT_FOUND, format!("{what} {id} not found."))
    }

    /// A fault of the server; the cause goes to the log, never to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "internal error");
        Self::new(Code::INTERNAL, "The fault is logged under the request id.")
    }

    /// The wire form; the edge fills in the request id.
    pub fn problem(self, request_id: &str) -> Problem {
        Problem {
            kind: format!("urn:{}:problem:{}", declared::name(), self.code.as_str()),
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
        let challenge = format!(r#"Bearer realm="{}""#, declared::name());
        match (self.code, self.max_age) {
            (
                Code::TOKEN_MALFORMED
                | Code::TOKEN_EXPIRED
                | Code::TOKEN_SIGNATURE
                | Code::TOKEN_REVOKED
                | Code::USER_GONE
                | Code::IDENTITY_UNKNOWN,
                _,
            ) => format!(r#"{challenge}, error="invalid_token""#),
            (_, Some(max_age)) => {
                format!(r#"{challenge}, error="insufficient_user_authentication", max_age="{max_age}""#)
            }
            _ => challenge,
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "database unavailable");
                Self::new(Code::DATABASE_UNAVAILABLE, "The database does not answer; try again soon.")
            }
            DbError::Overloaded(wait) => {
                let detail = "The database has more work than it can do; try again soon.";
                Self { retry_after: Some(wait.as_secs() + 1), ..Self::new(Code::OVERLOADED, detail) }
            }
            DbError::Unwritable(cause) => {
                tracing::error!(error = %cause, "the database cannot be written");
                let detail = "The database stores no changes for now, e.g. because its disk is full; try again later.";
                Self::new(Code::DATABASE_UNWRITABLE, detail)
            }
            DbError::Violation(violated, _) if violated.is_of_user() => {
                Self::new(Code::USER_GONE, "The account was deleted; its tokens are worth nothing.")
            }
            DbError::Unmigrated(cause) => {
                tracing::error!(error = %cause, "the database needs `{} migrate up`", declared::name());
                Self::new(Code::DATABASE_UNAVAILABLE, "The database is not ready yet; try again later.")
            }
            DbError::Violation(_, cause) | DbError::Other(cause) => Self::internal(cause),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Veto(sentence) => Self::new(Code::VETOED, sentence),
            Refused::Stale => {
                Self::new(Code::PRECONDITION_FAILED, "Read it again, and send its present ETag in If-Match.")
            }
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
        let words: std::collections::BTreeSet<_> = Code::all().iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::all().len());
        assert!(Code::all().iter().all(|code| code.status().as_u16() >= 400));
        assert_eq!(Code::EMAIL_IN_USE.as_str(), "email_in_use");
    }

    #[test]
    fn a_server_fault_tells_nothing_of_its_cause() {
        let problem = Error::internal("secret cause").problem("r1");
        assert!(!serde_json::to_string(&problem).expect("serialises").contains("secret cause"));
    }
}
