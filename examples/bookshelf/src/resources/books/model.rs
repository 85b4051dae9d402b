//! Types of the document for books, and the row.

use accord_foundation::http::etag::etag;
use accord_foundation::http::page::page;
use accord_foundation::id_type;
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;
use sqlx::FromRow;

use crate::resources::authors::model::AuthorId;

id_type! {
    /// The identifier of a book.
    BookId
}

/// A book
#[derive(Debug, Clone, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Book {
    /// Identifier
    pub id: BookId,
    /// ISBN-13, digits only
    pub isbn: String,
    /// Title as it stands on the cover
    pub title: String,
    /// The author's identifier
    pub author_id: AuthorId,
    /// When the book was added
    pub created_at: DateTime<Utc>,
    /// When the book was last changed
    pub updated_at: DateTime<Utc>,
}

impl Example for Book {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        let (isbn, title) = ("9780141439587".into(), "Emma".into());
        Self { id: BookId(1), isbn, title, author_id: AuthorId(1), created_at: at, updated_at: at }
    }
}

/// A book with the version of the row.
#[derive(Debug, Clone, FromRow)]
pub struct StoredBook {
    /// The book.
    #[sqlx(flatten)]
    pub book: Book,
    /// The number of changes, for `If-Match`.
    pub version: i64,
}

impl StoredBook {
    /// The book, and the tag of this version.
    pub fn tagged(self) -> (Book, String) {
        let tag = etag(self.version, &self.book);
        (self.book, tag)
    }
}

/// The written values of a book.
#[expect(missing_docs, reason = "Book documents them")]
pub struct BookValues {
    pub isbn: String,
    pub title: String,
    pub author_id: AuthorId,
}

/// A new book
#[derive(Debug, Object)]
#[oai(example)]
pub struct BookCreate {
    /// ISBN-13, digits only, with a check digit that fits; no other book has it
    #[oai(validator(max_length = 13, pattern = "^97[89][0-9]{10}$"))]
    pub isbn: String,
    /// Title as it stands on the cover
    #[oai(validator(min_length = 1, max_length = 200))]
    pub title: String,
    /// The author's identifier
    pub author_id: AuthorId,
}

impl Example for BookCreate {
    fn example() -> Self {
        Self { isbn: "9780141439587".into(), title: "Emma".into(), author_id: AuthorId(1) }
    }
}

/// A change to a book: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct BookUpdate {
    /// Title as it stands on the cover
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 200))]
    pub title: Option<String>,
    /// The author's identifier
    #[oai(skip_serializing_if_is_none)]
    pub author_id: Option<AuthorId>,
}

impl BookUpdate {
    /// The book with this change.
    pub fn of(self, book: &Book) -> BookValues {
        BookValues {
            isbn: book.isbn.clone(),
            title: self.title.unwrap_or_else(|| book.title.clone()),
            author_id: self.author_id.unwrap_or(book.author_id),
        }
    }
}

impl Example for BookUpdate {
    fn example() -> Self {
        Self { title: Some("Emma, a novel".into()), author_id: None }
    }
}

page! {
    /// A page of books
    BookPage, Book, "MS9ib29rcy8wLzE"
}
