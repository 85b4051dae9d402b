//! The application as a whole, without its binary: declarations, migrations and fixtures fit each other.

mod fixtures;
mod migrations;
