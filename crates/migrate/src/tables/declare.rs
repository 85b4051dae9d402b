//! Functions that declare the columns, constraints and indexes of a table.

use sea_query::Iden;

use super::TableName;
use super::table::{Action, Check, Column, ForeignKey, Index, Key, Own, Table, one_of};
use crate::Dialect;

/// A part of a table that is not a column.
#[expect(missing_docs, reason = "each holds a type of the same name")]
pub enum Part {
    PrimaryKey(Key),
    Unique(Key),
    Check(Check),
    Index(Index),
    Own(Own),
    NeverUpdated(&'static str),
}

/// A declared column with the constraints that concern it alone.
pub struct Declared {
    column: Column,
    unique: bool,
    check: Option<String>,
    words: &'static [&'static str],
    references: Option<(String, String, Action)>,
}

/// Declares the primary key: a number that the database assigns, counting up.
pub fn key() -> Declared {
    let declared = bigint();
    Declared { column: Column { identity: true, ..declared.column }, ..declared }
}

/// Declares a column of text.
pub fn text() -> Declared {
    declared("TEXT")
}

/// Declares a column of integers of 64 bits.
pub fn bigint() -> Declared {
    declared("BIGINT")
}

/// Declares a column of truth values.
pub fn boolean() -> Declared {
    declared("BOOLEAN")
}

/// Declares a column of times.
pub fn timestamp() -> Declared {
    declared("TIMESTAMPTZ")
}

fn declared(kind: &str) -> Declared {
    let column = Column { name: String::new(), kind: kind.into(), identity: false, null: false, default: None };
    Declared { column, unique: false, check: None, words: &[], references: None }
}

impl Declared {
    /// Allows NULL.
    pub fn null(mut self) -> Self {
        self.column.null = true;
        self
    }

    /// Sets the default value, as SQL that both databases accept.
    pub fn default(mut self, sql: &str) -> Self {
        self.column.default = Some(sql.into());
        self
    }

    /// Adds a unique constraint.
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Adds a check constraint; the condition is SQL.
    pub fn check(mut self, sql: &str) -> Self {
        self.check = Some(sql.into());
        self
    }

    /// Adds a check constraint that allows these values only.
    pub fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    /// Adds a foreign key to a column of another table, with the action when the other row is deleted.
    pub fn references<T: TableName>(mut self, column: T, on_delete: Action) -> Self {
        self.references = Some((T::TABLE.unquoted().to_owned(), column.unquoted().to_owned(), on_delete));
        self
    }
}

/// Declares a primary key of columns whose values the database does not assign.
pub fn primary_key<T: TableName, const N: usize>(columns: [T; N]) -> Part {
    Part::PrimaryKey(Key { name: format!("{}_pkey", T::TABLE.unquoted()), columns: names(columns) })
}

/// Declares a unique constraint over several columns.
pub fn unique<const N: usize>(name: &str, columns: [impl Iden; N]) -> Part {
    Part::Unique(Key { name: name.into(), columns: names(columns) })
}

/// Declares a check constraint that concerns several columns.
pub fn check(name: &str, sql: &str) -> Part {
    Part::Check(Check { name: name.into(), expression: sql.into() })
}

/// Declares an index over columns, or over expressions given as text.
pub fn index<const N: usize>(name: &str, columns: [impl Iden; N]) -> Index {
    let columns = names(columns);
    Index { name: name.into(), columns, unique: false, condition: None, method: None, only: None }
}

/// Declares a unique index, which unlike a unique constraint may have expressions and a condition.
pub fn unique_index<const N: usize>(name: &str, columns: [impl Iden; N]) -> Index {
    Index { unique: true, ..index(name, columns) }
}

/// Declares an object that only SQLite has, by its CREATE statement.
pub fn sqlite(create: &str) -> Part {
    Part::Own(Own { dialect: Dialect::Sqlite, create: create.into() })
}

/// Declares an object that only PostgreSQL has, by its CREATE statement.
pub fn postgres(create: &str) -> Part {
    Part::Own(Own { dialect: Dialect::Postgres, create: create.into() })
}

/// Declares that a table has no `updated_at`, and why: its rows never change, or another column says when.
pub fn never_updated(reason: &'static str) -> Part {
    Part::NeverUpdated(reason)
}

fn names<const N: usize>(columns: [impl Iden; N]) -> Vec<String> {
    columns.iter().map(|column| column.unquoted().to_owned()).collect()
}

impl Index {
    /// Restricts the index to rows that satisfy a condition.
    pub fn only_where(mut self, sql: &str) -> Self {
        self.condition = Some(sql.into());
        self
    }

    /// Restricts the index to PostgreSQL, with an index method.
    pub fn postgres(mut self, method: &str) -> Self {
        self.method = Some(method.into());
        self.only = Some(Dialect::Postgres);
        self
    }
}

impl From<Index> for Part {
    fn from(index: Index) -> Self {
        Self::Index(index)
    }
}

impl Table {
    /// Adds a column. Its constraints are named `<table>_<column>_key`, `_fkey` and `_check`.
    pub fn column(mut self, name: &str, declared: Declared) -> Self {
        let called = |kind: &str| format!("{}_{name}_{kind}", self.name);
        if declared.column.identity {
            self.primary_key = Some(Key { name: format!("{}_pkey", self.name), columns: vec![name.into()] });
        }
        if declared.unique {
            self.uniques.push(Key { name: called("key"), columns: vec![name.into()] });
        }
        if let Some((table, referred, on_delete)) = declared.references {
            self.foreign_keys.push(ForeignKey {
                name: called("fkey"),
                columns: vec![name.into()],
                table,
                referred: vec![referred],
                on_delete,
                on_update: Action::NoAction,
            });
        }
        let words = (!declared.words.is_empty()).then(|| one_of(name, declared.words));
        if let Some(expression) = declared.check.or(words) {
            self.checks.push(Check { name: called("check"), expression });
        }
        self.columns.push(Column { name: name.into(), ..declared.column });
        self
    }

    /// Declares that changes of the table call no hooks, and why.
    pub fn without_hooks(self, reason: &'static str) -> Self {
        Self { without_hooks: Some(reason), ..self }
    }

    /// Adds a constraint, an index or an object.
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        match part.into() {
            Part::PrimaryKey(key) => self.primary_key = Some(key),
            Part::Unique(key) => self.uniques.push(key),
            Part::Check(check) => self.checks.push(check),
            Part::Index(index) => self.indexes.push(index),
            Part::Own(own) => self.own.push(own),
            Part::NeverUpdated(reason) => self.never_updated = Some(reason),
        }
        self
    }
}
