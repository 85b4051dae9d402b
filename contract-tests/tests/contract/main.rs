//! The contract of Accord, told as stories and swept through as a table: one binary, so that the server is built once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod bodies;
mod faults;
mod http;
mod info;
mod lists;
mod logs;
mod parameters;
mod posts;
mod races;
mod readme;
mod session;
mod start;
mod votes;
