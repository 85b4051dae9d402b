//! The words in which tables are declared.

use sea_query::Iden;

use super::TableName;
use super::table::{Action, Check, Column, ForeignKey, Index, Key, Own, Table, one_of};
use crate::Dialect;

/// What a table has beside its columns.
#[expect(missing_docs, reason = "each is a type that says what it is")]
pub enum Part {
    PrimaryKey(Key),
    Unique(Key),
    Check(Check),
    Index(Index),
    Own(Own),
    NeverUpdated(&'static str),
}

/// A column as it is declared, with the constraints that are its own.
pub struct Declared {
    column: Column,
    unique: bool,
    check: Option<String>,
    words: &'static [&'static str],
    references: Option<(String, String, Action)>,
}

/// A number that the database counts up, the primary key.
pub fn key() -> Declared {
    let declared = bigint();
    Declared { column: Column { identity: true, ..declared.column }, ..declared }
}

/// Text.
pub fn text() -> Declared {
    declared("TEXT")
}

/// A whole number of 64 bits.
pub fn bigint() -> Declared {
    declared("BIGINT")
}

/// Yes or no.
pub fn boolean() -> Declared {
    declared("BOOLEAN")
}

/// A moment.
pub fn timestamp() -> Declared {
    declared("TIMESTAMPTZ")
}

fn declared(kind: &str) -> Declared {
    let column = Column { name: String::new(), kind: kind.into(), identity: false, null: false, default: None };
    Declared { column, unique: false, check: None, words: &[], references: None }
}

impl Declared {
    /// It may be null.
    pub fn null(mut self) -> Self {
        self.column.null = true;
        self
    }

    /// What it is if an INSERT does not say, as SQL that both databases know.
    pub fn default(mut self, sql: &str) -> Self {
        self.column.default = Some(sql.into());
        self
    }

    /// No two rows have the same.
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// A condition of this column, as SQL.
    pub fn check(mut self, sql: &str) -> Self {
        self.check = Some(sql.into());
        self
    }

    /// It is one of these.
    pub fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    /// It is found in a column of another table; what becomes of the row when the other goes.
    pub fn references<T: TableName>(mut self, column: T, on_delete: Action) -> Self {
        self.references = Some((T::TABLE.unquoted().to_owned(), column.unquoted().to_owned(), on_delete));
        self
    }
}

/// The primary key, where it is not one column that the database counts up.
pub fn primary_key<T: TableName, const N: usize>(columns: [T; N]) -> Part {
    Part::PrimaryKey(Key { name: format!("{}_pkey", T::TABLE.unquoted()), columns: names(columns) })
}

/// No two rows have all of these in common.
pub fn unique<const N: usize>(name: &str, columns: [impl Iden; N]) -> Part {
    Part::Unique(Key { name: name.into(), columns: names(columns) })
}

/// A condition that concerns several columns.
pub fn check(name: &str, sql: &str) -> Part {
    Part::Check(Check { name: name.into(), expression: sql.into() })
}

/// An index over columns, or texts that are SQL.
pub fn index<const N: usize>(name: &str, columns: [impl Iden; N]) -> Index {
    let columns = names(columns);
    Index { name: name.into(), columns, unique: false, condition: None, method: None, only: None }
}

/// An index in which no two rows are the same. A unique constraint has neither expressions nor a condition.
pub fn unique_index<const N: usize>(name: &str, columns: [impl Iden; N]) -> Index {
    Index { unique: true, ..index(name, columns) }
}

/// A statement for SQLite only.
pub fn sqlite(create: &str) -> Part {
    Part::Own(Own { dialect: Dialect::Sqlite, create: create.into() })
}

/// A statement for PostgreSQL only.
pub fn postgres(create: &str) -> Part {
    Part::Own(Own { dialect: Dialect::Postgres, create: create.into() })
}

/// A table without `updated_at`, and the reason: its rows never change, or say it otherwise.
pub fn never_updated(reason: &'static str) -> Part {
    Part::NeverUpdated(reason)
}

fn names<const N: usize>(columns: [impl Iden; N]) -> Vec<String> {
    columns.iter().map(|column| column.unquoted().to_owned()).collect()
}

impl Index {
    /// Only of the rows for which this holds.
    pub fn only_where(mut self, sql: &str) -> Self {
        self.condition = Some(sql.into());
        self
    }

    /// Only on PostgreSQL, of this kind.
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
    /// With one more column. The constraints that are its own are called `<table>_<column>_key`, `_fkey` and `_check`.
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

    /// A table whose changes call no hooks, and the reason.
    pub fn without_hooks(self, reason: &'static str) -> Self {
        Self { without_hooks: Some(reason), ..self }
    }

    /// With one more part.
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
