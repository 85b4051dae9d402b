//! What resources share of HTTP: who calls from where, payloads, failures as types, entity tags, cursors.

pub mod answer;
pub mod client;
pub mod etag;
pub mod fail;
pub mod json;
pub mod page;
pub mod payload;
pub mod sent;

/// Names a request: in its answer, in the log, and in the audit. The edge puts it into the request's extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);
