#![doc = include_str!("../README.md")]

mod generated;
mod idempotent_posts;
mod retries;

pub use generated::*;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

impl Client {
    /// A client that sends `Authorization: Bearer <token>` with every request.
    ///
    /// # Errors
    /// The token is no header value, or the system offers no TLS.
    pub fn with_token(base_url: &str, token: &str) -> Result<Self, Error> {
        let invalid = |error: &dyn std::fmt::Display| Error::InvalidRequest(error.to_string());
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| invalid(&error))?;
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let client = reqwest::Client::builder().default_headers(headers).build().map_err(|error| invalid(&error))?;
        Ok(Self::new_with_client(base_url, client))
    }
}

/// A problem's code is compared with the codes this client knows; a newer server may send others.
impl PartialEq<types::Code> for types::ProblemCode {
    fn eq(&self, code: &types::Code) -> bool {
        matches!(self, Self::Known(known) if known == code)
    }
}
