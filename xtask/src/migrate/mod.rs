//! `accord migrate` from the sources, and the proof that every migration can be undone and done again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report, Usage};
use crate::{product, run};

/// `cargo xtask migrate up|down|to|current|history|check …`
pub fn run(arguments: &[String]) -> Outcome {
    match arguments.first().map(String::as_str) {
        Some("check") => check(&Postgres::start()?),
        Some("up" | "down" | "to" | "current" | "history") => {
            let words = ["run", "--quiet", "--package", "accord", "--bin", "accord", "--", "migrate"];
            run::passing_on(run::cargo(words).args(arguments))?;
            Ok(Report::default())
        }
        _ => Err(Usage("say `cargo xtask migrate up|down|to|current|history [TARGET]` or `… check`".into()).into()),
    }
}

/// Up, down, up on an empty database of each kind gives the same schema twice and nothing in between.
pub fn check(postgres: &Postgres) -> Outcome {
    let faults = pairs(&run::root().join("migrations"))?;
    if !faults.is_empty() {
        // a binary of these would not even start
        return Err(Failed::new(0, faults.len(), faults.join("\n")).into());
    }
    there_and_back_with(&product::build()?, postgres)
}

/// The same with a server that is built already.
pub fn there_and_back_with(binary: &Path, postgres: &Postgres) -> Outcome {
    let mut faults = vec![];
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let file = folder.path().join("migrate.db");
    let url = format!("sqlite:{}", file.display());
    let sqlite = runtime.block_on(there_and_back("SQLite", binary, folder.path(), &url))?;
    faults.extend(sqlite);

    let name = format!("accord_migrate_{}", run::random_hex());
    let server = runtime.block_on(async {
        let url = postgres.create(&name).await?;
        let faults = there_and_back("PostgreSQL", binary, folder.path(), &url).await;
        postgres.remove(&name).await?;
        faults
    })?;
    faults.extend(server);

    if faults.is_empty() {
        return Ok(Report::passed(2, "up, down, up on SQLite and PostgreSQL: one schema, nothing left between"));
    }
    faults.push("repair the down or the up file that is named; `cargo xtask migrate check` looks again".into());
    Err(Failed::new(0, faults.len() - 1, faults.join("\n")).into())
}

/// Both folders have the same revisions, each with its way back.
fn pairs(migrations: &Path) -> anyhow::Result<Vec<String>> {
    let names = |database: &str| -> anyhow::Result<BTreeSet<String>> {
        let folder = migrations.join(database);
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: BTreeSet<String> = names.collect::<std::io::Result<_>>()?;
        Ok(names.into_iter().filter(|name| name.ends_with(".sql")).collect())
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    let mut faults = vec![];
    for (here, there, other) in [(&sqlite, &postgres, "postgres"), (&postgres, &sqlite, "sqlite")] {
        for name in here {
            if !there.contains(name) {
                faults.push(format!("migrations/{other}/{name}: missing, the other database has it"));
            }
        }
    }
    for name in sqlite.union(&postgres) {
        let partner = match (name.strip_suffix(".up.sql"), name.strip_suffix(".down.sql")) {
            (Some(stem), _) => format!("{stem}.down.sql"),
            (_, Some(stem)) => format!("{stem}.up.sql"),
            _ => {
                faults.push(format!("migrations/*/{name}: neither NAME.up.sql nor NAME.down.sql"));
                continue;
            }
        };
        if !sqlite.contains(&partner) && !postgres.contains(&partner) {
            faults.push(format!("migrations/*/{partner}: missing beside {name}"));
        }
    }
    Ok(faults)
}

/// What stands in a schema: kind and name, with the definition.
type Schema = BTreeMap<String, String>;

async fn there_and_back(kind: &str, binary: &Path, folder: &Path, url: &str) -> anyhow::Result<Vec<String>> {
    let step = |words: [&str; 2]| {
        run::silently(product::command(binary, folder, url).arg("migrate").args(words)).with_context(|| kind.to_owned())
    };
    let mut faults = vec![];
    step(["up", "head"])?;
    let first = schema(url).await?;
    if first.is_empty() {
        faults.push(format!("{kind}: `migrate up` made nothing"));
    }
    step(["down", "base"])?;
    for name in schema(url).await?.keys() {
        faults.push(format!("{kind} › {name}: still there after `migrate down base`"));
    }
    step(["up", "head"])?;
    faults.extend(differences(kind, &first, &schema(url).await?));
    Ok(faults)
}

fn differences(kind: &str, first: &Schema, second: &Schema) -> Vec<String> {
    let names: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let difference = |name: &&String| match (first.get(*name), second.get(*name)) {
        (Some(_), None) => Some(format!("{kind} › {name}: not made again by the second `migrate up`")),
        (None, Some(_)) => Some(format!("{kind} › {name}: made only by the second `migrate up`")),
        (Some(one), Some(two)) if one != two => Some(format!("{kind} › {name}: first `{one}`, then `{two}`")),
        _ => None,
    };
    names.iter().filter_map(difference).collect()
}

/// sqlx keeps its history in tables of its own; they are no part of the schema.
const SQLITE: &str = "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema \
    WHERE tbl_name NOT LIKE '\\_sqlx\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Everything in `public` that no extension owns: relations with their columns, constraints, indexes, triggers,
/// functions, types.
const POSTGRES: &str = "
WITH owned AS (SELECT objid FROM pg_depend WHERE deptype = 'e'),
relation AS (
    SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname NOT LIKE '\\_sqlx\\_%' AND c.oid NOT IN (SELECT objid FROM owned)
)
SELECT 'relation ' || relname::text, relkind::text FROM relation
UNION ALL
SELECT 'column ' || r.relname || '.' || a.attname,
    format_type(a.atttypid, a.atttypmod) || ' position ' || a.attnum::text || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || ' ' || a.attidentity::text || a.attgenerated::text || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum WHERE r.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT 'constraint ' || r.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL
SELECT 'index ' || r.relname, pg_get_indexdef(r.oid) FROM relation r WHERE r.relkind = 'i'
UNION ALL
SELECT 'trigger ' || r.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'public' AND p.prokind IN ('f', 'p') AND p.oid NOT IN (SELECT objid FROM owned)
UNION ALL
SELECT 'type ' || t.typname, coalesce(string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder), t.typtype::text)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_enum e ON e.enumtypid = t.oid
WHERE n.nspname = 'public' AND t.typtype IN ('e', 'd') AND t.oid NOT IN (SELECT objid FROM owned)
GROUP BY t.typname, t.typtype";

async fn schema(url: &str) -> anyhow::Result<Schema> {
    let rows: Vec<(String, String)> = if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await?;
        let rows = sqlx::query_as(SQLITE).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows
    } else {
        let mut connection = PgConnection::connect(url).await?;
        let rows = sqlx::query_as(POSTGRES).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows
    };
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_way_back_and_a_missing_twin_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in
            ["sqlite/0001_a.up.sql", "sqlite/0001_a.down.sql", "postgres/0001_a.up.sql", "postgres/0002_b.up.sql"]
        {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
            std::fs::write(file, "").expect("a file");
        }
        let faults = pairs(folder.path()).expect("readable");
        assert_eq!(
            faults,
            [
                "migrations/postgres/0001_a.down.sql: missing, the other database has it",
                "migrations/sqlite/0002_b.up.sql: missing, the other database has it",
                "migrations/*/0002_b.down.sql: missing beside 0002_b.up.sql",
            ]
        );
    }

    #[test]
    fn a_changed_definition_is_shown_both_ways() {
        let schema = |sql: &str| Schema::from([("index posts_by_time".to_owned(), sql.to_owned())]);
        let found = differences("SQLite", &schema("one"), &schema("two"));
        assert_eq!(found, ["SQLite › index posts_by_time: first `one`, then `two`"]);
        assert!(differences("SQLite", &schema("one"), &Schema::new())[0].contains("not made again"));
    }
}
