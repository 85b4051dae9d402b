//! Tables as the code needs them: their columns by the names that statements use, and all that the schema declares.
//!
//! A resource declares its tables with [`tables!`](crate::tables). The migrations are what a database gets;
//! `cargo xtask migrate check` compares them with the declared tables, and `cargo xtask migrate new NAME --auto` writes
//! what is missing in them.

use accord_migrate::tables::in_order;
pub use accord_migrate::tables::{Table, create, declare, table};

#[cfg(test)]
use super::permit;
use crate::declared::List;

static TABLES: List<Table> = List::new();

/// Every table of the application, each after those that it refers to.
pub fn declared() -> &'static [Table] {
    TABLES.get()
}

/// Completes the list of tables, and puts each behind those that it refers to.
pub(crate) fn complete(tables: Vec<Table>) {
    TABLES.complete(in_order(tables));
}

/// Declares the tables of a resource: for each an enum of its names, and the function `declared`, which returns their
/// declarations. `versioned by Version` names the column that each update raises. `without hooks "…"` says why changes of a table call no hooks. A column is a name and its type; `with` adds constraints and indexes of the whole table. Constraints of
/// one column are named by the column: `<table>_<column>_key`, `_fkey`, `_check`.
#[macro_export]
macro_rules! tables {
    ($(
        $(#[doc = $about:literal])+
        $table:ident $(versioned by $version:ident)? $(without hooks $reason:literal)? { $($column:ident: $declared:expr,)+ } $(with [ $($part:expr,)+ ])?
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(sea_query::Iden, Clone, Copy)]
            #[expect(missing_docs, reason = "the declaration and the migrations say what each is")]
            pub enum $table {
                Table,
                $($column),+
            }

            impl $crate::db::permit::Table for $table {
                const TABLE: Self = Self::Table;
            }

            impl $table {
                /// All columns.
                pub const ALL: &'static [Self] = &[$(Self::$column),+];
            }

            $(impl $crate::db::versioned::VersionedTable for $table {
                const COLUMNS: &'static [Self] = Self::ALL;
                const ID: Self = Self::Id;
                const VERSION: Self = Self::$version;
                const CREATED_AT: Self = Self::CreatedAt;
                const UPDATED_AT: Self = Self::UpdatedAt;
            })?

            $(
                #[doc = $reason]
                impl $crate::db::Unsignalled for $table {}
            )?
        )+

        /// The tables as the code needs them.
        pub fn declared() -> Vec<$crate::db::tables::Table> {
            vec![$({
                #[allow(unused_imports, reason = "a table may be nothing but its columns")]
                use $table::*;
                $crate::db::tables::Table::new(sea_query::Iden::unquoted(&$table::Table), concat!($($about),+))
                    $(.column(sea_query::Iden::unquoted(&$table::$column), $declared))+
                    $($(.with($part))+)?
                    $(.without_hooks($reason))?
            }),+]
        }
    };
}

/// The words that the check of a column allows.
///
/// # Panics
/// There is no such column, or it allows whatever fits.
#[cfg(test)]
pub fn words<T: permit::Table>(column: T) -> Vec<String> {
    let (table, column) = (T::TABLE.unquoted().to_owned(), column.unquoted().to_owned());
    let tables = declared();
    let table = tables.iter().find(|declared| declared.name == table).expect("a declared table");
    let begin = format!("{column} IN (");
    let list = table.checks.iter().find_map(|check| check.expression.strip_prefix(&begin)?.strip_suffix(')'));
    list.expect("a column with words").split(", ").map(|word| word.trim_matches('\'').to_owned()).collect()
}
