//! The resources of the application, a folder each: `api.rs` (HTTP), `model.rs` (types of the document), `rules.rs` (pure
//! functions), `store.rs` (SQL), `tables.rs`, `fixture.rs`, and the declaration in `mod.rs`.

pub mod posts;
pub mod statistics;
pub mod votes;
