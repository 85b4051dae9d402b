//! The schema of a SQLite database: everything is in the statements that it keeps.

use anyhow::Context;
use sqlx::SqliteConnection;

use super::{Object, Schema, text};

/// Each statement with its kind and table. The shadows of a virtual table belong to it.
const STATEMENTS: &str = "
SELECT s.type, s.tbl_name, s.sql FROM sqlite_schema s
WHERE s.sql IS NOT NULL AND s.tbl_name NOT LIKE '\\_sqlx\\_%' ESCAPE '\\' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
AND s.tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')";

pub async fn read(connection: &mut SqliteConnection) -> anyhow::Result<Schema> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(STATEMENTS).fetch_all(connection).await?;
    let mut schema = Schema { tables: vec![], objects: vec![] };
    let (tables, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(kind, ..)| kind == "table");
    for (_, name, sql) in tables {
        match Object::of(&sql).filter(|object| object.kind == "VIRTUAL TABLE") {
            Some(object) => schema.objects.push(object),
            None => schema.tables.push(text::table(&sql).with_context(|| format!("SQLite's table {name}"))?),
        }
    }
    for (kind, table, sql) in others {
        if kind == "index" {
            let index = text::index(&sql)?;
            let table = schema.tables.iter_mut().find(|other| other.name == table);
            table.with_context(|| format!("no table of the index {}", index.name))?.indexes.push(index);
        } else {
            let object = Object::of(&sql).with_context(|| format!("cannot be read: {sql}"))?;
            schema.objects.push(Object { table: (kind == "trigger").then_some(table), ..object });
        }
    }
    Ok(schema.sorted())
}
