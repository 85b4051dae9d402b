//! The resources of the application, a folder each.

pub mod authors;
pub mod books;
pub mod loans;
