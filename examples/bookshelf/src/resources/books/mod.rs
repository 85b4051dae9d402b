//! Books.
//!
//! Must never be: two books of one ISBN; an ISBN whose check digit is wrong; a book without an author.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;
pub mod tables;

use accord_foundation::prelude::*;

use self::model::Book;

/// The chapter of the document.
#[derive(Tags)]
pub enum Tag {
    /// Books, each with its author.
    Books,
}

codes! {
    ISBN_IN_USE = 409 "isbn_in_use", "Another book has the ISBN";
}

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "books",
    apis: &[Api::of::<api::BooksApi>()],
    things: &[Thing { path: "/api/v1/books/{id}", name: "Book", variable: "id" }],
    tables: tables::declared,
    hooks: |hooks, _| hooks.entity::<Book>(),
    codes: CODES,
    models: &[&RecordModel::<Book>::MODEL],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};
