//! The statements for SQLite, which adds and drops columns and indexes in place; for all else a table is made anew
//! (<https://www.sqlite.org/lang_altertable.html>, section 7). Migrations run with foreign keys off.

use std::collections::BTreeSet;

use super::{Plan, filling, lost, needs_filling};
use crate::Dialect;
use crate::difference::change::{Change, Part};
use crate::schema::Object;
use crate::tables::Table;
use crate::tables::create;
use crate::tables::table::{Column, Index};

pub fn statements(plan: &Plan<'_>) -> Vec<String> {
    let mut sql = plan.renames();
    let anew: Vec<&Table> = plan.to.tables.iter().filter(|table| is_made_anew(plan, &table.name)).collect();
    // what goes with a table that is made anew, or says something of it while it is not there
    let goes_with = |object: &Object| anew.iter().any(|table| object.table.as_ref() == Some(&table.name));
    let is_in_the_way = |object: &Object| goes_with(object) || anew.iter().any(|table| object.concerns(&table.name));
    let changed = |object: &Object| plan.objects().any(|(_, from, _)| from == Some(object));
    for object in &plan.from.objects {
        let with_table = object.table.as_deref().is_some_and(|table| plan.is_dropped(table)) || goes_with(object);
        if !with_table && (changed(object) || is_in_the_way(object)) {
            let kind = if object.kind == "VIRTUAL TABLE" { "TABLE" } else { &object.kind };
            sql.push(format!("DROP {kind} {};", object.name));
        }
    }
    let untouched = |table: &str| !anew.iter().any(|other| other.name == table);
    for (table, from, _) in indexes(plan) {
        if let Some(index) = from.filter(|_| untouched(table) && !plan.is_dropped(table)) {
            sql.push(format!("DROP INDEX {};", index.name));
        }
    }
    for table in plan.from.tables.iter().rev().filter(|table| plan.is_dropped(&table.name)) {
        sql.push(format!("DROP TABLE {};", table.name));
    }
    for table in &plan.to.tables {
        if plan.is_added(&table.name) {
            sql.push(create::create_table(table, Dialect::Sqlite));
            sql.extend(table.indexes.iter().map(|index| create::create_index(index, &table.name)));
        } else if untouched(&table.name) {
            sql.extend(in_place(plan, &table.name));
        } else {
            sql.extend(make_anew(plan, table));
        }
    }
    for (table, _, to) in indexes(plan) {
        if let Some(index) = to.filter(|_| untouched(table)) {
            sql.push(create::create_index(index, table));
        }
    }
    let comes = |object: &&Object| plan.objects().any(|(_, _, to)| to == Some(object)) || is_in_the_way(object);
    for object in plan.to.objects.iter().filter(comes) {
        sql.push(format!("{};", object.create));
        // the rows of the other table are there already
        if object.follows() {
            sql.push(format!("INSERT INTO {0} ({0}) VALUES ('rebuild');", object.name));
        }
    }
    sql
}

/// The columns that are added by a line of their own.
pub fn own_lines(plan: &Plan<'_>) -> BTreeSet<(String, String)> {
    let added = plan.columns().filter(|(table, from, _)| from.is_none() && !is_made_anew(plan, table));
    added.filter_map(|(table, _, to)| Some((table.to_owned(), to?.name.clone()))).collect()
}

fn indexes<'p>(plan: &'p Plan<'_>) -> impl Iterator<Item = (&'p str, Option<&'p Index>, Option<&'p Index>)> {
    plan.each(|part| if let Part::Index(index) = part { Some(index) } else { None })
}

/// Whether something changes that SQLite cannot change in place.
fn is_made_anew(plan: &Plan<'_>, table: &str) -> bool {
    let Some(from) = plan.from.table(table) else { return false };
    let in_lines = plan.in_lines();
    plan.changes.iter().filter(|change| change.table == table).any(|change| match (&change.from, &change.to) {
        (_, Some(Part::Index(_) | Part::Object(_))) | (Some(Part::Index(_) | Part::Object(_)), None) => false,
        (None, Some(Part::Column(column))) => !can_be_added(column),
        (Some(Part::Column(column)), None) => !can_be_dropped(plan, from, column),
        (None, Some(part)) => !in_lines.contains(&part),
        // with its column, if that can be dropped
        (Some(part), None) => {
            let of = part.columns(from);
            !matches!(of.as_slice(), [column] if plan.own_lines.contains(&(table.to_owned(), column.clone()))
                && plan.to.table(table).is_some_and(|to| to.columns.iter().all(|other| other.name != *column)))
        }
        _ => true,
    })
}

/// SQLite takes only constants for the rows that are there.
fn can_be_added(column: &Column) -> bool {
    let constant = |sql: &String| !sql.contains('(') && !sql.to_uppercase().starts_with("CURRENT");
    !column.identity && !needs_filling(column) && column.default.iter().all(constant)
}

/// No constraint may be about it, unless it stands in the line of the column.
fn can_be_dropped(plan: &Plan<'_>, table: &Table, column: &Column) -> bool {
    if plan.own_lines.contains(&(table.name.clone(), column.name.clone())) {
        return true;
    }
    let keys = table.primary_key.iter().cloned().map(Part::PrimaryKey);
    let keys = keys.chain(table.uniques.iter().cloned().map(Part::Unique));
    let parts = keys.chain(table.foreign_keys.iter().cloned().map(Part::ForeignKey));
    let mut parts = parts.chain(table.checks.iter().cloned().map(Part::Check));
    !parts.any(|part| part.columns(table).contains(&column.name))
}

fn in_place(plan: &Plan<'_>, table: &str) -> Vec<String> {
    let statement = |(of, from, to): (&str, Option<&Column>, Option<&Column>)| match (from, to) {
        (None, Some(column)) if of == table => Some(plan.add_column(table, column)),
        (Some(column), None) if of == table => Some(format!("ALTER TABLE {table} DROP COLUMN {};", column.name)),
        _ => None,
    };
    plan.columns().filter_map(statement).collect()
}

fn make_anew(plan: &Plan<'_>, table: &Table) -> Vec<String> {
    let (name, new) = (&table.name, format!("{}_new", table.name));
    let mut sql = vec![format!("-- SQLite cannot change this in place: {name} is made anew.")];
    sql.extend(plan.changes.iter().filter(|change| change.table == *name).filter_map(Change::warning));
    let (mut columns, mut values) = (vec![], vec![]);
    for column in &table.columns {
        let old = plan.from.table(name).and_then(|old| old.columns.iter().find(|old| old.name == column.name));
        let value = match (old, &column.default) {
            (Some(old), Some(default)) if old.null && !column.null => format!("coalesce({}, {default})", column.name),
            (Some(_), _) => column.name.clone(),
            (None, None) if needs_filling(column) => {
                sql.push(lost(column));
                filling(column).to_owned()
            }
            (None, _) => continue,
        };
        columns.push(column.name.clone());
        values.push(value);
    }
    sql.push(create::create_table(&Table { name: new.clone(), ..table.clone() }, Dialect::Sqlite));
    sql.push(format!("INSERT INTO {new} ({})\nSELECT {} FROM {name};", columns.join(", "), values.join(", ")));
    if table.columns.iter().any(|column| column.identity) {
        sql.push("-- A number that was given once is not given again.".into());
        sql.push(format!("DELETE FROM sqlite_sequence WHERE name = '{new}';"));
        sql.push(format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT '{new}', seq FROM sqlite_sequence WHERE name = '{name}';"
        ));
    }
    sql.push(format!("DROP TABLE {name};"));
    sql.push(format!("ALTER TABLE {new} RENAME TO {name};"));
    sql.extend(table.indexes.iter().map(|index| create::create_index(index, name)));
    sql
}
