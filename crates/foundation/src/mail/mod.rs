//! Mail: letters in text and HTML, and the way they leave. `tasks::mail` sends them, so that no request waits.
//!
//! Must never be: a letter without its text; what a user has chosen as markup, or in a header.

pub mod letter;
pub mod transport;
