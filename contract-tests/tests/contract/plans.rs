//! What is asked in large tables is found by an index: the statements of the server's own log, explained by the database.

use std::str::FromStr;

use contract_tests::{ACCORD, Author, Database, Receiver, Treatment, World};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row, SqliteConnection};

/// The statements are told, with what else is worth a line.
const STATEMENTS: (&str, &str) = ("ACCORD_LOG", "warn,sqlx::query=debug");

/// So many that no planner reads them all for a few: users, each in a group of their own; ten of them and ten groups that
/// hold one permission on hundreds of objects each; many events of one kind, few of another.
const CROWD: &str = "
    INSERT INTO users (email, password_hash, created_at, updated_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT 'user' || i || '@example.com', '-', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM n;
    INSERT INTO groups (name, created_at, updated_at)
        SELECT 'Group ' || id, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM users;
    INSERT INTO memberships (group_id, user_id, created_at)
        SELECT id, id, '2026-01-01T00:00:00+00:00' FROM users;
    INSERT INTO grants (user_id, permission, object_id, created_at)
        SELECT id % 10 + 1, 'can_edit_post', id, '2026-01-01T00:00:00+00:00' FROM users;
    INSERT INTO grants (group_id, permission, object_id, created_at)
        SELECT id % 10 + 1, 'can_edit_post', id, '2026-01-01T00:00:00+00:00' FROM groups;
    INSERT INTO audit_events (actor_id, action, object_type, object_id, created_at)
        SELECT id, CASE WHEN id < 10 THEN 'user_created' ELSE 'group_created' END,
            CASE WHEN id < 10 THEN 'user' ELSE 'group' END, id, '2026-01-01T00:00:00+00:00' FROM users;";

enum Other {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Other {
    async fn of(database: &Database) -> Self {
        let url = database.url();
        if Database::on_postgres() {
            return Self::Postgres(PgConnectOptions::from_str(&url).unwrap().connect().await.unwrap());
        }
        Self::Sqlite(SqliteConnectOptions::from_str(&url).unwrap().connect().await.unwrap())
    }

    async fn fill(&mut self) {
        match self {
            Self::Sqlite(connection) => drop(sqlx::raw_sql(CROWD).execute(connection).await.unwrap()),
            Self::Postgres(connection) => {
                sqlx::raw_sql(CROWD).execute(&mut *connection).await.unwrap();
                // as it does by itself in time
                sqlx::raw_sql("ANALYZE").execute(connection).await.unwrap();
            }
        }
    }

    /// How the database would run a statement, whatever its parameters are.
    async fn plan(&mut self, statement: &str) -> String {
        let lines: Vec<String> = match self {
            Self::Sqlite(connection) => {
                let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let rows = sqlx::raw_sql(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get("detail")).collect()
            }
            Self::Postgres(connection) => {
                let count = (1..).take_while(|number| statement.contains(&format!("${number}"))).count();
                let nulls = vec!["NULL"; count].join(", ");
                let sql = format!(
                    "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {statement};
                     EXPLAIN (COSTS OFF) EXECUTE asked({nulls}); DEALLOCATE asked"
                );
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        };
        lines.join("\n")
    }
}

/// The last query of this table that the server has run.
fn last(world: &World, table: &str) -> String {
    last_with(world, table, "")
}

/// The last query of this table, with these words in it, that the server has run.
fn last_with(world: &World, table: &str, words: &str) -> String {
    let log = world.server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let statement = |line: Value| {
        let text = line["db.statement"].as_str().filter(|text| !text.is_empty()).or(line["summary"].as_str())?;
        Some(text.trim().to_owned())
    };
    let on_it = |statement: &String| {
        statement.starts_with("SELECT ")
            && statement.contains(&format!("FROM \"{table}\""))
            && statement.contains(words)
    };
    lines.filter_map(statement).rfind(on_it).unwrap_or_else(|| panic!("{table}: {log}"))
}

/// Whether a plan reads a whole table.
fn reads_all(plan: &str) -> bool {
    plan.contains(if Database::on_postgres() { "Seq Scan" } else { "SCAN" })
}

#[tokio::test]
async fn the_check_looks_into_the_unique_indexes_of_the_holders() {
    let world = World::with(&ACCORD, &[STATEMENTS]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let path = format!("/api/v1/posts/{}", ann.writes("A post").await.id());
    let mut other = Other::of(&world.database).await;
    other.fill().await;
    ben.patch(&path).header("If-Match", "*").json(&json!({ "rating": 1 })).await.expect(200);
    let statement = last(&world, "grants");
    let plan = other.plan(&statement).await;
    for index in ["grants_user_key", "grants_group_key"] {
        let line = plan.lines().skip_while(|line| !line.contains(index)).take(2).collect::<String>().to_lowercase();
        // by holder, permission and object
        let by_object = line.contains("coalesce") || line.contains("<expr>=?");
        assert!(by_object, "{index}: {statement}\n{plan}");
    }
    assert!(!reads_all(&plan), "{statement}\n{plan}");
}

#[tokio::test]
async fn every_filter_of_grants_and_events_has_its_index() {
    let world = World::with(&ACCORD, &[STATEMENTS]).await;
    let root = world.log_in("root").await;
    let mut other = Other::of(&world.database).await;
    other.fill().await;
    for (table, list, filters) in [
        (
            "grants",
            "grants",
            ["user_id=2", "group_id=2", "object_id=2", "user_id=2&permission=can_edit_post"].as_slice(),
        ),
        (
            "audit_events",
            "audit-events",
            &[
                "actor_id=2",
                "address=192.0.2.1",
                "action=user_created",
                "object_type=user",
                "object_id=2",
                "object_type=user&object_id=2",
            ],
        ),
    ] {
        for filter in filters {
            root.get(format!("/api/v1/{list}?{filter}")).await.expect(200);
            let statement = last(&world, table);
            let plan = other.plan(&statement).await;
            assert!(!reads_all(&plan), "{list}?{filter}: {statement}\n{plan}");
        }
    }
}

/// Pending jobs and deliveries, ten deliveries to an object.
const QUEUES: [&str; 2] = [
    "INSERT INTO tasks (name, payload, state, run_at, created_at, updated_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT 'purge-codes', '{}', 'queued', '2100-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00',
            '2026-01-01T00:00:00+00:00' FROM n",
    "INSERT INTO deliveries (webhook_id, event_id, event_type, object, event, status, created_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT 1, 'evt_' || i, 'post.updated', 'post:' || i / 10, '{}',
            CASE WHEN i % 2 = 0 THEN 'succeeded' ELSE 'pending' END, '2026-01-01T00:00:00+00:00' FROM n",
];

#[tokio::test]
async fn due_jobs_and_deliveries_are_read_in_the_order_of_their_index() {
    let settings =
        [STATEMENTS, ("ACCORD_TASK_WORKERS", "1"), ("ACCORD_PURGE_INTERVAL", "0"), ("ACCORD_WEBHOOK_PRIVATE", "true")];
    let receiver = Receiver::start(&[Treatment::Hangs]).await;
    let world = World::with(&ACCORD, &settings).await;
    world.log_in("root").await.post("/api/v1/webhooks").json(&json!({ "url": receiver.url })).await.expect(201);
    for rows in QUEUES {
        world.database.execute(rows).await;
    }
    let mut other = Other::of(&world.database).await;
    if Database::on_postgres() {
        world.database.execute("ANALYZE").await;
    }
    receiver.gets(1).await;
    for (table, words, indexes) in [
        ("tasks", "run_at", ["tasks_due_idx"].as_slice()),
        ("webhooks", "next_attempt_at", &["deliveries_due_idx"]),
        ("deliveries", "first_of_object", &["deliveries_due_idx", "deliveries_object_idx"]),
    ] {
        let statement = last_with(&world, table, words);
        let plan = other.plan(&statement).await;
        // webhooks are few; a bitmap holds every entry that matches, whatever the limit is
        let reads_many = ["Sort", "TEMP B-TREE", "Seq Scan", "SCAN"].iter().any(|step| plan.contains(step));
        let is_cheap = !plan.contains("Bitmap") && (table == "webhooks" || !reads_many);
        assert!(indexes.iter().all(|index| plan.contains(index)) && is_cheap, "{statement}\n{plan}");
    }
}
