//! Authors.
//!
//! Must never be: two authors of one name.

pub mod api;
pub mod model;
pub mod tables;

use accord_foundation::prelude::*;

use self::model::Author;

/// The chapter of the document.
#[derive(Tags)]
pub enum Tag {
    /// Who writes books.
    Authors,
}

permissions! {
    CanCurate = "can_curate" on None, "Add, change and delete authors and books";
}

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "authors",
    apis: &[Api::of::<api::AuthorsApi>()],
    things: &[Thing { path: "/api/v1/authors/{id}", name: "Author", variable: "id" }],
    tables: tables::declared,
    hooks: |hooks, _| hooks.entity::<Author>(),
    permissions: PERMISSIONS,
    models: &[&RecordModel::<Author>::MODEL],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};
