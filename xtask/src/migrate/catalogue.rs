//! The permissions that the code knows, held against the rows that the migrations insert.

use ::accord::auth::permission::{Entry, Target};
use ::accord::db::Dialect;
use sqlx::{Connection, PgConnection, SqliteConnection};

/// A name, a target, what its holder may do.
type Row = (String, Option<String>, String);

/// What brings the rows in line, and back.
pub struct Rows {
    pub up: String,
    pub down: String,
    pub changes: Vec<String>,
}

/// The statements for what is missing, superfluous or described otherwise; none if nothing is.
pub async fn difference(entries: &[&Entry], url: &str) -> anyhow::Result<Option<Rows>> {
    let (declared, there) = (rows(entries), read(url).await?);
    let dialect = Dialect::of(url);
    let missing = |one: &[Row], other: &[Row]| -> Vec<Row> {
        one.iter().filter(|row| !other.iter().any(|known| known.0 == row.0)).cloned().collect()
    };
    let changed: Vec<(Row, Row)> = declared
        .iter()
        .filter_map(|new| Some((there.iter().find(|old| old.0 == new.0 && *old != new)?.clone(), new.clone())))
        .collect();
    let (new, gone) = (missing(&declared, &there), missing(&there, &declared));
    if new.is_empty() && gone.is_empty() && changed.is_empty() {
        return Ok(None);
    }
    let mut changes: Vec<String> = new.iter().map(|row| format!("permission {} is new", row.0)).collect();
    changes.extend(gone.iter().map(|row| format!("permission {} goes, and what was granted with it", row.0)));
    changes.extend(changed.iter().map(|(_, row)| format!("permission {} is described otherwise", row.0)));
    let back: Vec<(Row, Row)> = changed.iter().map(|(old, new)| (new.clone(), old.clone())).collect();
    let up = [delete(&gone), insert(&new, dialect), update(&changed)].concat();
    let down = [update(&back), delete(&new), insert(&gone, dialect)].concat();
    Ok(Some(Rows { up, down, changes }))
}

/// The permissions of which the rows differ, a sentence each.
pub async fn faults(entries: &[&Entry], url: &str) -> anyhow::Result<Vec<String>> {
    let found = difference(entries, url).await?;
    Ok(found.map(|rows| rows.changes).unwrap_or_default())
}

fn rows(entries: &[&Entry]) -> Vec<Row> {
    let row =
        |entry: &&Entry| (entry.name.into(), entry.target.map(|t| Target::word(t).into()), entry.description.into());
    let mut rows: Vec<Row> = entries.iter().map(row).collect();
    rows.sort();
    rows
}

async fn read(url: &str) -> anyhow::Result<Vec<Row>> {
    let sql = "SELECT name, target, description FROM permissions ORDER BY name";
    Ok(if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await?;
        let rows = sqlx::query_as(sql).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows
    } else {
        let mut connection = PgConnection::connect(url).await?;
        let rows = sqlx::query_as(sql).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows
    })
}

fn insert(rows: &[Row], dialect: Dialect) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let now = match dialect {
        Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
        Dialect::Postgres => "now()",
    };
    let line = |(name, target, description): &Row| {
        let target = target.as_deref().map_or("NULL".into(), quoted);
        format!("    ({}, {target}, {}, {now}, {now})", quoted(name), quoted(description))
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    format!(
        "-- What operations mean by these names, whoever has put them there.\n\
         INSERT INTO permissions (name, target, description, created_at, updated_at) VALUES\n{}\n\
         ON CONFLICT (name) DO UPDATE SET\n    \
         target = excluded.target, description = excluded.description, updated_at = excluded.updated_at;\n",
        lines.join(",\n")
    )
}

fn delete(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let names: Vec<_> = rows.iter().map(|row| quoted(&row.0)).collect();
    let names = names.join(", ");
    // SQLite's foreign keys are off meanwhile
    format!("DELETE FROM grants WHERE permission IN ({names});\nDELETE FROM permissions WHERE name IN ({names});\n")
}

fn update(rows: &[(Row, Row)]) -> String {
    let line = |(_, (name, target, description)): &(Row, Row)| {
        let target = target.as_deref().map_or("NULL".into(), quoted);
        let name = quoted(name);
        format!(
            "UPDATE permissions SET target = {target}, description = {} WHERE name = {name};\n",
            quoted(description)
        )
    };
    rows.iter().map(line).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
