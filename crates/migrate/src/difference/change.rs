//! The changes from one schema to another, each with the part before and the part after.

use crate::Dialect;
use crate::schema::{Object, Schema, text};
use crate::tables::Table;
use crate::tables::create;
use crate::tables::table::{Check, Column, ForeignKey, Index, Key};

/// A part of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each holds a type of the same name")]
pub enum Part {
    Table(Table),
    Column(Column),
    PrimaryKey(Key),
    Unique(Key),
    ForeignKey(ForeignKey),
    Check(Check),
    Index(Index),
    Object(Object),
}

/// An addition (no `from`), a removal (no `to`), a change or a rename of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new name of the table; empty for an object that belongs to no table.
    pub table: String,
    /// The part before the change.
    pub from: Option<Part>,
    /// The part after the change.
    pub to: Option<Part>,
}

impl Part {
    /// Returns the name of the part.
    pub fn name(&self) -> &str {
        match self {
            Self::Table(table) => &table.name,
            Self::Column(column) => &column.name,
            Self::PrimaryKey(key) | Self::Unique(key) => &key.name,
            Self::ForeignKey(key) => &key.name,
            Self::Check(check) => &check.name,
            Self::Index(index) => &index.name,
            Self::Object(object) => &object.name,
        }
    }

    /// Returns the part with another name.
    fn called(mut self, new: &str) -> Self {
        let name = match &mut self {
            Self::Table(table) => &mut table.name,
            Self::Column(column) => &mut column.name,
            Self::PrimaryKey(key) | Self::Unique(key) => &mut key.name,
            Self::ForeignKey(key) => &mut key.name,
            Self::Check(check) => &mut check.name,
            Self::Index(index) => &mut index.name,
            Self::Object(object) => &mut object.name,
        };
        new.clone_into(name);
        self
    }

    /// Returns the columns that the part concerns; for an expression, those that it names.
    pub fn columns(&self, table: &Table) -> Vec<String> {
        let named = |sql: &[&str]| {
            let names = table.columns.iter().map(|column| &column.name);
            names.filter(|name| sql.iter().any(|sql| text::mentions(sql, name))).cloned().collect()
        };
        match self {
            Self::Column(column) => vec![column.name.clone()],
            Self::PrimaryKey(key) | Self::Unique(key) => key.columns.clone(),
            Self::ForeignKey(key) => key.columns.clone(),
            Self::Check(check) => named(&[&check.expression]),
            Self::Index(index) => {
                named(&index.columns.iter().chain(&index.condition).map(String::as_str).collect::<Vec<_>>())
            }
            Self::Table(_) | Self::Object(_) => vec![],
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Table(_) => "table".into(),
            Self::Column(_) => "column".into(),
            Self::PrimaryKey(_) => "primary key".into(),
            Self::Unique(_) => "unique constraint".into(),
            Self::ForeignKey(_) => "foreign key".into(),
            Self::Check(_) => "check".into(),
            Self::Index(_) => "index".into(),
            Self::Object(object) => object.kind.to_lowercase(),
        }
    }

    fn sql(&self) -> String {
        match self {
            Self::Table(_) => String::new(),
            Self::Column(column) => create::definition(column, Dialect::Postgres),
            Self::PrimaryKey(key) | Self::Unique(key) => format!("({})", key.columns.join(", ")),
            Self::ForeignKey(key) => format!("({}) {}", key.columns.join(", "), create::references(key)),
            Self::Check(check) => check.expression.clone(),
            Self::Index(index) => {
                let sql = create::create_index(index, "");
                sql.split_once(" ON ").map_or(sql.clone(), |(_, over)| over.trim().trim_end_matches(';').to_owned())
            }
            Self::Object(object) => object.create.clone(),
        }
    }
}

impl Change {
    fn part(&self) -> Option<&Part> {
        self.to.as_ref().or(self.from.as_ref())
    }

    /// Returns `table.column` if the change concerns one column, otherwise the table.
    fn place(&self, tables: [&Schema; 2]) -> String {
        let columns = |part: &Part| tables.iter().find_map(|schema| Some(part.columns(schema.table(&self.table)?)));
        match self.part() {
            Some(Part::Object(object)) if object.table.is_none() => "schema".into(),
            part => match part.and_then(columns).unwrap_or_default().as_slice() {
                [column] => format!("{}.{column}", self.table),
                _ => self.table.clone(),
            },
        }
    }

    /// Describes the change in one sentence: the place, the kind, and the SQL before and after.
    pub fn sentence(&self, from: &Schema, to: &Schema) -> String {
        let place = self.place([to, from]);
        let what = match (&self.from, &self.to) {
            (Some(old), Some(new)) if old.name() != new.name() => {
                format!("{} {} renamed, was {}", new.kind(), new.name(), old.name())
            }
            (Some(Part::Check(old)), Some(Part::Check(new))) => words_changed(old, new)
                .unwrap_or_else(|| format!("check {} changed: {} → {}", new.name, old.expression, new.expression)),
            (Some(_), Some(new @ Part::Object(_))) => format!("{} {} changed", new.kind(), new.name()),
            (Some(old @ Part::Column(_)), Some(new)) => format!("column changed: {} → {}", old.sql(), new.sql()),
            (Some(old), Some(new)) => format!("{} {} changed: {} → {}", new.kind(), new.name(), old.sql(), new.sql()),
            (None, Some(Part::Table(_))) => "table added".into(),
            (None, Some(new @ Part::Column(_))) => format!("column added: {}", new.sql()),
            (None, Some(new @ Part::Object(_))) => format!("{} {} added", new.kind(), new.name()),
            (None, Some(new)) => format!("{} {} added: {}", new.kind(), new.name(), new.sql()),
            (Some(Part::Table(_)), None) => "table dropped".into(),
            (Some(Part::Column(_)), None) => "column dropped".into(),
            (Some(old @ Part::Object(_)), None) => format!("{} {} dropped", old.kind(), old.name()),
            (Some(old), None) => format!("{} {} dropped: {}", old.kind(), old.name(), old.sql()),
            (None, None) => String::new(),
        };
        format!("{place}: {what}")
    }

    /// Returns the comment above the statement if existing rows may violate the change.
    pub fn warning(&self) -> Option<String> {
        let table = &self.table;
        match (&self.from, &self.to) {
            (Some(Part::Check(old)), Some(Part::Check(new))) => {
                let (column, gone) = words_gone(old, new)?;
                Some(format!("-- destructive: change the rows of {table} that have {gone} in {column} first."))
            }
            (Some(Part::Column(old)), Some(Part::Column(new))) if old.null && !new.null && new.default.is_none() => {
                Some(format!("-- Refused while a row of {table} has none: give it a {} first.", new.name))
            }
            _ => None,
        }
    }

    /// Describes the values that existing rows lose. Returns `None` if they lose none.
    pub fn destroys(&self) -> Option<String> {
        let table = &self.table;
        match (&self.from, &self.to) {
            (Some(Part::Table(_)), None) => Some(format!("{table}: the rows of the table are lost")),
            (Some(Part::Column(column)), None) => Some(format!("{table}.{}: what the rows have is lost", column.name)),
            (Some(Part::Object(object)), _) if object.kind == "VIRTUAL TABLE" && !object.follows() => {
                Some(format!("{}: what it keeps is lost", object.name))
            }
            _ => None,
        }
    }
}

/// The enum values of a column that the new check rejects.
fn words_gone(old: &Check, new: &Check) -> Option<(String, String)> {
    let ((column, old), (other, new)) = (text::words(&old.expression)?, text::words(&new.expression)?);
    let gone: Vec<_> = old.iter().filter(|word| !new.contains(word)).map(|word| format!("'{word}'")).collect();
    (column == other && !gone.is_empty()).then(|| (column, gone.join(", ")))
}

fn words_changed(old: &Check, new: &Check) -> Option<String> {
    let ((column, before), (other, after)) = (text::words(&old.expression)?, text::words(&new.expression)?);
    if column != other {
        return None;
    }
    let only = |here: &[String], there: &[String]| {
        here.iter().filter(|word| !there.contains(word)).map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
    };
    let (added, gone) = (only(&after, &before), only(&before, &after));
    let told = [("added", added), ("dropped", gone)];
    let told: Vec<_> =
        told.iter().filter(|(_, words)| !words.is_empty()).map(|(what, words)| format!("{words} {what}")).collect();
    let told = if told.is_empty() { "in another order".to_owned() } else { told.join(", ") };
    Some(format!("words of check {} changed: {told}", new.name))
}

/// Returns the changes that turn `from` into `to`. Renames must be done already. The order of columns does not count.
pub fn difference(from: &Schema, to: &Schema) -> Vec<Change> {
    let mut changes = vec![];
    for table in from.tables.iter().filter(|table| to.table(&table.name).is_none()) {
        changes.push(Change { table: table.name.clone(), from: Some(Part::Table(table.clone())), to: None });
    }
    for table in &to.tables {
        match from.table(&table.name) {
            None => {
                changes.push(Change { table: table.name.clone(), from: None, to: Some(Part::Table(table.clone())) })
            }
            Some(old) => parts(&table.name, parts_of(old), parts_of(table), &mut changes),
        }
    }
    let objects = |schema: &Schema| schema.objects.iter().cloned().map(Part::Object).collect::<Vec<_>>();
    let mut found = vec![];
    parts("", objects(from), objects(to), &mut found);
    for change in &mut found {
        if let Some(Part::Object(Object { table: Some(table), .. })) = change.part() {
            change.table = table.clone();
        }
    }
    // an extension that nobody asked for may be the operator's
    found.retain(|change| !matches!((&change.from, &change.to), (Some(Part::Object(object)), None) if object.kind == "EXTENSION"));
    changes.extend(found);
    changes
}

fn parts_of(table: &Table) -> Vec<Part> {
    let mut parts: Vec<Part> = table.columns.iter().cloned().map(Part::Column).collect();
    parts.extend(table.primary_key.iter().cloned().map(Part::PrimaryKey));
    parts.extend(table.uniques.iter().cloned().map(Part::Unique));
    parts.extend(table.foreign_keys.iter().cloned().map(Part::ForeignKey));
    parts.extend(table.checks.iter().cloned().map(Part::Check));
    parts.extend(table.indexes.iter().cloned().map(Part::Index));
    parts
}

/// Returns whether both parts have the same kind and name.
fn twins(one: &Part, other: &Part) -> bool {
    one.kind() == other.kind() && one.name() == other.name()
}

fn same(one: &Part, other: &Part) -> bool {
    match (one, other) {
        (Part::Object(one), Part::Object(other)) => one.meaning() == other.meaning() || one.kind == "EXTENSION",
        _ => one == other,
    }
}

fn parts(table: &str, from: Vec<Part>, to: Vec<Part>, changes: &mut Vec<Change>) {
    let mut gone: Vec<Part> = from.iter().filter(|old| !to.iter().any(|new| twins(old, new))).cloned().collect();
    let mut push = |from, to| changes.push(Change { table: table.to_owned(), from, to });
    for new in to {
        match from.iter().find(|old| twins(old, &new)) {
            Some(old) if same(old, &new) => {}
            Some(old) => push(Some(old.clone()), Some(new)),
            None => {
                // a constraint or an index has nothing but its definition: with another name it is the same
                let renamed = |old: &Part| {
                    !matches!(old, Part::Column(_) | Part::Object(_)) && old.clone().called(new.name()) == new
                };
                let old = gone.iter().position(renamed).map(|at| gone.remove(at));
                push(old, Some(new));
            }
        }
    }
    gone.into_iter().for_each(|old| push(Some(old), None));
}
