//! Holds a running server to its OpenAPI document.
//!
//! Two ways lead here. The program `contract` is for any server: what it sends is [`derived`] from the document, and a
//! setup file says what no document says. The stories of `tests/contract/` are for Accord: a test starts a [`World`]
//! (the real binary and a database of its own), asks it for [`Person`]s, and sends [`Call`]s; a [`Story`] keeps what is
//! worth a snapshot. Both hold every [`Answer`] to the document, by [`conformity`].

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod call;
mod committed;
pub mod conformity;
mod database;
pub mod derived;
mod document;
mod exchange;
mod hide;
mod mailbox;
mod receiver;
mod recorder;
mod server;
mod story;
mod wire;
mod world;

pub use call::Call;
pub use committed::{document, setup};
pub use database::Database;
pub use document::{Body, Document, Fault, Operation, Parameter, Unnamed, examples};
pub use exchange::{Answer, Request};
pub use mailbox::{Letter, Mailbox};
pub use receiver::{Received, Receiver, Treatment};
pub use recorder::cells;
pub use server::{Ended, Running, Server, command_line, command_line_with, refused_start};
pub use story::{Step, Story};
pub use wire::Wire;
pub use world::{Person, SECRET, World};
