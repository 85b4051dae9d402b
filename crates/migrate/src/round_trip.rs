//! The proof that migrations can be undone: rows go down and up again, one revision at a time, and the schema at head
//! is the same after a second run.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::difference::{self, change::difference};
use crate::rows::DeclaredRows;
use crate::schema::{self, Schema};
use crate::tables::Table;

/// All rows of all tables, by table.
pub type Data = BTreeMap<String, Vec<Map<String, Value>>>;

/// What differs each time a migration inserts a row of its own.
const VOLATILE: [&str; 3] = ["id", "created_at", "updated_at"];

/// A database, and the program that migrates it.
pub struct Walk<'a> {
    /// The name of the database in findings.
    pub kind: &'a str,
    /// Its URL. The database is empty at the start.
    pub url: &'a str,
    /// Runs the migrations with these arguments, such as `up +1`.
    pub step: &'a dyn Fn([&str; 2]) -> anyhow::Result<String>,
    /// Loads rows into the database at head.
    pub load: &'a dyn Fn() -> anyhow::Result<()>,
}

impl Walk<'_> {
    /// Migrates the empty database to head, loads the rows, and goes down and up through every revision. Returns one
    /// sentence for each row that is lost or changed. Ends at base.
    ///
    /// # Errors
    /// A step fails, the rows cannot be loaded, or the database does not answer.
    pub async fn faults(&self, revisions: &[String]) -> anyhow::Result<Vec<String>> {
        let mut own = vec![];
        let mut before = Data::new();
        for _ in revisions {
            (self.step)(["up", "+1"])?;
            let after = read(self.url).await?;
            own.push((new_rows(&before, &after), new_rows(&after, &before)));
            before = after;
        }
        (self.load)()?;
        let mut faults = vec![];
        for (revision, (inserted, removed)) in revisions.iter().zip(&own).rev() {
            let place = |way: &str| format!("{} › {revision}, {way}", self.kind);
            let above = read(self.url).await?;
            (self.step)(["down", "-1"])?;
            let below = read(self.url).await?;
            faults.extend(lost(&place("down"), &above, &below, inserted));
            (self.step)(["up", "+1"])?;
            faults.extend(lost(&place("up again"), &below, &read(self.url).await?, removed));
            (self.step)(["down", "-1"])?;
            faults.extend(lost(&place("down again"), &below, &read(self.url).await?, removed));
        }
        Ok(faults)
    }

    /// Checks that the rows are kept, that `down base` leaves nothing, that a second `up head` creates the same schema,
    /// and that this schema has the declared tables and rows. Returns one sentence for each fault, and the schema at
    /// head.
    ///
    /// # Errors
    /// As [`Walk::faults`].
    pub async fn check(
        &self,
        revisions: &[String],
        tables: &[Table],
        rows: &[DeclaredRows],
    ) -> anyhow::Result<(Vec<String>, Schema)> {
        let Self { kind, url, step, .. } = *self;
        let mut faults = self.faults(revisions).await?;
        step(["up", "head"])?;
        let first = schema::read(url).await?;
        if first.tables.is_empty() {
            faults.push(format!("{kind}: `migrate up` created no table"));
        }
        step(["down", "base"])?;
        for name in names(&schema::read(url).await?) {
            faults.push(format!("{kind} › {name}: still there after `migrate down base`"));
        }
        step(["up", "head"])?;
        let second = schema::read(url).await?;
        faults.extend(unlike(kind, &first, &second));
        let mut lacking = difference::faults(tables, url).await?;
        for rows in rows {
            lacking.extend(rows.faults(url).await?);
        }
        let hint = "`cargo xtask migrate new MESSAGE --auto` writes the migration";
        faults.extend(lacking.into_iter().map(|fault| format!("{kind} › {fault}: {hint}")));
        Ok((faults, second))
    }
}

/// The names of all tables and objects with their kinds. An extension may have been installed by the operator.
fn names(schema: &Schema) -> Vec<String> {
    let tables = schema.tables.iter().map(|table| format!("table {}", table.name));
    let objects = schema.objects.iter().filter(|object| object.kind != "EXTENSION");
    tables.chain(objects.map(|object| format!("{} {}", object.kind.to_lowercase(), object.name))).collect()
}

/// The differences between the schemas of two runs up to head, a sentence each.
fn unlike(kind: &str, first: &Schema, second: &Schema) -> Vec<String> {
    let changes = difference(first, second);
    let mut faults: Vec<_> = changes.iter().map(|change| change.sentence(first, second)).collect();
    if faults.is_empty() {
        let order = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let moved =
            first.tables.iter().filter(|one| second.table(&one.name).is_some_and(|two| order(one) != order(two)));
        faults.extend(moved.map(|table| format!("{}: the columns have another order", table.name)));
    }
    faults.into_iter().map(|fault| format!("{kind} › after `migrate down base` and `migrate up`: {fault}")).collect()
}

/// The rows of `one` that `other` has not, as far as it has their tables and columns; a row of `own` may go.
fn lost(place: &str, one: &Data, other: &Data, own: &Data) -> Vec<String> {
    let mut faults = vec![];
    for (table, rows) in one {
        let Some(kept) = other.get(table) else { continue };
        let columns = kept.first().map(|row| row.keys().cloned().collect::<Vec<_>>());
        let project = |row: &Map<String, Value>| match &columns {
            Some(columns) => row.iter().filter(|(name, _)| columns.contains(name)).map(pair).collect(),
            None => row.clone(),
        };
        let own = own.get(table).map(Vec::as_slice).unwrap_or_default();
        let mut kept: Vec<Map<String, Value>> = kept.iter().map(|row| without(row, &missing(row, rows))).collect();
        for row in rows {
            let row = project(row);
            match kept.iter().position(|other| *other == row) {
                Some(index) => drop(kept.swap_remove(index)),
                None if own.iter().any(|own| stable(own).iter().all(|(k, v)| row.get(k).is_none_or(|is| is == v))) => {}
                None => faults.push(format!("{place}: a row of {table} is lost or changed: {}", Value::Object(row))),
            }
        }
    }
    faults
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The columns of a row that the rows of before do not have.
fn missing(row: &Map<String, Value>, rows: &[Map<String, Value>]) -> Vec<String> {
    let Some(first) = rows.first() else { return vec![] };
    row.keys().filter(|name| !first.contains_key(*name)).cloned().collect()
}

fn without(row: &Map<String, Value>, columns: &[String]) -> Map<String, Value> {
    row.iter().filter(|(name, _)| !columns.contains(name)).map(pair).collect()
}

fn stable(row: &Map<String, Value>) -> Map<String, Value> {
    row.iter().filter(|(name, _)| !VOLATILE.contains(&name.as_str())).map(pair).collect()
}

/// The rows of `after` that were not there before: in a database without data they are what a migration itself does.
fn new_rows(before: &Data, after: &Data) -> Data {
    let new = |(table, rows): (&String, &Vec<Map<String, Value>>)| {
        let old = before.get(table).map(Vec::as_slice).unwrap_or_default();
        let rows = rows.iter().filter(|row| !old.contains(row)).cloned().collect::<Vec<_>>();
        (table.clone(), rows)
    };
    after.iter().map(new).collect()
}

/// Reads every row of every table except the history of the migrations and the tables of SQLite's search index.
///
/// # Errors
/// The database does not answer.
pub async fn read(url: &str) -> anyhow::Result<Data> {
    let mut data = Data::new();
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await?;
        let tables: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.name, group_concat('''' || c.name || ''', quote(\"' || c.name || '\")', ', ')
             FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND t.name <> '_sqlx_migrations'
             GROUP BY t.name",
        )
        .fetch_all(&mut connection)
        .await?;
        for (table, pairs) in tables {
            let sql = format!("SELECT json_object({pairs}) FROM \"{table}\"");
            let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            data.insert(table, objects(rows)?);
        }
        connection.close().await?;
    } else {
        let mut connection = PgConnection::connect(url).await?;
        let tables: Vec<(String,)> = sqlx::query_as(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
        )
        .fetch_all(&mut connection)
        .await?;
        for (table,) in tables {
            let sql = format!("SELECT to_jsonb(t)::text FROM \"{table}\" AS t");
            let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            data.insert(table, objects(rows)?);
        }
        connection.close().await?;
    }
    Ok(data)
}

fn objects(rows: Vec<(String,)>) -> anyhow::Result<Vec<Map<String, Value>>> {
    rows.iter().map(|(text,)| serde_json::from_str(text).context("a row is an object")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::declare::{key, text};

    fn data(rows: Value) -> Data {
        serde_json::from_value(serde_json::json!({ "books": rows })).expect("data")
    }

    #[test]
    fn the_schema_of_a_second_run_is_compared_with_the_first() {
        let books = || Table::new("books", "Books.").column("id", key()).column("title", text());
        let schema = |table: Table| Schema { tables: vec![table], objects: vec![] };
        let found = |second: Table| unlike("SQLite", &schema(books()), &schema(second));
        let place = "SQLite › after `migrate down base` and `migrate up`";
        assert_eq!(found(books()), Vec::<String>::new());
        let null = Table::new("books", "Books.").column("id", key()).column("title", text().null());
        assert_eq!(found(null), [format!("{place}: books.title: column changed: TEXT NOT NULL → TEXT")]);
        let moved = Table::new("books", "Books.").column("title", text()).column("id", key());
        assert_eq!(found(moved), [format!("{place}: books: the columns have another order")]);
        assert_eq!(names(&schema(books())), ["table books"]);
    }

    #[test]
    fn a_row_that_is_lost_or_changed_is_named() {
        use serde_json::json;
        let before = data(json!([{"id": 1, "title": "a", "old": 1}, {"id": 2, "title": "b", "old": 2}]));
        let kept = data(json!([{"id": 2, "title": "b", "new": 3}, {"id": 1, "title": "a", "new": 3}]));
        assert_eq!(lost("p", &before, &kept, &Data::new()), Vec::<String>::new(), "columns come and go");
        assert_eq!(lost("p", &before, &Data::new(), &Data::new()), Vec::<String>::new(), "so do tables");
        let changed = data(json!([{"id": 2, "title": "c"}, {"id": 1, "title": "a"}]));
        let found = lost("p", &before, &changed, &Data::new());
        assert_eq!(found, [r#"p: a row of books is lost or changed: {"id":2,"title":"b"}"#]);
        assert_eq!(lost("p", &before, &data(json!([])), &Data::new()).len(), 2);
        let own = data(json!([{"id": 9, "title": "b", "old": 2}]));
        assert_eq!(
            lost("p", &before, &data(json!([{"id": 1, "title": "a"}])), &own).len(),
            0,
            "it was the migration's own"
        );
    }
}
