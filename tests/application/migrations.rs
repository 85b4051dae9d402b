//! The migrations create what the code declares.

use accord_foundation::auth::permission::{self, Entry, Target};
use accord_foundation::auth::tables::Permissions;
use accord_foundation::db::connect::Settings;
use accord_foundation::db::migrate::{self, Direction};
use accord_foundation::db::signals::Hooks;
use accord_foundation::db::tables::{create, declared};
use accord_foundation::db::{Db, Dialect};
use sea_query::Query;

#[tokio::test]
async fn the_migrations_insert_a_row_for_each_permission() {
    accord::install();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("t.db").display());
    migrate::run_built_in(&url, Direction::Up, migrate::Target::Head).await.expect("migrates");
    let timeout = std::time::Duration::from_secs(5);
    let settings = Settings { url, timeout, connections: 1, queue: timeout };
    let db = Db::connect(&settings, Hooks::default()).await.expect("connects");
    let mut conn = db.read().await.expect("a connection");

    let columns = [Permissions::Name, Permissions::Target, Permissions::Description];
    let select = Query::select().columns(columns).from(Permissions::Table).take();
    let mut rows: Vec<(String, Option<String>, String)> = conn.all(&select).await.expect("reads");
    rows.sort();
    let row = |entry: &Entry| {
        (
            entry.name.to_owned(),
            entry.target.map(|target: Target| target.as_str().to_owned()),
            entry.description.to_owned(),
        )
    };
    let mut entries: Vec<_> = permission::catalogue().map(row).collect();
    entries.sort();
    assert_eq!(rows, entries, "a migration brings the rows in line");
    assert_eq!(permission::missing(&mut conn).await.expect("reads"), Vec::<&str>::new());
}

#[test]
fn both_databases_have_the_same_migrations_in_one_line() {
    accord::install();
    let names = |dialect| {
        let set = migrate::built_in(dialect).expect("a sound set");
        assert_eq!(set.heads().len(), 1);
        set.revisions().iter().map(|revision| (revision.id.clone(), revision.header.clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(Dialect::Sqlite), names(Dialect::Postgres));
    assert!(!names(Dialect::Sqlite).is_empty());
}

/// The statement of a migration that creates its first table.
fn written(file: &str) -> &str {
    let begin = file.find("CREATE TABLE").expect("a table");
    &file[begin..begin + file[begin..].find("\n);").expect("its end") + 3]
}

#[test]
fn a_table_is_created_as_the_migrations_write_it() {
    accord::install();
    let posts = declared().iter().find(|table| table.name == "posts").expect("posts");
    let sqlite = include_str!("../../migrations/sqlite/0003_posts.up.sql");
    let postgres = include_str!("../../migrations/postgres/0003_posts.up.sql");
    assert_eq!(create::create_table(posts, Dialect::Sqlite), written(sqlite));
    assert_eq!(create::create_table(posts, Dialect::Postgres), written(postgres));
    for (dialect, file) in [(Dialect::Sqlite, sqlite), (Dialect::Postgres, postgres)] {
        for statement in create::create(posts, dialect) {
            assert!(file.contains(&statement), "{statement}");
        }
    }
}
