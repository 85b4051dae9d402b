//! Suites of requests that are derived from a document: the server must refuse what the document forbids, and accept
//! what it allows.
//!
//! `setup` holds the facts that the document does not state. `draft` is a request in parts, so that one part can be
//! changed. `constraint` lists everything that can be broken, `values` has the values on either side of each bound,
//! `walk` finds them in a schema. `refusals` and `acceptances` make `cases` of them, `random` combines them and sends
//! sequences, `access` calls each operation as each identity. `server` sends, `run` runs the cases, `report` counts.

mod acceptances;
mod access;
mod case;
mod cases;
mod constraint;
mod draft;
mod expression;
mod failure;
mod judge;
mod matrix;
mod options;
mod person;
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
pub use options::Options;
pub use report::Report;
pub use run::{list, run};
pub use setup::Setup;
