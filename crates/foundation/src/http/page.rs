//! Keyset paging: a cursor names the last row of a page, so page N costs what page 1 costs and inserts shift nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Code, Error, FieldError};

/// The position behind one row of a sorted list. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The value of the sort column, when it is not the id itself.
    pub key: i64,
    /// The row's id, which makes every position unique.
    pub id: i64,
}

impl Cursor {
    /// The text a client sends back; it carries the name of the sort, because a position means nothing in another.
    pub fn encode(self, sort: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("1/{sort}/{}/{}", self.key, self.id))
    }

    /// Reads a client's cursor for this sort.
    ///
    /// # Errors
    /// 400 `invalid_cursor` when it was not made by this list in this sort.
    pub fn decode(text: &str, sort: &str) -> Result<Self, Error> {
        let read = || {
            let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let mut parts = plain.split('/');
            let (version, of) = (parts.next()?, parts.next()?);
            let (key, id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            (version == "1" && of == sort && parts.next().is_none()).then_some(Self { key, id })
        };
        read().ok_or_else(|| {
            let detail = "take `next` of the page before, and keep the other parameters as they were";
            Error::fields(Code::INVALID_CURSOR, vec![FieldError::parameter("query.cursor", detail)])
        })
    }
}

/// Cuts the one row too many that tells whether there is a next page; answers that page's cursor.
pub fn cut<T>(rows: &mut Vec<T>, limit: usize, sort: &str, position: impl Fn(&T) -> Cursor) -> Option<String> {
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().map(|last| position(last).encode(sort))
}

/// A page of a list that shows the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// The list, which its cursors name.
    list: &'static str,
    /// Rows of the page at most.
    limit: usize,
    /// The id that the page begins behind.
    pub before: Option<i64>,
}

impl Newest {
    /// The page behind a position.
    pub(super) fn new(list: &'static str, limit: usize, cursor: Option<Cursor>) -> Self {
        Self { list, limit, before: cursor.map(|cursor| cursor.id) }
    }

    /// How many rows to read: the one too many tells whether there is a next page.
    pub fn rows(self) -> u64 {
        self.limit as u64 + 1
    }

    /// Cuts the rows to the page; answers the cursor of the next one.
    pub fn cut<T>(self, rows: &mut Vec<T>, id: impl Fn(&T) -> i64) -> Option<String> {
        cut(rows, self.limit, self.list, |row| Cursor { key: 0, id: id(row) })
    }
}

/// A page of a list, before it becomes the type of the document.
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
    /// The number of items on all pages, if it was asked for.
    pub total: Option<i64>,
}

impl<T> Page<T> {
    /// The page with other items.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(item).collect(), next: self.next, total: self.total }
    }
}

/// Declares the type of a page of a list: its description, its name, the items, and the name of the list in cursors.
#[macro_export]
macro_rules! page {
    ($(#[doc = $doc:literal])* $page:ident, $item:ty, $list:literal) => {
        $(#[doc = $doc])*
        #[derive(poem_openapi::Object, serde::Serialize)]
        #[oai(example)]
        pub struct $page {
            /// At most `limit` of them
            pub items: Vec<$item>,
            /// Send it as `cursor` for the next page; null on the last one
            #[oai(nullable)]
            pub next: Option<String>,
            /// How many match in all; null unless `with_total=true`
            #[oai(nullable, validator(minimum(value = "0")))]
            pub total: Option<i64>,
        }

        impl poem_openapi::types::Example for $page {
            fn example() -> Self {
                let items = vec![<$item as poem_openapi::types::Example>::example()];
                let next = $crate::http::page::Cursor { key: 0, id: 1 }.encode($list);
                Self { items, next: Some(next), total: None }
            }
        }

        impl From<$crate::http::page::Page<$item>> for $page {
            fn from(page: $crate::http::page::Page<$item>) -> Self {
                let $crate::http::page::Page { items, next, total } = page;
                Self { items, next, total }
            }
        }
    };
}
pub use page;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_only_in_its_own_sort() {
        let cursor = Cursor { key: -3, id: 7 };
        let text = cursor.encode("-rating");
        assert_eq!(Cursor::decode(&text, "-rating").expect("ours"), cursor);
        for (text, sort) in [(text.as_str(), "created_at"), ("", "-rating"), ("%%", "-rating"), ("MS8", "-rating")] {
            assert_eq!(Cursor::decode(text, sort).expect_err("foreign").code, Code::INVALID_CURSOR);
        }
    }
}
