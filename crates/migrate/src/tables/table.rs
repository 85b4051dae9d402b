//! What a table is, as plain values: those of the code and those that a database really has.

use crate::Dialect;

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
    /// The reason why the table has no `updated_at`.
    pub never_updated: Option<&'static str>,
    /// The reason why changes of the table call no hooks.
    pub without_hooks: Option<&'static str>,
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
            never_updated: None,
            without_hooks: None,
        }
    }
}

/// The condition that a column is one of these words.
pub fn one_of(column: &str, words: &[impl AsRef<str>]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.as_ref().replace('\'', "''"))).collect();
    format!("{column} IN ({})", words.join(", "))
}
