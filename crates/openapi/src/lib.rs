#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod diff;
mod document;
pub mod lint;
mod schema;

pub use document::{METHODS, Named, from_yaml, operations, parse, to_yaml};
pub use schema::to_json_schema;
