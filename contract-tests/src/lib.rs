//! The scenarios of Accord, and what they need.
//!
//! A test of `tests/contract/` starts a [`World`] (the real binary and a database of its own), asks it for [`Person`]s,
//! and sends [`Call`]s; a [`Story`] records the steps that its snapshot shows. Each [`Answer`] is checked against the
//! document. The program `accord-contract` derives all other requests from the document and from `setup.yaml`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;
mod committed;
mod database;
mod mailbox;
mod receiver;
mod server;
mod story;
mod wire;
mod world;

pub use accord_contract::{Answer, Body, Document, Fault, Operation, Parameter, Request, Unnamed, examples};
pub use call::Call;
pub use committed::{document, setup};
pub use database::Database;
pub use mailbox::{Letter, Mailbox};
pub use receiver::{Received, Receiver, Treatment};
pub use server::{Ended, Running, Server, command_line, command_line_with, refused_start};
pub use story::{Step, Story};
pub use wire::Wire;
pub use world::{Person, SECRET, World, known};
