//! The statements for PostgreSQL, which changes each part in its place.

use super::{Plan, filling, foreign_key, lost, needs_filling};
use crate::Dialect;
use crate::difference::change::Part;
use crate::schema::Object;
use crate::tables::create;
use crate::tables::table::Column;

/// First goes what depends on others, then what others depend on; what comes, comes the other way round.
pub fn statements(plan: &Plan<'_>) -> Vec<String> {
    let mut sql = plan.renames();
    let extensions = plan.objects().filter_map(|(_, _, to)| to.filter(|object| object.kind == "EXTENSION"));
    sql.extend(extensions.map(|object| format!("{};", object.create)));
    sql.extend(goes(plan));
    sql.extend(comes(plan));
    sql
}

fn goes(plan: &Plan<'_>) -> Vec<String> {
    let mut sql = vec![];
    let depends = |object: &Object| ["TRIGGER", "VIEW", "MATERIALIZED VIEW"].contains(&object.kind.as_str());
    for (table, from, _) in plan.objects() {
        match from {
            Some(trigger) if trigger.kind == "TRIGGER" && !plan.is_dropped(table) => {
                sql.push(format!("DROP TRIGGER {} ON {table};", trigger.name));
            }
            Some(view) if depends(view) && view.kind != "TRIGGER" => {
                sql.push(format!("DROP {} {};", view.kind, view.name))
            }
            _ => {}
        }
    }
    for (table, from, to) in plan.each(|part| if let Part::Index(index) = part { Some(index) } else { None }) {
        match (from, to) {
            (Some(from), Some(to)) if from.name != to.name => {
                sql.push(format!("ALTER INDEX {} RENAME TO {};", from.name, to.name));
            }
            (Some(from), _) if !plan.is_dropped(table) => sql.push(format!("DROP INDEX {};", from.name)),
            _ => {}
        }
    }
    sql.extend(constraints_go(plan));
    for table in plan.from.tables.iter().rev().filter(|table| plan.is_dropped(&table.name)) {
        sql.push(format!("DROP TABLE {};", table.name));
    }
    for (_, from, to) in plan.objects() {
        if let (Some(object), None) = (from.filter(|object| !depends(object)), to) {
            sql.push(format!("DROP {} {};", object.kind, object.name));
        }
    }
    for (table, from, to) in plan.columns() {
        if let (Some(column), None) = (from, to) {
            sql.push(format!("ALTER TABLE {table} DROP COLUMN {};", column.name));
        }
    }
    sql
}

fn constraints_go(plan: &Plan<'_>) -> Vec<String> {
    let mut sql = vec![];
    let constraints = |part| constraint(part).is_some();
    let changes = plan.changes.iter().filter(|change| change.from.as_ref().is_some_and(constraints));
    let (keys, others): (Vec<_>, Vec<_>) =
        changes.partition(|change| change.from.as_ref().and_then(foreign_key).is_some());
    for change in keys.into_iter().chain(others) {
        let (table, Some(from)) = (&change.table, &change.from) else { continue };
        match &change.to {
            Some(to) if to.name() != from.name() => {
                sql.push(format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {};", from.name(), to.name()));
                continue;
            }
            Some(_) => sql.extend(change.warning()),
            // it goes with its column, unless what it refers to goes before
            None if foreign_key(from).is_none_or(|key| !plan.is_dropped(&key.table)) => {
                let gone = |name: &String| {
                    plan.columns()
                        .any(|(of, from, to)| of == table && to.is_none() && from.is_some_and(|c| c.name == *name))
                };
                let columns = plan.from.table(table).map(|table| from.columns(table)).unwrap_or_default();
                if columns.iter().any(gone) {
                    continue;
                }
            }
            None => {}
        }
        sql.push(format!("ALTER TABLE {table} DROP CONSTRAINT {};", from.name()));
    }
    sql
}

fn comes(plan: &Plan<'_>) -> Vec<String> {
    let mut sql = vec![];
    for change in &plan.changes {
        let table = &change.table;
        match (&change.from, &change.to) {
            (None, Some(Part::Column(column))) if needs_filling(column) => {
                let filled = Column { default: Some(filling(column).into()), ..column.clone() };
                sql.push(lost(column));
                sql.push(plan.add_column(table, &filled));
                sql.push(format!("ALTER TABLE {table} ALTER COLUMN {} DROP DEFAULT;", column.name));
            }
            (None, Some(Part::Column(column))) => sql.push(plan.add_column(table, column)),
            (Some(Part::Column(from)), Some(Part::Column(to))) => {
                sql.extend(change.warning());
                sql.extend(column_changes(table, from, to));
            }
            _ => {}
        }
    }
    let in_lines = plan.in_lines();
    let constraint = |wanted: &dyn Fn(&Part) -> bool| {
        let mut sql = vec![];
        for change in &plan.changes {
            let renamed =
                change.from.as_ref().zip(change.to.as_ref()).is_some_and(|(from, to)| from.name() != to.name());
            let to = change.to.as_ref().filter(|part| !renamed && wanted(part) && !in_lines.contains(part));
            if let Some(text) = to.and_then(constraint) {
                sql.push(format!("ALTER TABLE {} ADD {text};", change.table));
            }
        }
        sql
    };
    sql.extend(constraint(&|part| matches!(part, Part::PrimaryKey(_) | Part::Unique(_))));
    for table in plan.to.tables.iter().filter(|table| plan.is_added(&table.name)) {
        sql.push(create::create_table(table, Dialect::Postgres));
        sql.extend(table.indexes.iter().map(|index| create::create_index(index, &table.name)));
    }
    sql.extend(constraint(&|part| matches!(part, Part::Check(_))));
    sql.extend(constraint(&|part| matches!(part, Part::ForeignKey(_))));
    for (table, from, to) in plan.each(|part| if let Part::Index(index) = part { Some(index) } else { None }) {
        if let Some(to) = to.filter(|to| from.is_none_or(|from| from.name == to.name)) {
            sql.push(create::create_index(to, table));
        }
    }
    for (_, from, to) in plan.objects() {
        if let Some(to) = to.filter(|object| object.kind != "EXTENSION") {
            let replaced = from.is_some() && to.create.starts_with("CREATE FUNCTION");
            let create =
                if replaced { to.create.replacen("CREATE", "CREATE OR REPLACE", 1) } else { to.create.clone() };
            sql.push(format!("{create};"));
        }
    }
    sql
}

/// A constraint as ADD wants it.
fn constraint(part: &Part) -> Option<String> {
    match part {
        Part::PrimaryKey(key) => Some(create::primary_key(key)),
        Part::Unique(key) => Some(create::unique(key)),
        Part::Check(check) => Some(create::check(check)),
        Part::ForeignKey(key) => Some(create::foreign_key(key)),
        _ => None,
    }
}

fn column_changes(table: &str, from: &Column, to: &Column) -> Vec<String> {
    let alter = |what: String| format!("ALTER TABLE {table} ALTER COLUMN {} {what};", to.name);
    let mut sql = vec![];
    let mut default = from.default.clone();
    if from.identity && !to.identity {
        sql.push(alter("DROP IDENTITY".into()));
    }
    if from.kind != to.kind {
        if default.take().is_some() {
            sql.push(alter("DROP DEFAULT".into()));
        }
        sql.push(alter(format!("TYPE {} USING {}::{}", to.kind, to.name, to.kind)));
    }
    if default != to.default {
        sql.push(alter(to.default.as_ref().map_or("DROP DEFAULT".into(), |sql| format!("SET DEFAULT {sql}"))));
    }
    match (from.null, to.null) {
        (false, true) => sql.push(alter("DROP NOT NULL".into())),
        (true, false) => {
            if let Some(default) = &to.default {
                sql.push(format!("UPDATE {table} SET {0} = {default} WHERE {0} IS NULL;", to.name));
            }
            sql.push(alter("SET NOT NULL".into()));
        }
        _ => {}
    }
    if !from.identity && to.identity {
        sql.push(alter("ADD GENERATED BY DEFAULT AS IDENTITY".into()));
    }
    sql
}
