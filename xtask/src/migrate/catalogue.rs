//! The permissions that the code knows, held against the rows that the migrations insert.

use accord_foundation::auth::permission::Entry;
use accord_foundation::db::Dialect;
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
    let row = |entry: &&Entry| (entry.name.into(), entry.target.map(|t| t.as_str().into()), entry.description.into());
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

#[cfg(test)]
mod tests {
    use accord_foundation::auth::permission::Target;
    use accord_foundation::db::migrate::{self, Direction};
    use sqlx::AssertSqlSafe;

    use super::super::proofs::server;
    use super::*;
    use crate::{application, run};

    async fn execute(url: &str, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
        } else {
            let mut connection = PgConnection::connect(url).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
        }
    }

    /// The four of a new resource, one that is described otherwise, and one that goes.
    async fn come_and_go(url: &str) {
        let set = application::migrations(Dialect::of(url));
        migrate::run(url, set, Direction::Up, &migrate::Target::Head, &mut |_| {}).await.expect("migrates");
        let before = application::permissions();
        assert!(difference(&before, url).await.expect("reads").is_none(), "the migrations insert what the code knows");

        let book = |name, description| Entry { name, target: Some(Target::new("posts", "posts", "id")), description };
        let four = [
            book("can_create_book", "Write books"),
            book("can_delete_book", "Delete the reader's books"),
            book("can_edit_book", "Change books"),
            book("can_read_book", "Read books"),
        ];
        let other = Entry { name: "can_invite", target: None, description: "Invite anybody" };
        let mut after: Vec<_> = before.iter().copied().filter(|entry| entry.name != "can_read_post").collect();
        after.iter_mut().filter(|entry| entry.name == "can_invite").for_each(|entry| *entry = &other);
        after.extend(&four);

        let rows = difference(&after, url).await.expect("reads").expect("there is one");
        assert_eq!(
            rows.changes,
            [
                "permission can_create_book is new",
                "permission can_delete_book is new",
                "permission can_edit_book is new",
                "permission can_read_book is new",
                "permission can_read_post goes, and what was granted with it",
                "permission can_invite is described otherwise",
            ]
        );
        execute(url, &rows.up).await;
        assert!(difference(&after, url).await.expect("reads").is_none(), "the way up inserts them");
        execute(url, &rows.down).await;
        assert!(difference(&before, url).await.expect("reads").is_none(), "the way back removes them");
    }

    #[tokio::test]
    async fn the_permissions_of_a_resource_come_and_go_on_sqlite() {
        let folder = tempfile::tempdir().expect("a folder");
        come_and_go(&format!("sqlite:{}", folder.path().join("t.db").display())).await;
    }

    #[test]
    fn the_permissions_of_a_resource_come_and_go_on_postgres() {
        let Some(postgres) = server() else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let name = format!("accord_catalogue_{}", run::random_hex());
            come_and_go(&postgres.create(&name).await.expect("a database")).await;
            postgres.remove(&name).await.expect("removed");
        });
    }
}
