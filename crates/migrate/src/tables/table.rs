//! Tables as plain values: the declared ones, and those that are read from a database.

use serde::{Deserialize, Serialize};

use crate::Dialect;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The description of the rows; empty if the table was read from a database.
    pub about: String,
    /// The name.
    pub name: String,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// The primary key.
    pub primary_key: Option<Key>,
    /// The unique constraints.
    pub uniques: Vec<Key>,
    /// The foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// The check constraints.
    pub checks: Vec<Check>,
    /// The indexes.
    pub indexes: Vec<Index>,
    /// Objects that exist in one of the databases only.
    pub own: Vec<Own>,
    /// The reason why the table has no `updated_at`.
    #[serde(skip)]
    pub never_updated: Option<&'static str>,
    /// The reason why changes of the table call no hooks.
    #[serde(skip)]
    pub without_hooks: Option<&'static str>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type, by a name that both databases accept.
    pub kind: String,
    /// Set if the database assigns the value, counting up.
    pub identity: bool,
    /// Set if the column allows NULL.
    pub null: bool,
    /// The default value as SQL.
    pub default: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The name.
    pub name: String,
    /// The columns.
    pub columns: Vec<String>,
}

/// A reference to rows of another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The name.
    pub name: String,
    /// The columns of this table.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// The columns of the other table.
    pub referred: Vec<String>,
    /// The action when the other row is deleted.
    pub on_delete: Action,
    /// The action when the key of the other row changes.
    pub on_update: Action,
}

/// The action of a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are SQL's words")]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name.
    pub name: String,
    /// The condition, as SQL.
    pub expression: String,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The name.
    pub name: String,
    /// The columns or expressions as SQL.
    pub columns: Vec<String>,
    /// Set if the index is unique.
    pub unique: bool,
    /// The condition of a partial index as SQL.
    pub condition: Option<String>,
    /// The index method if it is not a B-tree.
    pub method: Option<String>,
    /// The only database that has the index; `None` for both.
    pub only: Option<Dialect>,
}

/// An object that exists in one of the databases only: a virtual table, a trigger, a function, an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The database.
    pub dialect: Dialect,
    /// The statement that creates the object.
    pub create: String,
}

impl Action {
    /// Returns the action as SQL.
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
    /// Creates a table without columns.
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

/// Returns the condition that a column has one of these values.
pub fn one_of(column: &str, words: &[impl AsRef<str>]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.as_ref().replace('\'', "''"))).collect();
    format!("{column} IN ({})", words.join(", "))
}
