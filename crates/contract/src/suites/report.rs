//! The results of the cases: counts by operation, and each failure with the request that shows it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::case::Leg;
use super::failure::Failure;
use super::options::Options;
use crate::exchange::Request;

/// The results of all suites.
#[derive(Default)]
pub struct Report {
    /// The results of each suite.
    pub legs: Vec<LegReport>,
}

/// The results of one suite.
pub struct LegReport {
    pub leg: Leg,
    /// The number of cases by operation and check.
    pub counts: Vec<(String, BTreeMap<&'static str, usize>)>,
    /// Cases that the setup skips.
    pub skipped: usize,
    pub requests: usize,
    pub seconds: f64,
    pub failures: Vec<Told>,
    /// The entries of the access matrix.
    pub cells: Vec<Cell>,
    /// Further lines for the summary.
    pub notes: Vec<String>,
}

/// An entry of the access matrix: the answer to one identity.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The operation.
    pub operation: String,
    /// The private fixture of the call; `None` for the usual one.
    pub object: Option<String>,
    /// The identity that called.
    pub identity: String,
    /// The status; `None` if the identity does not apply to the operation.
    pub status: Option<u16>,
}

/// A failure, with what led to it.
pub struct Told {
    /// The case: what `--only` takes.
    pub id: String,
    pub operation: String,
    /// The JSON pointer to the constraint in the document.
    pub at: String,
    pub failure: Failure,
    /// The requests before the one that failed.
    pub before: Vec<Request>,
    /// The arguments that run only this.
    pub again: String,
}

impl Report {
    /// The number of failures in all suites.
    pub fn failures(&self) -> usize {
        self.legs.iter().map(|leg| leg.failures.len()).sum()
    }

    /// The report as JSON, for other programs.
    pub fn json(&self, address: &str) -> Value {
        let failure = |told: &Told| {
            json!({
                "id": told.id,
                "check": told.failure.check,
                "operation": told.operation,
                "at": told.at,
                "sentence": told.failure.sentence,
                "expected": told.failure.expected,
                "status": told.failure.answer.as_ref().map(|answer| answer.status),
                "requests": told.requests().iter().map(|request| request.curl(address)).collect::<Vec<_>>(),
                "again": told.again,
            })
        };
        let leg = |leg: &LegReport| {
            let counts: BTreeMap<_, _> = leg.counts.iter().cloned().collect();
            json!({
                "leg": leg.leg.word(),
                "counts": counts,
                "requests": leg.requests,
                "seconds": leg.seconds,
                "skipped": leg.skipped,
                "failures": leg.failures.iter().map(failure).collect::<Vec<_>>(),
            })
        };
        json!({ "legs": self.legs.iter().map(leg).collect::<Vec<_>>() })
    }
}

impl LegReport {
    /// Creates an empty report.
    pub fn new(leg: Leg) -> Self {
        Self {
            leg,
            counts: vec![],
            skipped: 0,
            requests: 0,
            seconds: 0.0,
            failures: vec![],
            cells: vec![],
            notes: vec![],
        }
    }

    /// Counts one case more.
    pub fn count(&mut self, operation: &str, check: &'static str) {
        let row = match self.counts.iter().position(|(name, _)| name == operation) {
            Some(row) => row,
            None => {
                self.counts.push((operation.into(), BTreeMap::new()));
                self.counts.len() - 1
            }
        };
        *self.counts[row].1.entry(check).or_default() += 1;
    }

    /// Operations by checks, as text.
    pub fn table(&self) -> String {
        let mut checks: Vec<&str> = self.counts.iter().flat_map(|(_, counts)| counts.keys().copied()).collect();
        checks.sort_unstable();
        checks.dedup();
        let width = self.counts.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max(9);
        let cell = |number: usize, check: &str| format!(" {:>1$}", blank(number), check.len().max(4));
        let mut text = format!("{:width$}", self.leg.word());
        checks.iter().for_each(|check| text.push_str(&format!(" {check:>0$}", check.len().max(4))));
        text.push_str("   all");
        for (operation, counts) in &self.counts {
            let _ = write!(text, "\n{operation:width$}");
            checks.iter().for_each(|check| text.push_str(&cell(counts.get(check).copied().unwrap_or(0), check)));
            let _ = write!(text, " {:>5}", counts.values().sum::<usize>());
        }
        text
    }

    /// The figures in one line.
    pub fn summary(&self) -> String {
        let rate = if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 };
        let cases: usize = self.counts.iter().flat_map(|(_, counts)| counts.values()).sum();
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!(
            "{}: {cases} cases{skipped}, {} requests in {:.1} s ({rate:.0}/s), {} failures",
            self.leg.word(),
            self.requests,
            self.seconds,
            self.failures.len(),
        )
    }
}

/// A failure with the command that runs its case again.
pub fn told(failure: Failure, id: &str, at: &str, before: &[Request], options: &Options) -> Told {
    Told {
        id: id.into(),
        operation: id.split('/').next().unwrap_or_default().into(),
        at: at.into(),
        failure,
        before: before.to_vec(),
        again: format!("{} --only '{id}'", options.command),
    }
}

fn blank(number: usize) -> String {
    if number == 0 { "-".into() } else { number.to_string() }
}

impl Told {
    fn requests(&self) -> Vec<&Request> {
        let answered = self.failure.answer.as_ref().map(|answer| &answer.request);
        self.before.iter().chain(answered.or(self.failure.request.as_deref())).collect()
    }

    /// The failure as text: the violation, its place, and the requests that show it.
    pub fn text(&self, address: &str) -> String {
        let Failure { check, sentence, expected, answer, .. } = &self.failure;
        let mut text = format!("{check} {}\n  {sentence}", self.id);
        if !self.at.is_empty() {
            let _ = write!(text, "\n  constraint: #{}", self.at);
        }
        let _ = write!(text, "\n  expected: {}", expected.replace('\n', "\n            "));
        if let Some(answer) = answer {
            let body: String = String::from_utf8_lossy(&answer.bytes).chars().take(600).collect();
            let _ = write!(text, "\n  got: {} {body}", answer.status);
        }
        for request in self.requests() {
            let _ = write!(text, "\n  {}", request.curl(address));
        }
        let _ = write!(text, "\n  again: {}", self.again);
        text
    }
}
