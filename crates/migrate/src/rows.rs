//! Rows that the code declares and the migrations insert, such as the list of permissions.

use sqlx::{AssertSqlSafe, ColumnIndex, Connection, Decode, PgConnection, SqliteConnection, Type};

use crate::Dialect;

/// The rows that the code declares for one table. Each column is text.
#[derive(Debug, Clone)]
pub struct DeclaredRows {
    /// The table. It has the columns `created_at` and `updated_at` as well.
    pub table: &'static str,
    /// The noun for one row, which begins the sentences about it.
    pub noun: &'static str,
    /// The comment above the INSERT statement.
    pub about: &'static str,
    /// The column that identifies a row, and then the others.
    pub columns: &'static [&'static str],
    /// The tables whose rows refer to a declared row, each with the column that refers.
    pub dependents: &'static [(&'static str, &'static str)],
    /// The rows, each with one value for each of `columns`.
    pub rows: Vec<Row>,
}

/// One value for each column; the first identifies the row.
pub type Row = Vec<Option<String>>;

/// The statements that bring the rows of a database in line with the declared rows, up and down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowScripts {
    /// The statements of the up file.
    pub up: String,
    /// The statements of the down file.
    pub down: String,
    /// One sentence for each row that changes.
    pub changes: Vec<String>,
}

impl DeclaredRows {
    /// Compares the declared rows with those of a database. Returns `None` if they are equal.
    ///
    /// # Errors
    /// The database does not answer, or lacks the table or a column.
    pub async fn difference(&self, url: &str) -> anyhow::Result<Option<RowScripts>> {
        let (declared, there) = (self.sorted(), self.read(url).await?);
        let missing = |one: &[Row], other: &[Row]| -> Vec<Row> {
            one.iter().filter(|row| !other.iter().any(|known| known[0] == row[0])).cloned().collect()
        };
        let changed: Vec<(Row, Row)> = declared
            .iter()
            .filter_map(|new| Some((there.iter().find(|old| old[0] == new[0] && *old != new)?.clone(), new.clone())))
            .collect();
        let (new, gone) = (missing(&declared, &there), missing(&there, &declared));
        if new.is_empty() && gone.is_empty() && changed.is_empty() {
            return Ok(None);
        }
        let name = |row: &Row| format!("{} {}", self.noun, row[0].as_deref().unwrap_or_default());
        let dependents: Vec<_> = self.dependents.iter().map(|(table, _)| *table).collect();
        let with_it = match &dependents[..] {
            [] => String::new(),
            tables => format!(", and the rows of {} that refer to it", tables.join(", ")),
        };
        let mut changes: Vec<String> = new.iter().map(|row| format!("{} added", name(row))).collect();
        changes.extend(gone.iter().map(|row| format!("{} deleted{with_it}", name(row))));
        changes.extend(changed.iter().map(|(_, row)| format!("{} changed", name(row))));
        let back: Vec<(Row, Row)> = changed.iter().map(|(old, new)| (new.clone(), old.clone())).collect();
        let dialect = Dialect::of(url);
        let up = [self.delete(&gone), self.insert(&new, dialect), self.update(&changed)].concat();
        let down = [self.update(&back), self.delete(&new), self.insert(&gone, dialect)].concat();
        Ok(Some(RowScripts { up, down, changes }))
    }

    /// Returns one sentence for each row in which the database differs.
    ///
    /// # Errors
    /// As [`DeclaredRows::difference`].
    pub async fn faults(&self, url: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.difference(url).await?.map(|scripts| scripts.changes).unwrap_or_default())
    }

    fn sorted(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort();
        rows
    }

    async fn read(&self, url: &str) -> anyhow::Result<Vec<Row>> {
        let (columns, table, key) = (self.columns.join(", "), self.table, self.columns[0]);
        let sql = AssertSqlSafe(format!("SELECT {columns} FROM {table} ORDER BY {key}"));
        match Dialect::of(url) {
            Dialect::Sqlite => {
                let mut connection = SqliteConnection::connect(url).await?;
                let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
                connection.close().await?;
                rows.iter().map(values).collect()
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(url).await?;
                let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
                connection.close().await?;
                rows.iter().map(values).collect()
            }
        }
    }

    fn insert(&self, rows: &[Row], dialect: Dialect) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let now = match dialect {
            Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
            Dialect::Postgres => "now()",
        };
        let line = |row: &Row| {
            let values: Vec<_> = row.iter().map(quoted).collect();
            format!("    ({}, {now}, {now})", values.join(", "))
        };
        let lines: Vec<_> = rows.iter().map(line).collect();
        let excluded = |column: &&str| format!("{column} = excluded.{column}");
        let set: Vec<_> = self.columns[1..].iter().chain(&["updated_at"]).map(excluded).collect();
        format!(
            "-- {}\nINSERT INTO {} ({}, created_at, updated_at) VALUES\n{}\nON CONFLICT ({}) DO UPDATE SET\n    {};\n",
            self.about,
            self.table,
            self.columns.join(", "),
            lines.join(",\n"),
            self.columns[0],
            set.join(", ")
        )
    }

    fn delete(&self, rows: &[Row]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let names: Vec<_> = rows.iter().map(|row| quoted(&row[0])).collect();
        let names = names.join(", ");
        // foreign keys of SQLite are off during a migration, so the dependents are deleted here
        let own = (self.table, self.columns[0]);
        let dependents = self.dependents.iter().chain([&own]);
        dependents.map(|(table, column)| format!("DELETE FROM {table} WHERE {column} IN ({names});\n")).collect()
    }

    fn update(&self, rows: &[(Row, Row)]) -> String {
        let line = |(_, row): &(Row, Row)| {
            let set: Vec<_> = self.columns.iter().zip(row).skip(1).collect();
            let set: Vec<_> = set.iter().map(|(column, value)| format!("{column} = {}", quoted(value))).collect();
            let (table, key) = (self.table, self.columns[0]);
            format!("UPDATE {table} SET {} WHERE {key} = {};\n", set.join(", "), quoted(&row[0]))
        };
        rows.iter().map(line).collect()
    }
}

fn values<R: sqlx::Row>(row: &R) -> anyhow::Result<Row>
where
    usize: ColumnIndex<R>,
    Option<String>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    (0..row.columns().len()).map(|index| Ok(row.try_get(index)?)).collect()
}

/// The value as a literal of SQL.
fn quoted(value: &Option<String>) -> String {
    value.as_ref().map_or("NULL".into(), |text| format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::history::Connected;

    async fn execute(url: &str, sql: &str) {
        Connected::open(url, true).await.expect("opens").execute(sql).await.expect("runs");
    }

    fn declared(rows: &[(&str, Option<&str>, &str)]) -> DeclaredRows {
        let text = |text: &str| Some(text.to_owned());
        DeclaredRows {
            table: "permissions",
            noun: "permission",
            about: "The permissions that operations require.",
            columns: &["name", "target", "description"],
            dependents: &[("grants", "permission")],
            rows: rows
                .iter()
                .map(|(name, target, about)| vec![text(name), target.and_then(text), text(about)])
                .collect(),
        }
    }

    #[tokio::test]
    async fn declared_rows_are_inserted_changed_and_deleted_and_the_down_script_restores_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("t.db").display());
        execute(
            &url,
            "CREATE TABLE permissions (name TEXT, target TEXT, description TEXT, created_at TEXT, updated_at TEXT,
                 CONSTRAINT permissions_pkey PRIMARY KEY (name));
             CREATE TABLE grants (permission TEXT);",
        )
        .await;
        let before = declared(&[("can_invite", None, "Invite guests"), ("can_read", Some("books"), "Read books")]);
        let after = declared(&[("can_invite", None, "Invite anybody's guests"), ("can_edit", Some("books"), "Edit")]);
        let initial = before.difference(&url).await.expect("reads").expect("the table is empty");
        execute(&url, &initial.up).await;
        assert_eq!(before.difference(&url).await.expect("reads"), None);

        let scripts = after.difference(&url).await.expect("reads").expect("they differ");
        assert_eq!(
            scripts.changes,
            [
                "permission can_edit added",
                "permission can_read deleted, and the rows of grants that refer to it",
                "permission can_invite changed",
            ]
        );
        execute(&url, &scripts.up).await;
        assert_eq!(after.faults(&url).await.expect("reads"), Vec::<String>::new());
        execute(&url, &scripts.down).await;
        assert_eq!(before.faults(&url).await.expect("reads"), Vec::<String>::new());
    }
}
