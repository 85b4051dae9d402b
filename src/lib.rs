//! Accord: an API foundation whose contract, code, database, collection and tests cannot disagree.
//!
//! Imports go down this list only; ARCHITECTURE.md walks one request through it.
#![warn(missing_docs)]

pub mod cli;

pub mod fixtures;

pub mod server;

pub mod resources;

pub mod tasks;

pub mod app;

pub mod auth;
pub mod http;
pub mod mail;

pub mod error;

pub mod config;

pub mod db;

pub mod admission;
pub mod outgoing;
