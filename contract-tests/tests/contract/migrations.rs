//! Migrations from the command line, and what a running server makes of them. The migrations are those of folders that
//! are written here, or those built in and newer ones beside them.

use std::path::Path;
use std::time::Duration;

use contract_tests::{ACCORD, Database, Ended, Running, World, command_line};
use insta::assert_snapshot;
use tempfile::TempDir;

const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// A folder of migrations, the same for both databases.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for database in ["sqlite", "postgres"] {
            std::fs::create_dir(folder.path().join(database)).unwrap();
        }
        Self(folder)
    }

    /// Three tables, one a migration.
    fn of_three() -> Self {
        let folder = Self::new();
        for (id, parent, table) in [("0001_a", "base", "a"), ("0002_b", "0001_a", "b"), ("0003_c", "0002_b", "c")] {
            let create = format!("CREATE TABLE {table} (id BIGINT, CONSTRAINT {table}_pkey PRIMARY KEY (id));");
            folder.write(id, parent, "", &create, &format!("DROP TABLE {table};"));
        }
        folder
    }

    /// Those that are built in.
    fn built_in() -> Self {
        let folder = Self::new();
        for database in ["sqlite", "postgres"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(database);
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), folder.0.path().join(database).join(entry.file_name())).unwrap();
            }
        }
        folder
    }

    fn write(&self, id: &str, parents: &str, marks: &str, up: &str, down: &str) {
        let header = format!("-- parents: {parents}\n-- message: The message of {id}\n-- created: 2026-11-21\n");
        for database in ["sqlite", "postgres"] {
            let file = |end| self.0.path().join(database).join(format!("{id}.{end}.sql"));
            std::fs::write(file("up"), format!("{header}{marks}\n{up}\n")).unwrap();
            std::fs::write(file("down"), format!("{header}\n{down}\n")).unwrap();
        }
    }

    /// The name of the newest.
    fn head(&self) -> String {
        let names = std::fs::read_dir(self.0.path().join("sqlite")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter_map(|name| name.strip_suffix(".up.sql").map(str::to_owned)).max().unwrap()
    }
}

/// A database, and the folder that `accord migrate` takes for it.
struct Shell {
    database: Database,
    folder: Folder,
    transcript: String,
}

impl Shell {
    async fn with(folder: Folder) -> Self {
        Self { database: Database::empty(&ACCORD).await, folder, transcript: String::new() }
    }

    fn arguments<'a>(&'a self, words: &'a str) -> Vec<&'a str> {
        let folder = self.folder.0.path().to_str().unwrap();
        ["migrate", "--migrations", folder].into_iter().chain(words.split(' ')).collect()
    }

    async fn migrate(&self, words: &str) -> Ended {
        command_line(&ACCORD, &self.arguments(words), &self.database.url(), "").await
    }

    /// Runs it, and keeps it as a terminal shows it.
    async fn types(&mut self, words: &str) {
        let ended = self.migrate(words).await;
        let complaint = ended.stderr.lines().map(|line| format!("! {line}\n")).collect::<String>();
        let code = if ended.code == 0 { String::new() } else { format!("exit {}\n", ended.code) };
        self.transcript += &format!("$ accord migrate {words}\n{}{complaint}{code}\n", ended.stdout);
    }

    async fn succeeds(&self, words: &str) -> String {
        let ended = self.migrate(words).await;
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
    }

    async fn fails(&self, words: &str) -> String {
        let ended = self.migrate(words).await;
        assert_eq!(ended.code, FAILED, "{words}: {}", ended.stdout);
        ended.stderr
    }

    async fn current(&self) -> String {
        self.succeeds("current").await.trim().to_owned()
    }
}

/// What `accord migrate` answers with the migrations that are built in.
async fn built_in(database: &Database, words: &str) -> Ended {
    let arguments: Vec<_> = ["migrate"].into_iter().chain(words.split(' ')).collect();
    command_line(&ACCORD, &arguments, &database.url(), "").await
}

#[tokio::test]
async fn every_form_of_target_is_reached_and_shown() {
    let mut shell = Shell::with(Folder::of_three()).await;
    for words in [
        "current",
        "heads",
        "history",
        "up +1",
        "current",
        "up 0002_b",
        "up",
        "up",
        "current",
        "history",
        "down -2",
        "current",
        "to 3",
        "to 0001",
        "to head",
        "to +0",
        "down base",
        "current",
        "down -1",
        "up +4",
        "up 7",
        "to 0001_x",
    ] {
        shell.types(words).await;
    }
    shell.succeeds("up").await;
    for words in ["up 1", "down +1"] {
        shell.types(words).await;
    }
    assert_snapshot!(shell.transcript);
    assert_eq!(shell.migrate("up newest").await.code, USAGE);
    let status = shell.succeeds("status").await;
    let (database, rest) = status.split_once('\n').unwrap();
    assert!(database.starts_with("database  ") && !database.contains("password"), "{database}");
    assert_eq!(rest, "current   0003_c\nheads     0003_c\npending   none\n");
}

#[tokio::test]
async fn a_dry_run_prints_the_sql_and_runs_none() {
    let mut shell = Shell::with(Folder::of_three()).await;
    shell.types("up --dry-run").await;
    shell.types("current").await;
    shell.succeeds("up").await;
    shell.types("down -1 --dry-run").await;
    shell.types("to 3 --dry-run").await;
    shell.types("current").await;
    assert_snapshot!(shell.transcript);
}

#[tokio::test]
async fn a_failing_statement_leaves_the_revision_before_and_is_named() {
    let shell = Shell::with(Folder::of_three()).await;
    let three = "CREATE TABLE c (id BIGINT, CONSTRAINT c_pkey PRIMARY KEY (id));";
    let faulty = format!("{three}\nINSERT INTO c VALUES (1);\nINSERT INTO c VALUES (1);");
    shell.folder.write("0003_c", "0002_b", "", &faulty, "DROP TABLE c;");
    let complaint = shell.fails("up").await;
    assert!(
        complaint.starts_with("accord: up 0003_c: 0003_c.up.sql, line 7: `INSERT INTO c VALUES (1)`: "),
        "{complaint}"
    );
    assert!(complaint.ends_with("It was undone: the database is at 0002_b\n"), "{complaint}");
    assert_eq!(shell.current().await, "0002_b (1 pending)");
    // nothing of it has stayed, and what failed may be edited
    shell.folder.write("0003_c", "0002_b", "", three, "DROP TABLE c;");
    assert_eq!(shell.succeeds("up").await, "up 0003_c\n");
}

#[tokio::test]
async fn what_the_database_says_only_at_the_commit_is_named_as_well() {
    let shell = Shell::with(Folder::of_three()).await;
    let refers = "CREATE TABLE c (id BIGINT, CONSTRAINT c_id_fkey FOREIGN KEY (id) REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED);";
    shell.folder.write("0003_c", "0002_b", "", &format!("{refers}\nINSERT INTO c VALUES (7);"), "DROP TABLE c;");
    let complaint = shell.fails("up").await;
    assert!(complaint.starts_with("accord: up 0003_c: 0003_c.up.sql, line 5: "), "{complaint}");
    assert!(complaint.ends_with("It was undone: the database is at 0002_b\n"), "{complaint}");
    assert_eq!(shell.current().await, "0002_b (1 pending)");
}

#[tokio::test]
async fn a_failing_way_back_leaves_the_revision_it_began_with() {
    let shell = Shell::with(Folder::of_three()).await;
    shell.folder.write("0002_b", "0001_a", "", "CREATE TABLE b (id BIGINT);", "DROP TABLE b;\nDROP TABLE nothing;");
    shell.succeeds("up").await;
    let complaint = shell.fails("down base").await;
    assert!(
        complaint.starts_with("accord: down 0002_b: 0002_b.down.sql, line 6: `DROP TABLE nothing`: "),
        "{complaint}"
    );
    assert_eq!(shell.current().await, "0002_b (1 pending)");
    assert_eq!(shell.database.count("b").await, 0);
}

#[tokio::test]
async fn an_edited_migration_is_refused_and_can_still_be_undone() {
    let shell = Shell::with(Folder::of_three()).await;
    shell.succeeds("up 2").await;
    shell.folder.write("0002_b", "0001_a", "", "CREATE TABLE b (id BIGINT, more TEXT);", "DROP TABLE other;");
    assert!(shell.fails("up").await.contains("migration 0002_b was edited after it had been applied"));
    let status = shell.succeeds("status").await;
    assert!(status.ends_with("\nedited    0002_b: restore its file, and write a new migration\n"), "{status}");
    assert_eq!(shell.succeeds("down -1").await, "down 0002_b\n");
    assert_eq!(shell.succeeds("up").await, "up 0002_b\nup 0003_c\n");
}

#[tokio::test]
async fn two_branches_are_refused_until_they_are_joined() {
    let mut shell = Shell::with(Folder::of_three()).await;
    shell.succeeds("up").await;
    shell.folder.write("0003_d", "0002_b", "", "CREATE TABLE d (id BIGINT);", "DROP TABLE d;");
    for words in ["heads", "up", "up 3", "up 0003_d --dry-run"] {
        shell.types(words).await;
    }
    shell.folder.write("0004_merge", "0003_c, 0003_d", "", "", "");
    for words in ["heads", "up", "history", "down -3", "to 0003_d", "up"] {
        shell.types(words).await;
    }
    assert_snapshot!(shell.transcript);
}

#[tokio::test]
async fn an_older_release_rolls_back_what_it_has_never_seen() {
    let folder = Folder::built_in();
    let head = folder.head();
    let newer = Shell::with(folder).await;
    newer.folder.write("9001_more", &head, "", "CREATE TABLE more (id BIGINT);", "DROP TABLE more;");
    newer.folder.write(
        "9002_most",
        "9001_more",
        "",
        "ALTER TABLE posts ADD COLUMN more BIGINT;",
        "ALTER TABLE posts DROP COLUMN more;",
    );
    newer.succeeds("up").await;
    assert_eq!(built_in(&newer.database, "current").await.stdout, "9002_most (unknown to this binary)\n");
    let history = built_in(&newer.database, "history").await.stdout;
    assert!(history.ends_with("[?] 9001_more                applied by a newer release\n[?] 9002_most                applied by a newer release\n"), "{history}");

    let ended = built_in(&newer.database, &format!("to {head}")).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "down 9002_most\ndown 9001_more\n"), "{}", ended.stderr);
    assert_eq!(built_in(&newer.database, "current").await.stdout, format!("{head} (head)\n"));
    assert_eq!(newer.succeeds("up").await, "up 9001_more\nup 9002_most\n", "and the newer release begins again");
}

#[tokio::test]
async fn a_server_goes_on_beside_a_newer_schema_unless_it_takes_something_away() {
    let folder = Folder::built_in();
    let head = folder.head();
    let newer = Shell::with(folder).await;
    newer.succeeds("up").await;
    let url = newer.database.url();
    let world = World::on(Database::empty(&ACCORD).await, &url, &[("ACCORD_MIGRATE", "off")]).await;
    let ready = async |status| world.nobody().get("/health/ready").await.expect(status).body["database"].clone();

    newer.folder.write(
        "9001_more",
        &head,
        "",
        "ALTER TABLE posts ADD COLUMN more BIGINT;",
        "ALTER TABLE posts DROP COLUMN more;",
    );
    newer.succeeds("up").await;
    assert_eq!(ready(200).await, "healthy", "it adds, and takes nothing away");
    let marks = format!("-- destructive: it is no longer used\n-- safe since: {head}\n");
    newer.folder.write(
        "9002_less",
        "9001_more",
        &marks,
        "ALTER TABLE posts DROP COLUMN more;",
        "ALTER TABLE posts ADD COLUMN more BIGINT;",
    );
    newer.succeeds("up").await;
    assert_eq!(ready(200).await, "healthy", "this release no longer uses what it takes away");
    let ended = built_in(&newer.database, "up").await;
    assert_eq!(ended.stdout, "nothing to do\n", "a start that migrates is no fault either: {}", ended.stderr);

    let marks = "-- destructive: nobody needs it\n";
    newer.folder.write(
        "9003_least",
        "9002_less",
        marks,
        "ALTER TABLE posts RENAME COLUMN rating TO stars;",
        "ALTER TABLE posts RENAME COLUMN stars TO rating;",
    );
    newer.succeeds("up").await;
    assert_eq!(ready(503).await, "needs a newer release");
    newer.folder.write("9004_more", "9003_least", "", "CREATE TABLE more (id BIGINT);", "DROP TABLE more;");
    newer.succeeds("up").await;
    let ended = command_line(&ACCORD, &["user", "list"], &url, "").await;
    assert!(ended.stderr.contains("or go back with `accord migrate to 9002_less`"), "{}", ended.stderr);
    let ended = built_in(&newer.database, "up").await;
    assert_eq!(ended.code, FAILED);
    assert!(
        ended.stderr.contains("the database has migration 9003_least, which this binary does not know"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains(&format!("go back with `accord migrate to {head}`")), "{}", ended.stderr);
}

#[tokio::test]
async fn of_two_that_migrate_at_once_one_does_everything() {
    for time in 1..=20 {
        let database = Database::empty(&ACCORD).await;
        let up = async || built_in(&database, "up").await;
        let (one, other) = tokio::join!(up(), up());
        let mut printed = [one.stdout, other.stdout];
        printed.sort();
        assert_eq!((one.code, other.code), (0, 0), "{time}: {} {}", one.stderr, other.stderr);
        assert_eq!(printed[0], "nothing to do\n", "{time}");
        assert!(printed[1].starts_with("up 0001_users\nup 0002_sessions\n"), "{time}: {}", printed[1]);
        let history = built_in(&database, "history").await.stdout;
        assert!(history.lines().all(|line| line.starts_with("[x] ")), "{time}: {history}");
    }
}

/// 100,000 rows, and a migration that changes `batch` of them at a time.
fn large(batch: u32) -> Folder {
    let folder = Folder::new();
    let fill = "CREATE TABLE a (id BIGINT, done BIGINT, CONSTRAINT a_pkey PRIMARY KEY (id));\n\
        INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, 0 FROM n;\n\
        CREATE INDEX a_done_idx ON a (done, id);";
    folder.write("0001_a", "base", "", fill, "DROP TABLE a;");
    let change = format!(
        "-- All of them, some at a time.\n-- repeat until no row changes\n\
         UPDATE a SET done = 1 WHERE id IN (SELECT id FROM a WHERE done = 0 ORDER BY done, id LIMIT {batch});"
    );
    folder.write("0002_done", "0001_a", "", &change, "UPDATE a SET done = 0 WHERE done = 1;");
    folder
}

#[tokio::test]
async fn a_migration_of_many_rows_shows_how_far_it_is() {
    let shell = Shell::with(large(10_000)).await;
    let ended = shell.migrate("up").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "up 0001_a\nup 0002_done\n"), "{}", ended.stderr);
    let told: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("up 0002_done")).collect();
    let place = "up 0002_done, statement 1 of 1 (`UPDATE a SET done = 1 WHERE id IN (SELECT id FROM a WHERE do…`): ";
    let first = told.first().unwrap();
    assert!(first.starts_with(&format!("{place}10000 rows in ")), "{told:?}");
    let last = told.last().unwrap();
    assert!(last.starts_with(&format!("{place}100000 rows in ")) && last.ends_with(" s, done"), "{told:?}");
}

#[tokio::test]
async fn a_migration_that_was_killed_left_nothing_and_the_next_start_goes_on() {
    let shell = Shell::with(large(1)).await;
    shell.succeeds("up 1").await;
    let mut killed = Running::start(&ACCORD, &shell.arguments("up"), &shell.database.url(), "").await;
    let line = killed.line().await;
    assert!(line.contains("up 0002_done, statement 1 of 1") && line.contains("1 rows in"), "{line}");
    killed.kill().await;

    assert_eq!(shell.current().await, "0001_a (1 pending)");
    let status = shell.succeeds("status").await;
    assert!(status.ends_with("current   0001_a\nheads     0002_done\npending   0002_done\n"), "{status}");
    let change = "UPDATE a SET done = 2 WHERE done = 0;";
    shell.folder.write("0002_done", "0001_a", "", change, "UPDATE a SET done = 0 WHERE done = 2;");
    assert_eq!(shell.succeeds("up").await, "up 0002_done\n");
    assert_eq!(shell.database.count("a WHERE done = 2").await, 100_000, "no row was changed before");
}

#[tokio::test]
async fn whoever_waits_for_another_migration_says_so() {
    let shell = Shell::with(large(1)).await;
    shell.succeeds("up 1").await;
    let mut long = Running::start(&ACCORD, &shell.arguments("up"), &shell.database.url(), "").await;
    long.line().await;
    let mut waiting = Running::start(&ACCORD, &shell.arguments("up"), &shell.database.url(), "").await;
    // a machine that is busy may say 2
    let line = waiting.line().await;
    assert!(line.starts_with("another process migrates this database: waiting for "), "{line}");
    waiting.kill().await;
    long.kill().await;
}

#[tokio::test]
async fn who_holds_a_table_of_postgres_makes_a_migration_fail_not_wait() {
    // SQLite has one lock, for which everybody waits in turn
    if !Database::on_postgres() {
        return;
    }
    let shell = Shell::with(Folder::of_three()).await;
    shell.succeeds("up 1").await;
    shell.folder.write(
        "0002_b",
        "0001_a",
        "",
        "ALTER TABLE a ADD COLUMN more TEXT;",
        "ALTER TABLE a DROP COLUMN more;",
    );
    let hold = shell.database.execute("BEGIN; LOCK TABLE a; SELECT pg_sleep(13); COMMIT");
    let migrate = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shell.fails("up").await
    };
    let (complaint, ()) = tokio::join!(migrate, hold);
    let place = "up 0002_b, statement 1 of 1 (`ALTER TABLE a ADD COLUMN more TEXT`): 1 s";
    assert!(complaint.contains(place), "it says meanwhile that it goes on: {complaint}");
    assert!(complaint.contains("lock timeout. It was undone: the database is at 0001_a"), "{complaint}");
    assert_eq!(shell.succeeds("up 2").await, "up 0002_b\n");
}

#[tokio::test]
async fn postgres_ends_the_statement_of_a_migration_that_was_killed() {
    if !Database::on_postgres() {
        return;
    }
    let shell = Shell::with(Folder::of_three()).await;
    shell.folder.write("0001_a", "base", "", "SELECT pg_sleep(60);", "SELECT 1;");
    let mut killed = Running::start(&ACCORD, &shell.arguments("up"), &shell.database.url(), "").await;
    let line = killed.line().await;
    assert!(line.contains("statement 1 of 1 (`SELECT pg_sleep(60)`)"), "{line}");
    killed.kill().await;
    shell.folder.write("0001_a", "base", "", "SELECT 1;", "SELECT 1;");
    // it waits for the lock of the killed one, and no test waits for 60 s
    assert_eq!(shell.succeeds("up").await, "up 0001_a\nup 0002_b\nup 0003_c\n");
}
