//! A violation that a case has found.

use crate::exchange::{Answer, Request};

/// A violation, with the exchange that shows it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The check that found it: `C-NEG`.
    pub check: String,
    /// The violation in one sentence.
    pub sentence: String,
    /// The expected answer.
    pub expected: String,
    /// The answer; `None` if there was none.
    pub answer: Option<Box<Answer>>,
    /// The request without an answer.
    pub request: Option<Box<Request>>,
}

impl Failure {
    /// A violation of an answer.
    pub fn of(check: &str, sentence: impl Into<String>, expected: impl Into<String>, answer: &Answer) -> Self {
        let answer = Some(Box::new(answer.clone()));
        Self { check: check.into(), sentence: sentence.into(), expected: expected.into(), answer, request: None }
    }

    /// A violation without an answer: in a file, or because the server sent none.
    pub fn without(check: &str, sentence: impl Into<String>, expected: impl Into<String>) -> Self {
        let (sentence, expected) = (sentence.into(), expected.into());
        Self { check: check.into(), sentence, expected, answer: None, request: None }
    }
}
