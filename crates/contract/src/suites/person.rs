//! A caller of the server under test.

use crate::exchange::Answer;

/// A caller of the server under test, logged in or not.
#[derive(Clone, Default)]
pub struct Person {
    /// The answer with the credentials; `None` without a login.
    pub answer: Option<Answer>,
    /// The credentials.
    pub token: Option<String>,
}
