//! Stands in for `serde_yaml`, which is deprecated: poem and poem-openapi depend on it by name. Everything comes from
//! `yaml_serde`, its maintained continuation with the same interface, which Accord uses itself.

pub use yaml_serde::*;
