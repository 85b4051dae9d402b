//! Types of the document for authors, and the row.

use accord_foundation::http::etag::etag;
use accord_foundation::http::page::page;
use accord_foundation::id_type;
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;
use sqlx::FromRow;

id_type! {
    /// The identifier of an author.
    AuthorId
}

/// An author
#[derive(Debug, Clone, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Author {
    /// Identifier
    pub id: AuthorId,
    /// Name as it stands on the cover
    pub name: String,
    /// When the author was added
    pub created_at: DateTime<Utc>,
    /// When the author was last changed
    pub updated_at: DateTime<Utc>,
}

impl Example for Author {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self { id: AuthorId(1), name: "Jane Austen".into(), created_at: at, updated_at: at }
    }
}

/// An author with the version of the row.
#[derive(Debug, Clone, FromRow)]
pub struct StoredAuthor {
    /// The author.
    #[sqlx(flatten)]
    pub author: Author,
    /// The number of changes, for `If-Match`.
    pub version: i64,
}

impl StoredAuthor {
    /// The author, and the tag of this version.
    pub fn tagged(self) -> (Author, String) {
        let tag = etag(self.version, &self.author);
        (self.author, tag)
    }
}

/// A new author
#[derive(Debug, Object)]
#[oai(example)]
pub struct AuthorCreate {
    /// Name, which no other author has
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
}

impl Example for AuthorCreate {
    fn example() -> Self {
        Self { name: "Jane Austen".into() }
    }
}

/// A change to an author: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct AuthorUpdate {
    /// Name, which no other author has
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
}

impl Example for AuthorUpdate {
    fn example() -> Self {
        Self { name: Some("J. Austen".into()) }
    }
}

page! {
    /// A page of authors
    AuthorPage, Author, "MS9hdXRob3JzLzAvMQ"
}
