#![doc = include_str!("../README.md")]
//!
//! Imports go down the list of modules only.
#![warn(missing_docs)]

pub mod prelude;

pub mod application;
#[cfg(test)]
mod testing;

pub mod cli;

pub mod fixtures;

pub mod server;

pub mod resources;

pub mod crud;
pub mod tasks;

pub mod app;

pub mod auth;
pub mod http;
pub mod mail;

pub mod error;

pub mod config;

pub mod db;

pub mod admission;
pub mod declared;
pub mod examples;
pub mod id_type;
pub mod outgoing;
pub mod text_enum;
