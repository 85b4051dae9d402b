//! `/api/v1/books`

use accord_foundation::app::App;
use accord_foundation::auth::{Caller, Needs};
use accord_foundation::db::Conn;
use accord_foundation::db::signals::{self, Refused};
use accord_foundation::error::{Code, Error, FieldError};
use accord_foundation::http::answer::{Changed, Created, Found, Listed};
use accord_foundation::http::etag::IfMatch;
use accord_foundation::http::fail::{
    Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable,
};
use accord_foundation::http::parameters::{IfNoneMatch, Paging, WithTotal};
use accord_foundation::http::payload::{JsonIn, JsonOut};
use accord_foundation::resources::NoContent;
use accord_foundation::resources::idempotency::{Idempotent, Keyed};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::model::{Book, BookCreate, BookId, BookPage, BookUpdate, BookValues, StoredBook};
use super::store::{self, Filter};
use super::{ISBN_IN_USE, Tag, rules};
use crate::resources::authors::CanCurate;
use crate::resources::authors::api::{curator_of, not_found as author_not_found};
use crate::resources::authors::model::AuthorId;

/// The operations.
#[derive(Default)]
pub struct BooksApi;

/// The errors of a change.
type ChangeFail = Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>;

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
        let page = paging.newest("books")?;
        let filter = Filter { search: search.0, author_id: author_id.0 };
        let mut conn = caller.read(&app.db).await?;
        let mut rows = store::list(&mut conn, &filter, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.book.id.0);
        let total = if with_total.0 { Some(store::count(&mut conn, &filter).await?) } else { None };
        let items = rows.into_iter().map(|row| row.book).collect();
        Ok(Listed::Page(JsonOut(BookPage { items, next, total })))
    }

    /// Add a book
    ///
    /// Admins and who was granted `can_curate` may do it. The author must exist.
    #[oai(path = "/books", method = "post", operation_id = "create_book")]
    async fn create(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// Makes it safe to send the request again: with the same key it is done once within 24 hours, and answered the same
        #[oai(name = "Idempotency-Key")]
        key: Idempotent,
        body: JsonIn<BookCreate>,
    ) -> Result<Keyed<Created<Book>>, Fail<(Forbidden, NotFound, Conflict, Unprocessable)>> {
        let BookCreate { isbn, title, author_id } = body.0;
        if !rules::is_isbn(&isbn) {
            let detail = "is no ISBN-13: its check digit does not fit";
            return Err(Error::fields(Code::INVALID, vec![FieldError::body("/isbn", detail)]).into());
        }
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        author_exists(&mut tx, author_id).await?;
        let values = BookValues { isbn, title, author_id };
        let row = signals::insert_new::<StoredBook>(&mut tx, &caller, values, app.now()).await;
        let (book, tag) = row.map_err(isbn_in_use)?.tagged();
        let location = format!("/api/v1/books/{}", book.id);
        Ok(key.commit(tx, Created::Created(JsonOut(book), location, tag)).await?)
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
        let mut conn = caller.read(&app.db).await?;
        let row = store::find(&mut conn, id.0).await?.ok_or_else(|| not_found(id.0))?;
        Ok(Found::unless_current(row.tagged(), if_none_match.0.as_deref()))
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
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| not_found(id.0))?;
        if_match.allows(before.version)?;
        let values = body.0.of(&before.book);
        author_exists(&mut tx, values.author_id).await?;
        let row = signals::update_unchanged(&mut tx, &caller, &before, values, app.now()).await?;
        tx.commit().await?;
        let (book, tag) = row.tagged();
        Ok(Changed::Changed(JsonOut(book), tag))
    }

    /// Delete a book
    ///
    /// `If-Match` works as in changing a book.
    #[oai(path = "/books/:id", method = "delete", operation_id = "delete_book")]
    async fn delete(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The book's identifier
        id: Path<BookId>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| not_found(id.0))?;
        if_match.allows(before.version)?;
        signals::delete_unchanged(&mut tx, &caller, &before, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

async fn author_exists(tx: &mut Conn, id: AuthorId) -> Result<(), Error> {
    if store::has_author(tx, id).await? { Ok(()) } else { Err(author_not_found(id)) }
}

fn not_found(id: BookId) -> Error {
    Error::not_found("Book", id)
}

fn isbn_in_use(refused: Refused) -> Error {
    match refused.violates(store::ISBN_KEY) {
        true => Error::new(ISBN_IN_USE, "Another book has this ISBN."),
        false => refused.into(),
    }
}
