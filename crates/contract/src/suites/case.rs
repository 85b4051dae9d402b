//! A case: a request that differs from a valid one, and the expected answer.

use super::constraint::Constraint;
use super::draft::Change;

/// A suite: cases that are run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Leg {
    /// The server refuses what the document forbids.
    Refusals,
    /// The server accepts what the document allows.
    Acceptances,
    /// Combinations and sequences.
    Random,
    /// Each identity gets the answers that it may get, and no others.
    Access,
}

impl Leg {
    /// All suites, in their order.
    pub const ALL: [Self; 4] = [Self::Refusals, Self::Acceptances, Self::Random, Self::Access];

    /// Whether its cases are known beforehand, from the document.
    pub fn is_listed(self) -> bool {
        matches!(self, Self::Refusals | Self::Acceptances)
    }

    /// The name of the suite.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refusals => "refusals",
            Self::Acceptances => "acceptances",
            Self::Random => "random",
            Self::Access => "access",
        }
    }
}

/// A request that is derived from one constraint of one operation.
#[derive(Clone, Debug)]
pub struct Case {
    /// The stable name: `create_book/body/title/maxLength/too-long`.
    pub id: String,
    /// The operation whose valid request is changed.
    pub operation: String,
    /// The constraint.
    pub constraint: Constraint,
    /// The JSON pointer to the constraint in the document.
    pub at: String,
    /// The changes to the valid request.
    pub changes: Vec<Change>,
    /// The fixture that the request is about, if not the usual one.
    pub fixture: Option<String>,
    /// The expected answer.
    pub expect: Expect,
}

/// The expected answer of a case.
#[derive(Clone, Debug)]
pub enum Expect {
    /// One of these statuses, with this code and this part of the request at fault; nothing is written.
    Refused { statuses: Vec<u16>, code: Option<String>, blames: Option<String> },
    /// A status of success, and what was sent is what is answered and read.
    Accepted,
    /// Exactly this status.
    Answered { status: u16, code: Option<String> },
    /// Any status but one that refuses the value: it may name something or not.
    Understood,
    /// The answer of GET without its content.
    Mirrored,
    /// The methods of the path.
    Allowed,
}

impl std::fmt::Display for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = |code: &Option<String>| code.as_ref().map(|code| format!(" `{code}`")).unwrap_or_default();
        match self {
            Self::Refused { statuses, code, blames } => {
                let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                let blamed = blames.as_ref().map(|place| format!(", blaming {place}")).unwrap_or_default();
                write!(f, "{}{}{blamed}", statuses.join(" or "), said(code))
            }
            Self::Accepted => write!(f, "a success"),
            Self::Answered { status, code } => write!(f, "{status}{}", said(code)),
            Self::Understood => write!(f, "any answer that does not refuse the value"),
            Self::Mirrored => write!(f, "what GET answers, without its content"),
            Self::Allowed => write!(f, "204 with Allow"),
        }
    }
}
