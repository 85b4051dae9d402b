//! Failures as types: `Fail<(Forbidden, NotFound)>` documents exactly these statuses and lets no other pass.
//!
//! What follows from the shape of an operation (400, 401, 408, 413, 415) is added to the document where the
//! validation that answers them is described, in `server::normalise`.

use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use crate::error::{Error, Problem};

/// One status that an operation may fail with.
pub trait Status: Send + Sync + 'static {
    /// The number.
    const CODE: u16;
}

/// Statuses as a tuple of [`Status`].
pub trait Statuses: Send + Sync + 'static {
    /// The numbers.
    const CODES: &'static [u16];
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => { $(
        $(#[$doc])*
        pub struct $name;
        impl Status for $name {
            const CODE: u16 = $code;
        }
    )* };
}

statuses! {
    /// Known, but not allowed.
    Forbidden = 403;
    /// Absent, or not for the caller to know.
    NotFound = 404;
    /// Contradicts the present state.
    Conflict = 409;
    /// `If-Match` names another version.
    PreconditionFailed = 412;
    /// `If-Match` is missing.
    PreconditionRequired = 428;
    /// `Idempotency-Key` belongs to another request.
    Unprocessable = 422;
    /// Called too often; the server limits every operation that declares this.
    RateLimited = 429;
    /// Credentials in the body are wrong, on an operation that needs no token.
    Unauthorized = 401;
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => { $(
        impl<$($name: Status),*> Statuses for ($($name,)*) {
            const CODES: &'static [u16] = &[$($name::CODE),*];
        }
    )* };
}
tuples! { () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) }

/// The failing side of a handler.
pub struct Fail<S>(Error, PhantomData<S>);

/// The errors of a create that needs a permission.
pub type CreateFail = Fail<(Forbidden, Conflict, Unprocessable)>;

/// The errors of an update or delete that needs a permission and `If-Match`.
pub type ChangeFail = Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>;

impl<S, E: Into<Error>> From<E> for Fail<S> {
    fn from(error: E) -> Self {
        Self(error.into(), PhantomData)
    }
}

/// What a handler may answer without declaring it: a rule that no schema can say (400), an account that was deleted
/// since authorization (401).
const BY_SHAPE: &[u16] = &[400, 401];

impl<S: Statuses> From<Fail<S>> for poem::Error {
    fn from(Fail(error, _): Fail<S>) -> Self {
        let status = error.code.status().as_u16();
        if status >= 500 || S::CODES.contains(&status) || BY_SHAPE.contains(&status) {
            return error.into();
        }
        Error::internal(format!("the operation does not declare {status}: {error}")).into()
    }
}

impl<S: Statuses> ApiResponse for Fail<S> {
    fn meta() -> MetaResponses {
        let response = |code: &u16| MetaResponse {
            description: "",
            status: Some(*code),
            status_range: None,
            content: vec![MetaMediaType { content_type: "application/problem+json", schema: Problem::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: S::CODES.iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
