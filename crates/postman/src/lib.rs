#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod answers;
mod collection;
mod compare;
mod damage;
mod example;
mod failures;
mod layout;
mod operation;
mod prepare;
mod recipe;
mod request;
pub mod rules;
mod schema;
mod scripts;
mod setup;
mod stamp;

use serde_json::Value;

pub use answers::Answers;
pub use collection::{collection, environment};
pub use compare::{Comparison, requests};
pub use damage::damaged;
pub use failures::{failures, unblamed, uncovered};
pub use recipe::{AnyField, Blamed, Body, Change, Derived, Recipe, Unreachable};
pub use setup::{Admin, Anywhere, Failures, Last, Mailed, Setup};

/// Returns the text of a generated value as it is stored in its file: values that fit stand in one line.
pub fn text(value: &Value) -> String {
    format!("{}\n", layout::FILE.text(value))
}
