//! The options of a run.

use super::case::Leg;
use crate::document::Operation;

/// The options of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The URL of the server.
    pub address: String,
    /// The suites.
    pub legs: Vec<Leg>,
    /// The only operations; an empty list means all.
    pub operations: Vec<String>,
    /// The only cases; an empty list means all.
    pub only: Vec<String>,
    /// The seed of the random cases.
    pub seed: u64,
    /// The number of random cases.
    pub cases: usize,
    /// The prefix of the names that this run makes up, so that they are new to the server.
    pub tag: String,
    /// The command that runs this again, without the options that choose cases.
    pub command: String,
    /// Set if answers are recorded in the files that the environment names.
    pub noted: bool,
}

impl Options {
    /// Returns whether the cases of an operation are to be run.
    pub(super) fn wants(&self, operation: &Operation) -> bool {
        self.operations.is_empty() || self.operations.contains(&operation.id)
    }
}
