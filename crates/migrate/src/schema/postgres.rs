//! A schema of a PostgreSQL database, from its catalogue: what is in the first one of the search path and belongs to no
//! extension.

use anyhow::{Context, bail, ensure};
use sqlx::{FromRow, PgConnection};

use super::{Object, Schema, text};
use crate::tables::Table;
use crate::tables::table::{Action, Check, Column, ForeignKey, Key};

/// What belongs to an extension, and the history of the migrations, is no part of the schema.
macro_rules! catalogue {
    ($query:literal) => {
        concat!(
            "WITH owned AS (SELECT objid FROM pg_depend WHERE deptype = 'e'),
            relation AS (
                SELECT c.oid, c.relname::text, c.relkind::text FROM pg_class c
                WHERE c.relnamespace = current_schema()::regnamespace AND c.oid NOT IN (SELECT objid FROM owned)
                AND c.relname NOT LIKE '\\_sqlx\\_%'
            ) ",
            $query
        )
    };
}

const TABLES: &str = catalogue!("SELECT relname FROM relation WHERE relkind IN ('r', 'p')");

#[derive(FromRow)]
struct ColumnRow {
    table: String,
    name: String,
    kind: String,
    null: bool,
    identity: String,
    generated: bool,
    default: Option<String>,
}

const COLUMNS: &str = catalogue!(
    "SELECT r.relname AS table, a.attname::text AS name,
        format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END AS kind,
        NOT a.attnotnull AS null, a.attidentity::text AS identity, a.attgenerated <> '' AS generated,
        pg_get_expr(d.adbin, d.adrelid, true) AS default
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p') ORDER BY r.relname, a.attnum"
);

#[derive(FromRow)]
struct ConstraintRow {
    table: String,
    name: String,
    kind: String,
    plain: bool,
    columns: Vec<String>,
    other: Option<String>,
    referred: Vec<String>,
    on_delete: String,
    on_update: String,
    definition: String,
}

const CONSTRAINTS: &str = catalogue!(
    "SELECT r.relname AS table, k.conname::text AS name, k.contype::text AS kind,
        NOT k.condeferrable AND k.convalidated AND NOT (k.contype = 'c' AND k.connoinherit)
            AND k.confmatchtype IN ('s', ' ') AND NOT coalesce(i.indnullsnotdistinct, false) AS plain,
        ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number ORDER BY key.place) AS columns,
        o.relname AS other,
        ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.number ORDER BY key.place) AS referred,
        k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update, pg_get_constraintdef(k.oid, true) AS definition
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid LEFT JOIN relation o ON o.oid = k.confrelid
    LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype = 'u'
    WHERE k.contype <> 'n'"
);

const INDEXES: &str = catalogue!(
    "SELECT r.relname, pg_get_indexdef(i.indexrelid, 0, true) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))"
);

/// Kind, name, table, and the statement that makes it.
const OBJECTS: &str = catalogue!(
    "SELECT 'EXTENSION', extname::text, NULL, 'CREATE EXTENSION ' || quote_ident(extname)
    FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.proname::text, NULL,
        regexp_replace(pg_get_functiondef(p.oid), quote_ident(current_schema()) || '\\.', '')
    FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind IN ('f', 'p', 'w')
    AND p.oid NOT IN (SELECT objid FROM owned)
    UNION ALL
    SELECT 'TRIGGER', t.tgname::text, r.relname, pg_get_triggerdef(t.oid, true)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, relname, NULL,
        'CREATE ' || CASE relkind WHEN 'v' THEN 'VIEW ' ELSE 'MATERIALIZED VIEW ' END || relname || ' AS ' || pg_get_viewdef(oid)
    FROM relation WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'TYPE', t.typname::text, NULL, 'CREATE TYPE ' || t.typname || ' AS ENUM ('
        || coalesce(string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder), '') || ')'
    FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype IN ('e', 'd') AND t.oid NOT IN (SELECT objid FROM owned)
    GROUP BY t.typname
    UNION ALL
    SELECT 'SEQUENCE', relname, NULL, 'CREATE SEQUENCE ' || relname FROM relation r WHERE relkind = 'S'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = r.oid AND d.deptype IN ('a', 'i'))"
);

pub async fn read(connection: &mut PgConnection) -> anyhow::Result<Schema> {
    // defaults that are moments are told in the zone of the session
    sqlx::raw_sql("SET TIME ZONE 'UTC'").execute(&mut *connection).await?;
    let names: Vec<(String,)> = sqlx::query_as(TABLES).fetch_all(&mut *connection).await?;
    let mut tables: Vec<Table> = names.iter().map(|(name,)| Table::new(name, "")).collect();
    let columns: Vec<ColumnRow> = sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await?;
    for row in columns {
        of(&mut tables, &row.table)?.columns.push(column(row));
    }
    let constraints: Vec<ConstraintRow> = sqlx::query_as(CONSTRAINTS).fetch_all(&mut *connection).await?;
    for row in constraints {
        constraint(of(&mut tables, &row.table)?, &row)?;
    }
    let indexes: Vec<(String, String)> = sqlx::query_as(INDEXES).fetch_all(&mut *connection).await?;
    for (table, sql) in indexes {
        of(&mut tables, &table)?.indexes.push(text::index(&sql)?);
    }
    let objects: Vec<(String, String, Option<String>, String)> =
        sqlx::query_as(OBJECTS).fetch_all(&mut *connection).await?;
    let object = |(kind, name, table, create): (String, String, Option<String>, String)| Object {
        kind,
        name,
        table,
        create: create.trim_end().trim_end_matches(';').to_owned(),
    };
    Ok(Schema { tables, objects: objects.into_iter().map(object).collect() }.sorted())
}

fn of<'t>(tables: &'t mut [Table], name: &str) -> anyhow::Result<&'t mut Table> {
    tables.iter_mut().find(|table| table.name == name).with_context(|| format!("there is no table {name}"))
}

fn column(row: ColumnRow) -> Column {
    let mut kind = match row.kind.as_str() {
        "timestamp with time zone" => "TIMESTAMPTZ".to_owned(),
        other => other.to_uppercase(),
    };
    let mut default = row.default.map(|sql| text::literal(without_cast(&sql).to_owned()));
    if row.generated {
        kind.push_str(&format!(" GENERATED ALWAYS AS ({}) STORED", default.take().unwrap_or_default()));
    }
    if row.identity == "a" {
        kind.push_str(" GENERATED ALWAYS AS IDENTITY");
    }
    Column { name: row.name, kind, identity: row.identity == "d", null: row.null, default }
}

/// `'active'::text` is `'active'`: the column has the type already.
fn without_cast(sql: &str) -> &str {
    match sql.rsplit_once("'::") {
        Some((text, kind)) if text.starts_with('\'') && kind.chars().all(|c| c.is_ascii_alphabetic() || c == ' ') => {
            &sql[..=text.len()]
        }
        _ => sql,
    }
}

fn constraint(table: &mut Table, row: &ConstraintRow) -> anyhow::Result<()> {
    let ConstraintRow { name, definition, .. } = row;
    ensure!(row.plain, "{}.{name}: the declared tables know no such constraint: {definition}", row.table);
    let key = || Key { name: name.clone(), columns: row.columns.clone() };
    match row.kind.as_str() {
        "p" => table.primary_key = Some(key()),
        "u" => table.uniques.push(key()),
        "c" => {
            let inner = definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')'));
            let inner = inner.with_context(|| format!("{name}: no check: {definition}"))?;
            table.checks.push(Check { name: name.clone(), expression: text::condition(inner) });
        }
        "f" => table.foreign_keys.push(ForeignKey {
            name: name.clone(),
            columns: row.columns.clone(),
            table: row
                .other
                .clone()
                .with_context(|| format!("{}.{name}: there is no table of {definition}", row.table))?,
            referred: row.referred.clone(),
            on_delete: action(&row.on_delete)?,
            on_update: action(&row.on_update)?,
        }),
        _ => bail!("{}.{name}: the declared tables know no such constraint: {definition}", row.table),
    }
    Ok(())
}

fn action(letter: &str) -> anyhow::Result<Action> {
    Ok(match letter {
        "a" => Action::NoAction,
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        other => bail!("a foreign key with the rule `{other}`"),
    })
}
