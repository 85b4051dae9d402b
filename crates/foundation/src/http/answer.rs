//! Answers that resources with an ETag have in common.

use poem_openapi::ApiResponse;
use poem_openapi::types::Type;
use serde::Serialize;

use crate::http::etag::is_current;
use crate::http::payload::JsonOut;

/// The value of `Cache-Control` of what no cache may store (RFC 9111 section 5.2.2.5).
pub const NO_STORE: &str = "no-store";

/// One page of a list.
#[derive(ApiResponse)]
pub enum Listed<T: Type + Serialize + Send> {
    /// One page
    #[oai(status = 200)]
    Page(JsonOut<T>),
}

/// A resource that no cache may store: the caller's own account or sessions. Shared caches do not store other responses to
/// requests with a token either (RFC 9111 section 3.5), but browsers do.
#[derive(ApiResponse)]
pub enum Private<T: Type + Serialize + Send> {
    /// As it is now
    #[oai(status = 200)]
    Found(
        JsonOut<T>,
        /// Personal data is not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

impl<T: Type + Serialize + Send> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self::Found(JsonOut(value), NO_STORE.into())
    }
}

/// Something was created, and the answer shows its secret.
#[derive(ApiResponse)]
pub enum CreatedSecret<T: Type + Serialize + Send> {
    /// Created
    #[oai(status = 201)]
    Created(
        JsonOut<T>,
        /// Where it is
        #[oai(header = "Location")]
        String,
        /// Names this version; send it in `If-Match` to change or delete it
        #[oai(header = "ETag")]
        String,
        /// Secrets are not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// It was changed, and the answer may show a new secret.
#[derive(ApiResponse)]
pub enum ChangedSecret<T: Type + Serialize + Send> {
    /// As it is now
    #[oai(status = 200)]
    Changed(
        JsonOut<T>,
        /// Names the new version
        #[oai(header = "ETag")]
        String,
        /// Secrets are not for caches: `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// Something was created.
#[derive(ApiResponse)]
pub enum Created<T: Type + Serialize + Send> {
    /// Created
    #[oai(status = 201)]
    Created(
        JsonOut<T>,
        /// Where it is
        #[oai(header = "Location")]
        String,
        /// Names this version; send it in `If-Match` to change or delete it
        #[oai(header = "ETag")]
        String,
    ),
}

/// It will be done; this is what is there of it.
#[derive(ApiResponse)]
pub enum Accepted<T: Type + Serialize + Send> {
    /// It will be done
    #[oai(status = 202)]
    Accepted(JsonOut<T>),
}

/// What is there now.
#[derive(ApiResponse)]
pub enum Found<T: Type + Serialize + Send> {
    /// As it is now
    #[oai(status = 200)]
    Found(
        JsonOut<T>,
        /// Names this version; send it in `If-Match` to change or delete it
        #[oai(header = "ETag")]
        String,
    ),
    /// The copy named in `If-None-Match` is current
    #[oai(status = 304)]
    NotModified(
        /// Names this version
        #[oai(header = "ETag")]
        String,
    ),
}

/// It was changed.
#[derive(ApiResponse)]
pub enum Changed<T: Type + Serialize + Send> {
    /// As it is now
    #[oai(status = 200)]
    Changed(
        JsonOut<T>,
        /// Names the new version
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: Type + Serialize + Send> Found<T> {
    /// The whole answer, unless the caller has it already.
    pub fn unless_current((value, tag): (T, String), if_none_match: Option<&str>) -> Self {
        if is_current(if_none_match, &tag) { Self::NotModified(tag) } else { Self::Found(JsonOut(value), tag) }
    }
}

/// What is there now, without a tag: nobody changes it by this path.
#[derive(ApiResponse)]
pub enum Read<T: Type + Serialize + Send> {
    /// As it is now
    #[oai(status = 200)]
    Found(JsonOut<T>),
}

/// An answer without content.
#[derive(ApiResponse)]
pub enum NoContent {
    /// Done; there is nothing to say
    #[oai(status = 204)]
    Done,
}
