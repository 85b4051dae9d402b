//! What resources share of HTTP: who calls from where, payloads, failures as types, entity tags, cursors.

pub mod answer;
pub mod client;
pub mod etag;
pub mod fail;
pub mod json;
pub mod page;
pub mod parameters;
pub mod payload;
pub mod sent;

use std::net::IpAddr;

use crate::db::signals::Actor;

/// The origin of a request, as the audit records it. The request middleware puts it into the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The `X-Request-Id`, as in the response and the log.
    pub request_id: String,
    /// The address of the client.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// The actor of what the request does: this account, or nobody.
    pub fn actor(&self, user_id: Option<i64>) -> Actor<'_> {
        Actor { user_id, request_id: Some(&self.request_id), address: self.address }
    }
}
