//! The types of books in the document. A book is stored as it is shown.

use accord_foundation::prelude::*;

use super::tables::Books;
use super::{ISBN_IN_USE, rules};
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
    /// The number of copies; each has a number from 1 on
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub copies: i64,
    /// The number of the version.
    #[oai(skip)]
    #[serde(skip)]
    pub version: i64,
    /// When the book was added
    pub created_at: DateTime<Utc>,
    /// When the book was last changed
    pub updated_at: DateTime<Utc>,
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
    /// The number of copies
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub copies: i64,
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
    /// The number of copies; a copy on loan beyond it can still be returned
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1"), maximum(value = "1000")))]
    pub copies: Option<i64>,
}

impl BookUpdate {
    /// The values of a book after this change.
    pub fn of(self, book: &Book) -> BookCreate {
        BookCreate {
            isbn: book.isbn.clone(),
            title: self.title.unwrap_or_else(|| book.title.clone()),
            author_id: self.author_id.unwrap_or(book.author_id),
            copies: self.copies.unwrap_or(book.copies),
        }
    }
}

examples! {
    Book {
        id: BookId(1), isbn: "9780141439587".into(), title: "Emma".into(), author_id: AuthorId(1), copies: 2,
        version: 1, created_at: examples::time(), updated_at: examples::time(),
    }
    BookCreate { isbn: "9780141439587".into(), title: "Emma".into(), author_id: AuthorId(1), copies: 2 }
    BookUpdate { title: Some("Emma, a novel".into()), author_id: None, copies: None }
}

page! {
    /// A page of books
    BookPage, Book, "books"
}

impl Record for Book {
    type Table = Books;
    type Values = BookCreate;
    const NAME: &'static str = "Book";
    const PATH: &'static str = "/api/v1/books";
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] =
        &[(Constraint::unique("books_isbn_key", "books.isbn"), ISBN_IN_USE, "Another book has this ISBN.")];

    fn identity(&self) -> (i64, i64) {
        (self.id.0, self.version)
    }

    fn columns(book: BookCreate) -> Vec<(Books, Expr)> {
        vec![
            (Books::Isbn, book.isbn.into()),
            (Books::Title, book.title.into()),
            (Books::AuthorId, book.author_id.into()),
            (Books::Copies, book.copies.into()),
        ]
    }

    fn faults(book: &BookCreate) -> Vec<FieldError> {
        match rules::is_isbn(&book.isbn) {
            true => vec![],
            false => vec![FieldError::body("/isbn", "is no ISBN-13: its check digit does not fit")],
        }
    }
}

impl Named for Book {
    const MODEL: &'static str = "books.Book";
    const KEY: Books = Books::Isbn;
    const REFERENCES: &'static [Reference] =
        &[Reference { field: "author_id", property: "author", model: "authors.Author" }];
}
