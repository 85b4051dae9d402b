//! What a table is, as plain values: those of the code and those that a database really has.

use sea_query::Iden;

use crate::db::{Dialect, permit};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What its rows are; empty if a database tells of it.
    pub about: String,
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// What identifies a row.
    pub primary_key: Option<Key>,
    /// What no two rows have in common.
    pub uniques: Vec<Key>,
    /// Whom it refers to.
    pub foreign_keys: Vec<ForeignKey>,
    /// What holds for each row.
    pub checks: Vec<Check>,
    /// How it is looked into.
    pub indexes: Vec<Index>,
    /// What only one of the databases has.
    pub own: Vec<Own>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, by the name that both databases take.
    pub kind: String,
    /// The database counts it up.
    pub identity: bool,
    /// It may be null.
    pub null: bool,
    /// What it is if an INSERT does not say, as SQL.
    pub default: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// A reference to rows of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// Whom they refer to.
    pub table: String,
    /// The columns there.
    pub referred: Vec<String>,
    /// What becomes of the row when the other goes.
    pub on_delete: Action,
    /// What becomes of the row when the other's key changes.
    pub on_update: Action,
}

/// What a foreign key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are SQL's words")]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// A condition that each row keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// The condition, as SQL.
    pub expression: String,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns or expressions, as SQL.
    pub columns: Vec<String>,
    /// No two rows have them in common.
    pub unique: bool,
    /// Which rows it has, as SQL; all if none.
    pub condition: Option<String>,
    /// Its kind, if it is no tree.
    pub method: Option<String>,
    /// The database that has it; both if none.
    pub only: Option<Dialect>,
}

/// What one of the databases has and the other does otherwise or not at all: a virtual table, a trigger, a function, an
/// extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Which.
    pub dialect: Dialect,
    /// The statement that makes it.
    pub create: String,
}

/// What a table has beside its columns.
#[expect(missing_docs, reason = "each is a type that says what it is")]
pub enum Part {
    PrimaryKey(Key),
    Unique(Key),
    Check(Check),
    Index(Index),
    Own(Own),
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
    pub fn references<T: permit::Table>(mut self, column: T, on_delete: Action) -> Self {
        self.references = Some((T::TABLE.unquoted().to_owned(), column.unquoted().to_owned(), on_delete));
        self
    }
}

/// The primary key, where it is not one column that the database counts up.
pub fn primary_key<T: permit::Table, const N: usize>(columns: [T; N]) -> Part {
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

impl Action {
    /// Its words in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

impl Table {
    /// A table that has nothing yet.
    pub fn new(name: &str, about: &str) -> Self {
        Self {
            about: about.trim().into(),
            name: name.into(),
            columns: vec![],
            primary_key: None,
            uniques: vec![],
            foreign_keys: vec![],
            checks: vec![],
            indexes: vec![],
            own: vec![],
        }
    }

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

    /// With one more part.
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        match part.into() {
            Part::PrimaryKey(key) => self.primary_key = Some(key),
            Part::Unique(key) => self.uniques.push(key),
            Part::Check(check) => self.checks.push(check),
            Part::Index(index) => self.indexes.push(index),
            Part::Own(own) => self.own.push(own),
        }
        self
    }
}

/// The condition that a column is one of these words.
pub fn one_of(column: &str, words: &[impl AsRef<str>]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.as_ref().replace('\'', "''"))).collect();
    format!("{column} IN ({})", words.join(", "))
}
