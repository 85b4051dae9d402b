#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod application;
mod call;
mod database;
mod mailbox;
mod person;
mod receiver;
mod server;
mod story;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use accord_contract::{Answer, Body, Document, Fault, Operation, Parameter, Request, Setup, Unnamed, examples};
pub use application::{Application, LogIn, Settings};
pub use call::Call;
pub use database::Database;
pub use mailbox::{Letter, Mailbox};
pub use person::Person;
pub use receiver::{Received, Receiver, Treatment};
pub use server::{Ended, Running, Server, command_line, command_line_with, refused_start};
pub use story::{Step, Story};
pub use wire::Wire;
pub use world::World;
