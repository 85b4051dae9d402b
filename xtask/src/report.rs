//! What a task answers: how much it counted, or why it failed.

use std::fmt;

/// What a task checked. `note` is one line for people.
#[derive(Debug, Default)]
pub struct Report {
    pub passed: usize,
    pub failed: usize,
    pub note: String,
    /// The exit code of a task that answers a question with it, as `spec diff` does.
    pub exit: u8,
}

/// How every task ends.
pub type Outcome = anyhow::Result<Report>;

impl Report {
    /// Everything that was looked at is right.
    pub fn passed(passed: usize, note: impl Into<String>) -> Self {
        Self { passed, failed: 0, note: note.into(), exit: 0 }
    }
}

/// A check that found something: its text names each place and the command that repairs it.
#[derive(Debug)]
pub struct Failed {
    pub passed: usize,
    pub failed: usize,
    text: String,
}

impl Failed {
    pub fn new(passed: usize, failed: usize, text: impl Into<String>) -> Self {
        Self { passed, failed: failed.max(1), text: text.into() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}

/// A command line that makes no sense; exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
