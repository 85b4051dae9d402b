//! `/api/v1/books`

use accord_foundation::prelude::*;

use super::model::{Book, BookCreate, BookId, BookPage, BookUpdate};
use super::{Tag, store};
use crate::resources::authors::CanCurate;
use crate::resources::authors::model::{Author, AuthorId};

/// The operations.
#[derive(Default)]
pub struct BooksApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Books")]
impl BooksApi {
    /// List books
    ///
    /// Page by page, the newest first.
    #[oai(path = "/books", method = "get", operation_id = "list_books")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// books
        paging: Paging,
        /// Text to find in the title, in upper or lower case
        #[oai(validator(min_length = 1, max_length = 100))]
        search: Query<Option<String>>,
        /// Only books of this author
        author_id: Query<Option<AuthorId>>,
        with_total: WithTotal,
    ) -> Result<Listed<BookPage>, Fail<()>> {
        let filter = store::matching(search.0.as_deref(), author_id.0);
        Ok(crud::list::<Book, _>(&mut caller, &app, paging.newest("books")?, &with_total, filter).await?)
    }

    /// Add a book
    ///
    /// Admins and who was granted `can_curate` may do it. The author must exist.
    #[oai(path = "/books", method = "post", operation_id = "create_book")]
    async fn create(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<BookCreate>,
    ) -> Result<Keyed<Created<Book>>, Fail<(Forbidden, NotFound, Conflict, Unprocessable)>> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        change.require::<Author>(body.0.author_id).await?;
        let book = change.insert::<Book>(body.0).await?;
        Ok(key.commit(change, crud::created(book)).await?)
    }

    /// Read a book
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content.
    #[oai(path = "/books/:id", method = "get", operation_id = "get_book")]
    async fn get(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The book's identifier
        id: Path<BookId>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Book>, Fail<(NotFound,)>> {
        Ok(crud::read::<Book>(&mut caller, &app, id.0, &if_none_match).await?)
    }

    /// Change a book
    ///
    /// `If-Match` must name the version you have read: without it 428, with another version 412. The ISBN stays.
    #[oai(path = "/books/:id", method = "patch", operation_id = "update_book")]
    async fn update(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The book's identifier
        id: Path<BookId>,
        if_match: IfMatch,
        body: JsonIn<BookUpdate>,
    ) -> Result<Changed<Book>, ChangeFail> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        let book = change.find::<Book>(id.0, &if_match).await?;
        let values = body.0.of(&book);
        change.require::<Author>(values.author_id).await?;
        Ok(change.updated(&book, values).await?)
    }

    /// Delete a book
    ///
    /// A book that is or was on loan stays: 409 `vetoed`. `If-Match` works as in changing a book.
    #[oai(path = "/books/:id", method = "delete", operation_id = "delete_book")]
    async fn delete(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The book's identifier
        id: Path<BookId>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        let book = change.find::<Book>(id.0, &if_match).await?;
        Ok(change.deleted(&book).await?)
    }
}
