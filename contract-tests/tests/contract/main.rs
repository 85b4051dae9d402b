//! What no document says of Accord, told as stories: one binary, so that the server is built once. What the document
//! says is derived from it, by the program `accord-contract`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod audit;
mod bodies;
mod command_line;
mod faults;
mod fixtures;
mod grants;
mod guests;
mod http;
mod idempotency;
mod info;
mod limits;
mod lists;
mod logs;
mod mail;
mod metrics;
mod migrations;
mod oidc;
mod passwords;
mod plans;
mod posts;
mod races;
mod readme;
mod recovery;
mod restarts;
mod session;
mod signals;
mod start;
mod statistics;
mod tasks;
mod users;
mod votes;
mod webhooks;
