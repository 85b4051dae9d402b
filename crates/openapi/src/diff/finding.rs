//! One difference: the rule it falls under, where it is, and what stands there on either side.

use std::fmt;

use serde_json::Value;

use super::rules::{Rule, Verdict};

/// One difference between two documents, at one place where it is of effect.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that it falls under.
    pub rule: &'static Rule,
    /// The part of the id before the rule's name.
    pub prefix: &'static str,
    /// The effect on callers.
    pub verdict: Verdict,
    /// The id of the operation: the old one, else the new one.
    pub operation: Option<String>,
    /// The way to the place, in words.
    pub place: Place,
    /// JSON pointer into the old document; of a value that is not there, the pointer to what would hold it.
    pub pointer_old: String,
    /// JSON pointer into the new document, by the same rule.
    pub pointer_new: String,
    /// The value in the old document.
    pub old: Option<Value>,
    /// The value in the new document.
    pub new: Option<Value>,
    /// The schemas that differ, if it is a difference between schemas.
    pub between: Option<Between>,
}

/// Two schemas: where each is written, which may be more than one place that all hold, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Between {
    /// JSON pointers into the old document.
    pub old: Vec<String>,
    /// JSON pointers into the new document.
    pub new: Vec<String>,
    /// Callers send their values; else they receive them.
    pub sent: bool,
}

impl Finding {
    /// The id of the rule at this place: prefix and name.
    pub fn id(&self) -> String {
        format!("{}{}", self.prefix, self.rule.name)
    }
}

/// The way from the document to a place in it, as people say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(pub Vec<Step>);

/// A step on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A part of the document that is of no operation: `info`, `components.schemas.Post`.
    Part(String),
    /// An operation.
    Operation {
        /// In upper case.
        method: String,
        /// The path template.
        path: String,
    },
    /// A callback by its name.
    Callback(String),
    /// A parameter.
    Parameter {
        /// `path`, `query`, `header` or `cookie`.
        location: String,
        /// Its name.
        name: String,
    },
    /// The body of the request.
    RequestBody,
    /// The response with this status, `2XX` or `default`.
    Status(String),
    /// A header of the response.
    Header(String),
    /// A link of the response.
    Link(String),
    /// The content of this media type.
    MediaType(String),
    /// A property by its name, `*` for the entries of a list, an alternative in brackets.
    Field(String),
}

/// `PATCH /api/v1/posts/{id} · 200 · application/json · /items/*/title`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let after_field = index > 0 && matches!(self.0[index - 1], Step::Field(_));
            if index > 0 && !(after_field && matches!(step, Step::Field(_))) {
                f.write_str(" · ")?;
            }
            match step {
                Step::Operation { method, path } => write!(f, "{method} {path}")?,
                Step::Parameter { location, name } => write!(f, "{location} {name}")?,
                Step::RequestBody => f.write_str("request body")?,
                Step::Callback(name) => write!(f, "callback {name}")?,
                Step::Header(name) => write!(f, "header {name}")?,
                Step::Link(name) => write!(f, "link {name}")?,
                Step::Field(name) => write!(f, "/{name}")?,
                Step::Part(text) | Step::Status(text) | Step::MediaType(text) => f.write_str(text)?,
            }
        }
        if self.0.is_empty() { f.write_str("the document") } else { Ok(()) }
    }
}

impl Place {
    /// The fields inside the last message or part: `/items/*/title`, or nothing.
    pub fn field(&self) -> String {
        let field = |step: &Step| match step {
            Step::Field(name) => Some(format!("/{name}")),
            _ => None,
        };
        self.0.iter().filter_map(field).collect()
    }
}

/// What stands at a place on one side, as a finding keeps it.
pub struct Spot {
    /// JSON pointer.
    pub pointer: String,
    /// The value, if it says more than the place.
    pub value: Option<Value>,
}

impl Spot {
    /// A place whose value would say no more than the place.
    pub fn bare(pointer: &str) -> Self {
        Self { pointer: pointer.to_owned(), value: None }
    }

    /// A place and its value.
    pub fn with(pointer: &str, value: impl Into<Value>) -> Self {
        Self { pointer: pointer.to_owned(), value: Some(value.into()) }
    }
}

impl From<&super::slot::Slot<'_>> for Spot {
    fn from(slot: &super::slot::Slot<'_>) -> Self {
        Self { pointer: slot.pointer.clone(), value: slot.value.cloned() }
    }
}
