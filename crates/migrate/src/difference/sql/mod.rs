//! The statements of a migration, from what changes.

mod postgres;
mod sqlite;

use std::collections::BTreeSet;

use super::change::{Change, Part, difference};
use super::rename::{Rename, rename};
use crate::Dialect;
use crate::schema::{Object, Schema};
use crate::tables::create::{called, definition, references};
use crate::tables::table::{Column, ForeignKey};

/// One way of a migration.
pub struct Script {
    /// The statements, each with the comment above it.
    pub sql: String,
    /// What changes, a sentence each.
    pub changes: Vec<String>,
    /// What is lost, a sentence each.
    pub destructive: Vec<String>,
    /// Which columns it adds by a line of their own, with their constraints.
    pub own_lines: BTreeSet<(String, String)>,
}

/// What the statements are made of.
struct Plan<'a> {
    dialect: Dialect,
    renames: &'a [Rename],
    /// What is there once the renames are done.
    from: Schema,
    to: &'a Schema,
    changes: Vec<Change>,
    /// Columns that were added by a line of their own, with their constraints: SQLite drops them in the same way.
    own_lines: &'a BTreeSet<(String, String)>,
}

/// From one schema to another. `own_lines` are columns that were added by a line of their own.
pub fn script(
    dialect: Dialect,
    from: &Schema,
    to: &Schema,
    renames: &[Rename],
    own_lines: &BTreeSet<(String, String)>,
) -> Script {
    let mut renamed = from.clone();
    renames.iter().for_each(|one| rename(&mut renamed, one, dialect));
    let changes = difference(&renamed, to);
    let told = renames.iter().map(Rename::sentence);
    let told = told.chain(changes.iter().map(|change| change.sentence(&renamed, to))).collect();
    let destructive = renames.iter().map(Rename::destroys).chain(changes.iter().filter_map(Change::destroys)).collect();
    let plan = Plan { dialect, renames, from: renamed, to, changes, own_lines };
    let (statements, own_lines) = match dialect {
        Dialect::Sqlite => (sqlite::statements(&plan), sqlite::own_lines(&plan)),
        Dialect::Postgres => (postgres::statements(&plan), BTreeSet::new()),
    };
    Script { sql: statements.join("\n") + "\n", changes: told, destructive, own_lines }
}

impl Plan<'_> {
    fn renames(&self) -> Vec<String> {
        let statement = |rename: &Rename| match rename {
            Rename::Table { from, to } => format!("ALTER TABLE {from} RENAME TO {to};"),
            Rename::Column { table, from, to } => format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to};"),
        };
        self.renames.iter().map(statement).collect()
    }

    /// Of each change of parts of one kind: the table, what was, what shall be.
    fn each<'p, T>(
        &'p self,
        of: impl Fn(&'p Part) -> Option<T> + Copy + 'p,
    ) -> impl Iterator<Item = (&'p str, Option<T>, Option<T>)> {
        self.changes.iter().filter_map(move |change| {
            let (from, to) = (change.from.as_ref().and_then(of), change.to.as_ref().and_then(of));
            (from.is_some() || to.is_some()).then_some((change.table.as_str(), from, to))
        })
    }

    fn is_dropped(&self, table: &str) -> bool {
        self.to.table(table).is_none()
    }

    fn is_added(&self, table: &str) -> bool {
        self.from.table(table).is_none()
    }

    fn columns(&self) -> impl Iterator<Item = (&str, Option<&Column>, Option<&Column>)> {
        self.each(|part| if let Part::Column(column) = part { Some(column) } else { None })
    }

    fn objects(&self) -> impl Iterator<Item = (&str, Option<&Object>, Option<&Object>)> {
        self.each(|part| if let Part::Object(object) = part { Some(object) } else { None })
    }

    /// The constraints that come with a new column and say something of it alone.
    fn with_column(&self, table: &str, column: &str) -> Vec<&Part> {
        let declared = self.to.table(table);
        let own = self.changes.iter().filter(|change| change.table == table && change.from.is_none());
        let own = own.filter_map(|change| change.to.as_ref());
        own.filter(|part| match part {
            Part::Unique(_) => self.dialect == Dialect::Postgres,
            // PostgreSQL must have what is referred to
            Part::ForeignKey(key) => self.dialect == Dialect::Sqlite || !self.is_added(&key.table),
            Part::Check(_) => true,
            _ => false,
        })
        .filter(|part| declared.is_some_and(|declared| part.columns(declared) == [column]))
        .collect()
    }

    /// The constraints that the lines of new columns have.
    fn in_lines(&self) -> Vec<&Part> {
        let added = self.columns().filter(|(_, from, to)| from.is_none() && to.is_some());
        added.flat_map(|(table, _, to)| self.with_column(table, to.map_or("", |column| &column.name))).collect()
    }

    /// `ALTER TABLE … ADD COLUMN …;`
    fn add_column(&self, table: &str, column: &Column) -> String {
        let mut text = format!("ALTER TABLE {table} ADD COLUMN {} {}", column.name, definition(column, self.dialect));
        for part in self.with_column(table, &column.name) {
            text.push_str(&format!("\n    {}{}", called(part.name()), in_line(part)));
        }
        text + ";"
    }
}

/// A constraint in the line of its column.
fn in_line(part: &Part) -> String {
    match part {
        Part::Check(check) => format!("CHECK ({})", check.expression),
        Part::ForeignKey(key) => references(key),
        Part::Unique(_) => "UNIQUE".into(),
        _ => String::new(),
    }
}

/// What rows get in a column that allows no null and has no default.
fn filling(column: &Column) -> &'static str {
    match column.kind.as_str() {
        "BIGINT" | "INTEGER" => "0",
        "BOOLEAN" => "FALSE",
        "TIMESTAMPTZ" => "'1970-01-01T00:00:00+00:00'",
        _ => "''",
    }
}

/// A column that rows which are there cannot have.
pub fn needs_filling(column: &Column) -> bool {
    !column.null && column.default.is_none() && !column.identity
}

fn lost(column: &Column) -> String {
    format!("-- What the rows had in {} is lost: they get {}.", column.name, filling(column))
}

fn foreign_key(part: &Part) -> Option<&ForeignKey> {
    if let Part::ForeignKey(key) = part { Some(key) } else { None }
}
