//! The types of authors in the document. An author is stored as it is shown.

use accord_foundation::prelude::*;

use super::tables::Authors;

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
    /// The number of the version.
    #[oai(skip)]
    #[serde(skip)]
    pub version: i64,
    /// When the author was added
    pub created_at: DateTime<Utc>,
    /// When the author was last changed
    pub updated_at: DateTime<Utc>,
}

/// A new author
#[derive(Debug, Object)]
#[oai(example)]
pub struct AuthorCreate {
    /// Name, which no other author has
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
}

/// A change to an author: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct AuthorUpdate {
    /// Name, which no other author has
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
}

examples! {
    Author { id: AuthorId(1), name: "Jane Austen".into(), version: 1, created_at: examples::time(), updated_at: examples::time() }
    AuthorCreate { name: "Jane Austen".into() }
    AuthorUpdate { name: Some("J. Austen".into()) }
}

page! {
    /// A page of authors
    AuthorPage, Author, "authors"
}

impl Record for Author {
    type Table = Authors;
    type Values = AuthorCreate;
    const NAME: &'static str = "Author";
    const PATH: &'static str = "/api/v1/authors";
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] =
        &[(Constraint::unique("authors_name_key", "authors.name"), Code::NAME_IN_USE, "Another author has this name.")];

    fn identity(&self) -> (i64, i64) {
        (self.id.0, self.version)
    }

    fn columns(author: AuthorCreate) -> Vec<(Authors, Expr)> {
        vec![(Authors::Name, author.name.into())]
    }
}

impl Named for Author {
    const MODEL: &'static str = "authors.Author";
    const KEY: Authors = Authors::Name;
}
