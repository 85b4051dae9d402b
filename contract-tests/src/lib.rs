//! Holds a running Accord to its committed document. Knows it by HTTP, by `openapi/accord.yaml` and by its binary.
//!
//! A test starts a [`World`] (a server and a database of its own), asks it for [`Person`]s, and sends [`Call`]s.
//! Every [`Answer`] is held to the document before the test sees it; a [`Story`] keeps what is worth a snapshot.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod call;
mod database;
mod document;
mod hide;
mod recorder;
mod server;
mod story;
mod wire;
mod world;

pub use call::{Answer, Call, Request};
pub use database::Database;
pub use document::{Body, Document, Operation, Parameter, Unnamed, document, examples};
pub use recorder::cells;
pub use server::{Server, refused_start};
pub use story::{Step, Story};
pub use wire::Wire;
pub use world::{Person, SECRET, World};
