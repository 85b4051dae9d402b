//! The conditions by which books are found.

use accord_foundation::db::search::contains;
use accord_foundation::prelude::*;
use sea_query::Func;

use super::tables::Books;
use crate::resources::authors::model::AuthorId;

/// Books with a text in the title, in upper or lower case, and of an author.
pub fn matching(search: Option<&str>, author_id: Option<AuthorId>) -> Condition {
    let title = Expr::expr(Func::lower(Expr::col(Books::Title)));
    Condition::all()
        .add_option(search.map(|text| contains(title, &text.to_lowercase())))
        .add_option(author_id.map(|id| Expr::col(Books::AuthorId).eq(id)))
}
