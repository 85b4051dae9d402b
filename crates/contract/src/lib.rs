#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod answers;
pub mod conformity;
mod coverage;
mod document;
mod exchange;
pub mod hide;
pub mod recorder;
mod suites;

pub use coverage::coverage;
pub use document::{Body, Document, Fault, Operation, Parameter, Unnamed, examples};
pub use exchange::{Answer, Request};
pub use suites::{Case, Leg, Options, Report, Setup, list, matrix, run};
