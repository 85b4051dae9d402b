//! Requests derived from a document: what it forbids is refused, what it allows is accepted, whatever comes together.
//!
//! `setup` is what the document does not say. `draft` is a request in parts, so that one can be changed. `constraint`
//! is the list of all that can be broken, `values` has the values on either side of each bound, `walk` finds them in
//! a schema. `refusals` and `acceptances` make cases of them, `random` combines them and goes through sequences;
//! `access` calls everything as everybody;
//! `server` sends, `run` runs the cases and `report` tells what came of it.

mod acceptances;
mod access;
mod case;
mod constraint;
mod draft;
mod expression;
mod judge;
mod matrix;
mod plan;
#[cfg(test)]
mod proof;
mod random;
mod refusals;
mod report;
mod run;
mod server;
mod setup;
mod values;
mod walk;

pub use case::{Case, Leg};
pub use matrix::matrix;
pub use report::Report;
pub use run::{Options, list, run};
pub use setup::Setup;
