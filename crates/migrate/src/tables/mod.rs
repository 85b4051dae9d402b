//! Declared tables: the schema that the code needs, as plain values.

pub mod create;
pub mod declare;
pub mod table;

use sea_query::Iden;

pub use self::table::Table;

/// A table as an enum of its names: one variant names the table, the others name its columns.
pub trait TableName: Iden + Copy {
    /// The variant that names the table.
    const TABLE: Self;
}

/// Sorts the tables so that each follows the tables that its foreign keys refer to; otherwise the order stays.
pub fn in_order(mut left: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = vec![];
    while !left.is_empty() {
        let names: Vec<_> = left.iter().map(|table| table.name.clone()).collect();
        let waits =
            |table: &Table| table.foreign_keys.iter().any(|key| key.table != table.name && names.contains(&key.table));
        let next = left.iter().position(|table| !waits(table)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}
