//! The method as the client sent it: the router turns HEAD into GET before a handler sees it.

use poem::http::Method;

/// In the extensions of every request.
#[derive(Clone)]
pub struct Sent(pub Method);

impl Sent {
    /// Whether the content of the answer reaches the client.
    pub fn wants_content(&self) -> bool {
        self.0 != Method::HEAD
    }
}
