#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "migrations are SQL text: this crate runs the statements of files and reads the schema of a database"
)]

pub mod connect;
mod dialect;
pub mod difference;
pub mod folder;
pub mod lint;
pub mod migrations;
pub mod round_trip;
pub mod rows;
pub mod schema;
pub mod tables;
pub mod write;

pub use dialect::Dialect;
