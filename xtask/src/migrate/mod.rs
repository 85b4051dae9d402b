//! Writing migrations, `accord migrate` from the sources, and the proof that each can be undone and done again.

mod new;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod recipes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use accord_foundation::config::{Config, Env};
use accord_migrate::folder::Folder;
use accord_migrate::round_trip::Walk;
use accord_migrate::{Dialect, difference, lint, schema};
use anyhow::Context;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::application;
use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report, Usage};
use crate::{product, run};

const USAGE: &str = "say `cargo xtask migrate new \"MESSAGE\" [--auto [--rename OLD=NEW] [--drop NAME]] [--print]`, `… merge`, `… seal`, `… check`, or what `accord \
     migrate` takes: `up|down|to|current|history|heads|status [TARGET] [--dry-run]`";

/// `cargo xtask migrate new|merge|seal|check|up|down|to|current|history|heads|status …`
pub fn run(arguments: &[String]) -> Outcome {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let folder = Folder::of(&run::root());
    match words[..] {
        ["check"] => check(&Postgres::start()?),
        ["new", ref rest @ ..] => {
            refuse_in_production()?;
            new::new(&folder, rest)
        }
        ["merge"] => {
            refuse_in_production()?;
            new::merge(&folder)
        }
        ["seal"] => {
            let sealed = folder.seal()?;
            let note = if sealed.is_empty() { "nothing is new".into() } else { sealed.join("\n") };
            Ok(Report::passed(sealed.len(), note))
        }
        ["up" | "down" | "to" | "current" | "history" | "heads" | "status", ..] => {
            let words = ["run", "--quiet", "--package", "accord", "--bin", "accord", "--", "migrate"];
            run::passing_on(run::cargo(words).args(arguments))?;
            Ok(Report::default())
        }
        _ => Err(Usage(USAGE.into()).into()),
    }
}

/// Migrations are written by developers; where the API serves people they are only applied.
fn refuse_in_production() -> anyhow::Result<()> {
    // settings of production that do not hold are of production nevertheless
    let prod = std::env::var("ACCORD_ENV").is_ok_and(|env| env == "prod") || Config::load(None)?.env == Env::Prod;
    refuse(prod).map_err(Into::into)
}

fn refuse(prod: bool) -> Result<(), Usage> {
    let text = "ACCORD_ENV is prod: migrations are written on a developer's machine; here use `accord migrate up`";
    if prod { Err(Usage(text.into())) } else { Ok(()) }
}

/// Files, headers, the lint; then both databases up, down and up again, with data.
pub fn check(postgres: &Postgres) -> Outcome {
    let faults = faults(&Folder::of(&run::root()))?;
    if !faults.is_empty() {
        // a binary of these might not even start
        return Err(Failed::new(0, faults.len(), faults.join("\n")).into());
    }
    there_and_back_with(&product::build()?, postgres)
}

/// All that can be seen without a database. The lint comes before the seal: what is sealed is no longer edited.
fn faults(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let mut faults = folder.faults()?;
    if let (Ok(sqlite), Ok(postgres)) = (folder.set(Dialect::Sqlite), folder.set(Dialect::Postgres)) {
        faults.extend(lint::faults(&sqlite, Dialect::Sqlite));
        faults.extend(lint::faults(&postgres, Dialect::Postgres));
        faults.extend(lint::idle(&sqlite, &postgres));
        // what SQLite makes anew would look dropped
        faults.extend(lint::still_read(&postgres, &application::tables()));
    }
    Ok(faults)
}

/// The same with a server that is built already.
pub fn there_and_back_with(binary: &Path, postgres: &Postgres) -> Outcome {
    let mut faults = vec![];
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let file = folder.path().join("migrate.db");
    let url = format!("sqlite:{}", file.display());
    let (found, sqlite) = runtime.block_on(there_and_back("SQLite", binary, folder.path(), &url))?;
    faults.extend(found);

    let name = format!("accord_migrate_{}", run::random_hex());
    let (found, server) = runtime.block_on(async {
        let url = postgres.create(&name).await?;
        let faults = there_and_back("PostgreSQL", binary, folder.path(), &url).await;
        postgres.remove(&name).await?;
        faults
    })?;
    faults.extend(found);
    faults.extend(difference::unequal(&application::tables(), &sqlite, &server));

    if faults.is_empty() {
        let note =
            "up, down, up on SQLite and PostgreSQL: one schema, the declared one, nothing left between, no row lost";
        return Ok(Report::passed(2, note));
    }
    faults.push("repair what is named; `cargo xtask migrate check` looks again".into());
    Err(Failed::new(0, faults.len() - 1, faults.join("\n")).into())
}

/// What stands in a schema: kind and name, with the definition.
type Schema = BTreeMap<String, String>;

/// What is wrong, and the schema at head.
async fn there_and_back(
    kind: &str,
    binary: &Path,
    folder: &Path,
    url: &str,
) -> anyhow::Result<(Vec<String>, schema::Schema)> {
    let step = |words: [&str; 2]| {
        run::silently(product::command(binary, folder, url).arg("migrate").args(words)).with_context(|| kind.to_owned())
    };
    // the demo data, and rows of more tables
    let load = || ["demo", "editors"].iter().try_for_each(|name| product::load(binary, folder, url, &[name]));
    let revisions =
        Folder::of(&run::root()).set(Dialect::of(url))?.revisions().iter().map(|r| r.id.clone()).collect::<Vec<_>>();
    let mut faults = Walk { kind, url, step: &step, load: &load }.faults(&revisions).await?;
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
    let lacks =
        |fault: &String| format!("{kind} › {fault}: `cargo xtask migrate new MESSAGE --auto` writes the migration");
    faults.extend(difference::faults(&application::tables(), url).await?.iter().map(lacks));
    faults.extend(application::permissions().faults(url).await?.iter().map(lacks));
    Ok((faults, schema::read(url).await?))
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

    /// A repository that has only migrations: name, parents, up.
    pub fn repository(migrations: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for database in Dialect::ALL.map(Dialect::folder) {
            let folder = root.path().join("migrations").join(database);
            std::fs::create_dir_all(&folder).expect("a folder");
            for (id, parents, up) in migrations {
                let header = format!("-- parents: {parents}\n-- message: {id}\n-- created: 2026-11-21\n\n");
                std::fs::write(folder.join(format!("{id}.up.sql")), format!("{header}{up}\n")).expect("a file");
                std::fs::write(folder.join(format!("{id}.down.sql")), format!("{header}SELECT 1;\n")).expect("a file");
            }
        }
        Folder::of(root.path()).seal().expect("sealed");
        root
    }

    #[test]
    fn nobody_writes_a_migration_in_production() {
        assert!(refuse(true).expect_err("refused").0.contains("accord migrate up"));
        assert!(refuse(false).is_ok());
    }

    #[test]
    fn what_is_not_sealed_yet_is_linted() {
        let root = repository(&[("0001_a", "base", "SELECT 1;")]);
        let folder = Folder::of(root.path());
        assert_eq!(faults(&folder).expect("readable"), Vec::<String>::new());
        new::new(&folder, &["Drop posts"]).expect("written");
        let file = root.path().join("migrations/postgres/0002_drop_posts.up.sql");
        let text = std::fs::read_to_string(&file).expect("readable") + "DROP TABLE posts;\n";
        std::fs::write(&file, text).expect("writable");
        let found = faults(&folder).expect("readable").join("\n");
        for fault in ["0002_drop_posts.up.sql: not sealed", "0002_drop_posts.up.sql, line 5: drop-table: "] {
            assert!(found.contains(fault), "{found}");
        }
    }

    #[test]
    fn a_changed_definition_is_shown_both_ways() {
        let schema = |sql: &str| Schema::from([("index posts_by_time".to_owned(), sql.to_owned())]);
        let found = differences("SQLite", &schema("one"), &schema("two"));
        assert_eq!(found, ["SQLite › index posts_by_time: first `one`, then `two`"]);
        assert!(differences("SQLite", &schema("one"), &Schema::new())[0].contains("not made again"));
    }
}
