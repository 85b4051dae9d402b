//! What resources share of HTTP: payloads, failures as types, entity tags, cursors.

pub mod etag;
pub mod fail;
pub mod json;
pub mod page;
pub mod payload;
