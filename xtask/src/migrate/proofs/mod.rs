//! Every kind of change, on both databases, with rows in them: the declaration is changed, the scripts are written and
//! applied, up and down.

mod cases;
pub(super) mod tables;

use accord_migrate::Dialect;
use accord_migrate::difference::change;
use accord_migrate::difference::{Decisions, Outcome, Scripts, difference, faults, unequal};
use accord_migrate::lint;
use accord_migrate::migrations::Set;
use accord_migrate::rows::DeclaredRows;
use accord_migrate::schema::{read, text as sql_text};
use accord_migrate::tables::Table;
use accord_migrate::tables::declare::{sqlite, text};
use accord_migrate::tables::table::{Action, one_of};
use anyhow::Context;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::sync::Mutex;

use self::cases::{CASES, Case, called, column, of, replace};
use crate::postgres::Postgres;

const ROWS: &str = "
INSERT INTO users (email, name, password_hash, role, created_at, updated_at) VALUES
    ('ann@example.com', 'Ann', 'x', 'admin', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00'),
    ('ben@example.com', NULL, 'x', 'active', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00');
INSERT INTO posts (owner_id, title, content, search_text, rating, votes, created_at, updated_at) VALUES
    (1, 'One', 'first', 'one first', 5, 2, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00'),
    (1, 'Two', 'second', 'two second', NULL, 0, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00'),
    (NULL, 'Three', 'third', 'three third', 1, 0, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00'),
    (2, 'Four', 'goes', 'four goes', 1, 0, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00');
DELETE FROM posts WHERE content = 'goes';
INSERT INTO votes (post_id, user_id, created_at) VALUES
    (1, 1, '2026-01-01T00:00:00+00:00'), (1, 2, '2026-01-01T00:00:00+00:00');
INSERT INTO groups (name, created_at, updated_at) VALUES
    ('editors', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00');
INSERT INTO memberships (group_id, user_id, created_at) VALUES (1, 2, '2026-01-01T00:00:00+00:00');
INSERT INTO audit_events (actor_id, action, object_type, created_at) VALUES
    (1, 'created', 'posts', '2026-01-01T00:00:00+00:00');";

/// All that no change may touch.
const KEPT: &str = "
SELECT 'user ' || id || ' ' || email || ' ' || role FROM users
UNION ALL SELECT 'post ' || id || ' ' || coalesce(owner_id, 0) || ' ' || content || ' ' || votes || ' ' || version FROM posts
UNION ALL SELECT 'vote ' || post_id || ' ' || user_id FROM votes
UNION ALL SELECT 'member ' || user_id FROM memberships
UNION ALL SELECT 'event ' || actor_id FROM audit_events ORDER BY 1";

/// A database of a test. A connection to PostgreSQL costs more than what is done with it, so it is kept.
struct Database {
    url: String,
    postgres: Mutex<Option<PgConnection>>,
}

impl Database {
    fn at(url: String) -> Self {
        Self { url, postgres: Mutex::new(None) }
    }

    /// What one statement answers; with several only whether they run. As migrations are run: in a transaction, without
    /// foreign keys.
    async fn run(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        let text = AssertSqlSafe(sql.to_owned());
        if Dialect::of(&self.url) == Dialect::Sqlite {
            let options = self.url.parse::<SqliteConnectOptions>()?.foreign_keys(false);
            let options = options.synchronous(sqlx::sqlite::SqliteSynchronous::Off);
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let rows: Vec<(String,)> = match sql.trim_start().starts_with("SELECT") {
                true => sqlx::query_as(text).fetch_all(&mut *transaction).await?,
                false => sqlx::raw_sql(text).execute(&mut *transaction).await.map(|_| vec![])?,
            };
            let broken: Vec<(String,)> =
                sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_check").fetch_all(&mut *transaction).await?;
            anyhow::ensure!(broken.is_empty(), "broken references: {broken:?}");
            transaction.commit().await?;
            Ok(rows.into_iter().map(|(row,)| row).collect())
        } else {
            let mut kept = self.postgres.lock().await;
            let connection = match kept.take() {
                Some(connection) => connection,
                None => PgConnection::connect(&self.url).await?,
            };
            let mut transaction = kept.insert(connection).begin().await?;
            let rows: Vec<(String,)> = match sql.trim_start().starts_with("SELECT") {
                true => sqlx::query_as(text).fetch_all(&mut *transaction).await?,
                false => sqlx::raw_sql(text).execute(&mut *transaction).await.map(|_| vec![])?,
            };
            transaction.commit().await?;
            Ok(rows.into_iter().map(|(row,)| row).collect())
        }
    }

    async fn create(&self) -> anyhow::Result<()> {
        self.run(&tables::create_all(Dialect::of(&self.url))).await.map(drop)
    }

    /// SQLite's index of trigrams goes with its posts, whatever was made anew; on PostgreSQL an index cannot do otherwise.
    async fn finds(&self, word: &str, posts: &str) -> anyhow::Result<Vec<String>> {
        match Dialect::of(&self.url) {
            Dialect::Sqlite => {
                self.run(&format!("SELECT 'post ' || rowid FROM posts_search WHERE posts_search MATCH '\"{word}\"'"))
                    .await
            }
            Dialect::Postgres => {
                self.run(&format!("SELECT 'post ' || id FROM {posts} WHERE search_text LIKE '%{word}%'")).await
            }
        }
    }
}

impl Case {
    fn decisions(&self) -> Decisions {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Decisions { renames: owned(self.renames), drops: owned(self.drops) }
    }

    async fn prove(&self, database: &Database) -> anyhow::Result<Scripts> {
        database.run(ROWS).await?;
        let (before, kept) = (read(&database.url).await?, database.run(KEPT).await?);
        let mut changed = tables::declared();
        (self.change)(&mut changed);

        let scripts = match difference(&changed, &database.url, &self.decisions()).await? {
            Outcome::Scripts(scripts) => scripts,
            other => anyhow::bail!("no scripts: {other:?}"),
        };
        let objections = objections(&scripts, Dialect::of(&database.url));
        anyhow::ensure!(objections.is_empty(), "the lint: {objections:#?}");
        database.run(&scripts.up).await.with_context(|| scripts.up.clone())?;
        let left = faults(&changed, &database.url).await?;
        anyhow::ensure!(left.is_empty(), "after up: {left:#?}\n{}", scripts.up);
        let now = |sql: &str| sql_text::renamed(sql, "posts", self.posts);
        anyhow::ensure!(database.run(&now(KEPT)).await? == kept, "rows were lost on the way up");
        anyhow::ensure!(database.finds("second", self.posts).await? == ["post 2"], "the search does not find");
        database.run(&now("UPDATE posts SET search_text = 'two zweite' WHERE id = 2")).await?;
        anyhow::ensure!(database.finds("zweite", self.posts).await? == ["post 2"], "the search does not follow");
        anyhow::ensure!(database.finds("second", self.posts).await?.is_empty(), "the search finds what was");
        let event = database.run("UPDATE audit_events SET action = 'x'").await;
        anyhow::ensure!(event.is_err_and(|error| error.to_string().contains("never")), "an event was changed");

        database.run(&scripts.down).await.with_context(|| scripts.down.clone())?;
        anyhow::ensure!(database.run(KEPT).await? == kept, "rows were lost on the way down");
        let after = read(&database.url).await?;
        let left: Vec<_> =
            change::difference(&after, &before).iter().map(|change| change.sentence(&after, &before)).collect();
        anyhow::ensure!(left.is_empty(), "after down: {left:#?}\n{}", scripts.down);
        // what was dropped comes back at the end
        let drops = scripts.changes.iter().any(|change| change.contains("column dropped"));
        anyhow::ensure!(drops || after == before, "another order after down:\n{after:#?}\n{before:#?}");
        let again = difference(&tables::declared(), &database.url, &Decisions::default()).await?;
        anyhow::ensure!(matches!(again, Outcome::NoChange), "{again:?}");

        // and up once more: a number that was given once is not given again
        database.run(&scripts.up).await.context("up again")?;
        let posts = read(&database.url).await?.tables.into_iter().find(|table| table.name == self.posts);
        let needed = posts.context("posts")?.columns.into_iter().filter(|column| !column.null && !column.identity);
        let value = |column: &accord_migrate::tables::table::Column| match (column.name.as_str(), column.kind.as_str())
        {
            ("search_text", _) => "'five'",
            (_, "TIMESTAMPTZ") => "'2026-01-01T00:00:00+00:00'",
            (_, "BIGINT") => "0",
            (_, "BOOLEAN") => "TRUE",
            ("mood", _) => "'calm'",
            _ => "'Five'",
        };
        let (columns, values): (Vec<_>, Vec<_>) = needed.map(|column| (column.name.clone(), value(&column))).unzip();
        let insert = format!("INSERT INTO {} ({}) VALUES ({})", self.posts, columns.join(", "), values.join(", "));
        let insert = database.run(&insert).await;
        insert.context("insert a post")?;
        anyhow::ensure!(
            database.run(&now("SELECT 'post ' || max(id) FROM posts")).await? == ["post 5"],
            "a number was given twice"
        );
        anyhow::ensure!(
            database.finds("five", self.posts).await? == ["post 5"],
            "the search does not find what is new"
        );
        Ok(scripts)
    }
}

/// What the lint says of the migration as it is written, but for the locks: why they may be held a person must say.
fn objections(scripts: &Scripts, dialect: Dialect) -> Vec<String> {
    let destructive = match scripts.destructive.as_slice() {
        [] => String::new(),
        losses => format!("-- destructive: {}\n", losses.join("; ")),
    };
    let head = format!("-- parent: base\n-- message: a proof\n-- created: 2026-01-01\n{destructive}\n");
    let file = |end: &str, sql: &str| (format!("0001_proof.{end}.sql"), format!("{head}{sql}"));
    let set = Set::of([file("up", &scripts.up), file("down", &scripts.down)]).expect("a sound set");
    let faults = lint::faults(&set, dialect);
    faults.into_iter().filter(|fault| !fault.contains("`-- locks: …`")).collect()
}

fn snapshot(kind: &str, name: &str, scripts: &Scripts) {
    let Scripts { up, down, changes, destructive } = scripts;
    let mut text = changes.iter().map(|change| format!("# {change}\n")).collect::<String>();
    destructive.iter().for_each(|loss| text.push_str(&format!("# destructive: {loss}\n")));
    let text = format!("{text}\n-- up\n{up}\n-- down\n{down}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{}__{kind}", name.replace(' ', "_")), text);
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn every_change_is_written_and_proved_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut faults = vec![];
    for case in CASES {
        let file = folder.path().join(format!("{}.db", case.name.replace(' ', "_")));
        let database = Database::at(format!("sqlite:{}?mode=rwc", file.display()));
        let proof = runtime().block_on(async {
            database.create().await?;
            case.prove(&database).await
        });
        match proof {
            Ok(scripts) => snapshot("sqlite", case.name, &scripts),
            Err(error) => faults.push(format!("{}: {error:#}", case.name)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_change_is_written_and_proved_on_postgres() {
    let Some(server) = server() else { return };
    let mut faults = vec![];
    for (number, case) in CASES.iter().enumerate() {
        let proof = runtime().block_on(async {
            let database = Database::at(server.create(&format!("accord_proof_{number}")).await?);
            database.create().await?;
            case.prove(&database).await
        });
        match proof {
            Ok(scripts) => snapshot("postgres", case.name, &scripts),
            Err(error) => faults.push(format!("{}: {error:#}", case.name)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// On a machine of one's own PostgreSQL may be missing.
pub(super) fn server() -> Option<Postgres> {
    match Postgres::start() {
        Ok(server) => Some(server),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {error:#}");
            None
        }
        Err(error) => panic!("{error:#}"),
    }
}

/// A database of SQLite with the tables, in a folder that is deleted with it.
fn created() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::at(format!("sqlite:{}?mode=rwc", folder.path().join("proof.db").display()));
    runtime().block_on(database.create()).expect("created");
    (folder, database)
}

fn outcome(
    database: &Database,
    change: impl FnOnce(&mut Vec<Table>),
    decisions: &Decisions,
) -> anyhow::Result<Outcome> {
    let mut changed = tables::declared();
    change(&mut changed);
    runtime().block_on(difference(&changed, &database.url, decisions))
}

#[test]
fn nothing_is_to_do_where_all_tables_exist() {
    let (_folder, database) = created();
    let outcome = outcome(&database, |_| {}, &Decisions::default()).expect("an outcome");
    assert!(matches!(outcome, Outcome::NoChange), "{outcome:?}");
}

#[test]
fn a_trigger_of_another_table_stays_when_a_table_is_made_anew() {
    let (_folder, database) = created();
    let trigger = "CREATE TRIGGER votes_count AFTER INSERT ON votes BEGIN\n    UPDATE posts SET votes = votes + 1 WHERE id = new.post_id;\nEND";
    let change = |tables: &mut Vec<Table>| {
        replace(tables, "votes", |votes| votes.with(sqlite(trigger)));
        of(tables, "posts").checks[0].expression = "rating BETWEEN 1 AND 10".into();
    };
    runtime().block_on(async {
        database.run(trigger).await.expect("a trigger");
        let mut changed = tables::declared();
        change(&mut changed);
        let Ok(Outcome::Scripts(scripts)) = difference(&changed, &database.url, &Decisions::default()).await else {
            panic!("no scripts");
        };
        database.run(&scripts.up).await.expect("up");
        assert_eq!(faults(&changed, &database.url).await.expect("faults"), Vec::<String>::new());
        database.run(&scripts.down).await.expect("down");
        database.run(ROWS).await.expect("rows");
        assert_eq!(
            database.run("SELECT 'votes ' || votes FROM posts WHERE id = 1").await.expect("a post"),
            ["votes 4"]
        );
    });
}

#[test]
fn a_column_without_a_migration_is_named() {
    let (_folder, database) = created();
    let mut changed = tables::declared();
    replace(&mut changed, "posts", |posts| posts.column("subtitle", text().null()));
    let found = runtime().block_on(faults(&changed, &database.url)).expect("faults");
    assert_eq!(found, ["posts.subtitle: column added: TEXT"]);
}

#[test]
fn what_may_be_a_rename_is_asked_for() {
    let (_folder, database) = created();
    let rename = |tables: &mut Vec<Table>| {
        column!(tables, "posts", "title").name = "headline".into();
        replace(tables, "post_statistics", |table| called(table, "post_statistics", "post_numbers"));
    };
    let Outcome::Ask(questions) = outcome(&database, rename, &Decisions::default()).expect("an outcome") else {
        panic!("nothing was asked");
    };
    assert_eq!(
        questions,
        [
            "post_statistics goes and post_numbers comes: say `--rename post_statistics=post_numbers` to keep what it has, \
             or `--drop post_statistics` to lose it",
            "posts.title goes and posts.headline comes: say `--rename posts.title=posts.headline` to keep what it has, \
             or `--drop posts.title` to lose it",
        ]
    );
    let renames = vec!["posts.title=posts.headline".into()];
    let decided = Decisions { renames, drops: vec!["post_statistics".into()] };
    let decided = outcome(&database, rename, &decided).expect("an outcome");
    assert!(matches!(decided, Outcome::Scripts(_)), "{decided:?}");
}

#[test]
fn a_decision_about_nothing_is_refused() {
    let (_folder, database) = created();
    let rename = |tables: &mut Vec<Table>| column!(tables, "posts", "title").name = "headline".into();
    for (text, reason) in [
        ("posts.titel=posts.headline", "the database has no posts.titel"),
        ("posts.title=posts.head", "the code declares no posts.head"),
        ("post=articles", "the database has no table post"),
        ("posts.title", "say `--rename books.title=books.name`"),
    ] {
        let decisions = Decisions { renames: vec![text.into()], drops: vec![] };
        let error = outcome(&database, rename, &decisions).expect_err("refused").to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_column_that_rows_cannot_have_is_refused() {
    let (_folder, database) = created();
    let add = |tables: &mut Vec<Table>| replace(tables, "posts", |posts| posts.column("subtitle", text()));
    let Outcome::Refused(reasons) = outcome(&database, add, &Decisions::default()).expect("an outcome") else {
        panic!("it was not refused");
    };
    assert!(reasons[0].starts_with("posts.subtitle: the rows that are there would have nothing in it"), "{reasons:?}");
}

#[test]
fn databases_that_differ_in_meaning_are_named() {
    let (_folder, database) = created();
    let sqlite = runtime().block_on(read(&database.url)).expect("a schema");
    // as PostgreSQL has it: all but what it spells otherwise
    let mut other = sqlite.clone();
    assert_eq!(unequal(&tables::declared(), &sqlite, &other), Vec::<String>::new());
    of(&mut other.tables, "posts").indexes.remove(0);
    of(&mut other.tables, "posts").foreign_keys[0].on_delete = Action::Cascade;
    column!(other.tables, "posts", "title").null = true;
    of(&mut other.tables, "users").checks[0].expression = one_of("role", &["admin", "active"]);
    other.tables.retain(|table| table.name != "votes");
    assert_eq!(
        unequal(&tables::declared(), &sqlite, &other),
        [
            "posts.owner_id: foreign key posts_owner_id_fkey: SQLite has `(owner_id) REFERENCES users (id) ON DELETE SET \
             NULL`, PostgreSQL has `(owner_id) REFERENCES users (id) ON DELETE CASCADE`",
            "posts.title: SQLite has `TEXT NOT NULL`, PostgreSQL has `TEXT`",
            "posts: index posts_owner_id_idx: only SQLite has it: `(owner_id, id)`",
            "users.role: check users_role_check: SQLite has `admin, staff, active`, PostgreSQL has `admin, active`",
            "votes: only SQLite has the table",
        ]
    );
}

#[test]
fn declared_rows_are_inserted_changed_and_deleted_on_postgres() {
    let Some(server) = server() else { return };
    let declared = |rows: &[(&str, &str)]| DeclaredRows {
        table: "permissions",
        noun: "permission",
        about: "The permissions.",
        columns: &["name", "target", "description"],
        dependents: &[("grants", "permission")],
        rows: rows.iter().map(|(name, about)| vec![Some((*name).into()), None, Some((*about).into())]).collect(),
    };
    runtime().block_on(async {
        let database = Database::at(server.create("accord_rows").await.expect("a database"));
        let tables = "CREATE TABLE permissions (name TEXT CONSTRAINT permissions_pkey PRIMARY KEY, target TEXT, \
                      description TEXT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ); \
                      CREATE TABLE grants (permission TEXT CONSTRAINT grants_fkey REFERENCES permissions (name))";
        database.run(tables).await.expect("tables");
        let (before, after) =
            (declared(&[("can_edit", "Edit"), ("can_read", "Read")]), declared(&[("can_edit", "Edit it all")]));
        let initial = before.difference(&database.url).await.expect("reads").expect("the table is empty");
        database.run(&initial.up).await.expect("inserted");
        database.run("INSERT INTO grants VALUES ('can_read')").await.expect("a grant");
        let scripts = after.difference(&database.url).await.expect("reads").expect("they differ");
        database.run(&scripts.up).await.expect("up");
        assert_eq!(after.faults(&database.url).await.expect("reads"), Vec::<String>::new());
        database.run(&scripts.down).await.expect("down");
        assert_eq!(before.faults(&database.url).await.expect("reads"), Vec::<String>::new());
    });
}
