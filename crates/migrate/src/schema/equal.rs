//! Compares the schemas of SQLite and PostgreSQL by meaning.

use std::collections::BTreeMap;

use super::{Schema, text};
use crate::tables::Table;
use crate::tables::table::Column;

/// Returns one sentence for each difference. The indexes named in `only` may exist in one of the databases only.
pub fn unequal(sqlite: &Schema, postgres: &Schema, only: &[String]) -> Vec<String> {
    let mut faults = vec![];
    let by_name = |schema: &Schema| -> BTreeMap<String, Table> {
        schema.tables.iter().map(|table| (table.name.clone(), table.clone())).collect()
    };
    for (name, pair) in pairs(by_name(sqlite), by_name(postgres)) {
        match pair {
            (Some(one), Some(other)) => tables(&one, &other, only, &mut faults),
            (one, _) => faults.push(format!("{name}: only {} has the table", which(one.is_some()))),
        }
    }
    faults
}

/// What a name stands for on each of two sides.
fn pairs<T>(one: BTreeMap<String, T>, other: BTreeMap<String, T>) -> BTreeMap<String, (Option<T>, Option<T>)> {
    let mut pairs: BTreeMap<String, (Option<T>, Option<T>)> = BTreeMap::new();
    one.into_iter().for_each(|(name, value)| pairs.entry(name).or_default().0 = Some(value));
    other.into_iter().for_each(|(name, value)| pairs.entry(name).or_default().1 = Some(value));
    pairs
}

fn which(sqlite: bool) -> &'static str {
    if sqlite { "SQLite" } else { "PostgreSQL" }
}

fn tables(sqlite: &Table, postgres: &Table, only: &[String], faults: &mut Vec<String>) {
    for (name, pair) in pairs(meaning(sqlite), meaning(postgres)) {
        match pair {
            (Some(one), Some(other)) if one != other => {
                faults.push(format!("{name}: SQLite has `{one}`, PostgreSQL has `{other}`"));
            }
            (Some(_), Some(_)) => {}
            _ if only.iter().any(|only| name.ends_with(&format!(" {only}"))) => {}
            (one, other) => {
                let text = one.as_ref().or(other.as_ref()).map(String::as_str).unwrap_or_default();
                faults.push(format!("{name}: only {} has it: `{text}`", which(one.is_some())));
            }
        }
    }
}

/// Every part by its place and name, in words that both databases have.
fn meaning(table: &Table) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let place = |columns: &[String]| match columns {
        [column] => format!("{}.{column}", table.name),
        _ => table.name.clone(),
    };
    for column in &table.columns {
        parts.insert(format!("{}.{}", table.name, column.name), column_meaning(column));
    }
    if let Some(key) = &table.primary_key {
        parts.insert(format!("{}: primary key {}", place(&key.columns), key.name), key.columns.join(", "));
    }
    for key in &table.uniques {
        parts.insert(format!("{}: unique {}", place(&key.columns), key.name), key.columns.join(", "));
    }
    for key in &table.foreign_keys {
        let text = crate::tables::create::references(key);
        parts.insert(
            format!("{}: foreign key {}", place(&key.columns), key.name),
            format!("({}) {text}", key.columns.join(", ")),
        );
    }
    for check in &table.checks {
        let (place, text) = match text::words(&check.expression) {
            Some((column, words)) => (place(&[column]), words.join(", ")),
            None => (table.name.clone(), spelled(&check.expression)),
        };
        parts.insert(format!("{place}: check {}", check.name), text);
    }
    for index in &table.indexes {
        let columns: Vec<_> = index.columns.iter().map(|sql| spelled(sql)).collect();
        let text = format!(
            "{}({}){}",
            if index.unique { "unique " } else { "" },
            columns.join(", "),
            index.condition.as_ref().map(|sql| format!(" where {}", spelled(sql))).unwrap_or_default(),
        );
        parts.insert(format!("{}: index {}", table.name, index.name), text);
    }
    parts
}

fn column_meaning(column: &Column) -> String {
    let mut text = column.kind.clone();
    for (is, word) in [(column.identity, " counted up"), (!column.null, " NOT NULL")] {
        text.push_str(if is { word } else { "" });
    }
    if let Some(default) = &column.default {
        // PostgreSQL tells a moment as `2026-01-02 03:04:05+00`, SQLite as it was written
        let default = match column.kind.as_str() {
            "TIMESTAMPTZ" => default.replacen('T', " ", 1).replace("+00:00", "+00"),
            _ if default.starts_with('\'') => default.clone(),
            _ => default.to_ascii_lowercase(),
        };
        text.push_str(&format!(" DEFAULT {default}"));
    }
    text
}

/// Without case, casts, parentheses and white space.
fn spelled(sql: &str) -> String {
    let mut parts = sql.split("::");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // behind the colons stands the name of a type
        text.push_str(part.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
    }
    text.retain(|c| !c.is_whitespace() && c != '(' && c != ')');
    text.to_lowercase()
}
