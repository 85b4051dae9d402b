//! Books.
//!
//! Must never be: two books of one ISBN; an ISBN whose check digit is wrong; a book without an author.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;
pub mod tables;

use accord_foundation::application::Resource;
use accord_foundation::codes;
use accord_foundation::db::signals::{Context, Hook, Refused};
use accord_foundation::server::document::Api;
use accord_foundation::server::normalise::Thing;
use async_trait::async_trait;
use poem_openapi::Tags;

use self::model::StoredBook;
use crate::resources::authors::model::StoredAuthor;

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
    notes: &[],
    expensive: &[],
    tables: tables::declared,
    migrations: &[],
    hooks: |hooks, _| hooks.entity::<StoredBook>().on::<StoredAuthor, _>(KeepAuthors),
    permissions: &[],
    open_permissions: &[],
    targets: &[],
    explain: &[],
    actions: &[],
    events: &[],
    codes: CODES,
    models: &[],
    jobs: &[],
    local_jobs: &[],
    services: &[],
    state: |_| {},
    settings: &[],
};

/// Vetoes the deletion of an author with books. A new book locks its author, so none comes in between.
pub struct KeepAuthors;

#[async_trait]
impl Hook<StoredAuthor> for KeepAuthors {
    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredAuthor) -> Result<(), Refused> {
        match store::is_any_of(context.tx, row.author.id).await? {
            true => Err(Refused::Veto("Delete the books of the author first, or give them to another author.".into())),
            false => Ok(()),
        }
    }
}
