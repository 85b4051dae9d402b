//! E-mails in text and HTML, and their transport. A job of `tasks::mail` sends them, so that no request waits.
//!
//! Must never be: an e-mail without a plain text; a value that a user has chosen as markup, or in a header.

pub mod message;
pub mod transport;
