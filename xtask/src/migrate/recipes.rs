//! The recipes of DEVELOPING.md, run as they stand on both databases.
//!
//! Blocks of a recipe: `console` runs its commands and compares what they print (`older$` is the binary without the
//! migrations of the recipe); `sql` shows a file (`-- migrations/…`), puts something into one (`-- into …`), or is what
//! servers of a release run. Those of the newest release run after each migration, those of the two newest side by side.
//!
//! The recipes run in a repository of their own, whose one migration is [`WRITTEN_AFTER`] and creates the tables of the
//! proofs. Its numbers are those of the text, whatever the newest migration of this repository is.

use std::path::Path;

use accord_migrate::Dialect;
use accord_migrate::difference::Decisions;
use accord_migrate::folder::Folder;
use accord_migrate::lint;
use accord_migrate::migrations::header::Header;
use accord_migrate::migrations::script::statements;
use accord_migrate::migrations::{self as migrate, Direction, Set, Target};
use accord_migrate::tables::Table;
use accord_migrate::tables::declare::{postgres, sqlite, text};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::new;
use super::proofs::{server, tables};
use crate::postgres::Postgres;
use crate::run;

/// The newest migration in the text of the recipes.
const WRITTEN_AFTER: &str = "0013_post_permissions";

/// A repository with one migration, two databases at its head with a user in them, and the servers that run.
struct Kitchen<'p> {
    repository: TempDir,
    postgres: &'p Postgres,
    urls: Vec<String>,
    /// What the code declares by now.
    declared: Vec<Table>,
    older: [Set; 2],
    /// Of each release what its servers run, and the migrations they know.
    releases: Vec<(Vec<String>, [Set; 2])>,
}

const DIALECTS: [Dialect; 2] = Dialect::ALL;

impl<'p> Kitchen<'p> {
    async fn new(postgres: &'p Postgres, database: String) -> Self {
        let repository = tempfile::tempdir().expect("a folder");
        let migrations = repository.path().join("migrations");
        let header = format!("-- parent: base\n-- message: {WRITTEN_AFTER}\n-- created: 2026-11-21\n\n");
        for dialect in DIALECTS {
            let folder = migrations.join(dialect.folder());
            std::fs::create_dir_all(&folder).expect("a folder");
            let drops: Vec<_> =
                tables::declared().iter().rev().map(|table| format!("DROP TABLE {};", table.name)).collect();
            for (end, sql) in [("up", tables::create_all(dialect)), ("down", drops.join("\n"))] {
                let file = folder.join(format!("{WRITTEN_AFTER}.{end}.sql"));
                std::fs::write(file, format!("{header}{sql}")).expect("written");
            }
        }
        Folder::of(repository.path()).seal().expect("sealed");
        let file = format!("sqlite:{}", repository.path().join("recipe.db").display());
        let folder = Folder::of(repository.path());
        let older = DIALECTS.map(|dialect| folder.set(dialect).expect("sound"));
        let urls = vec![file, database];
        for (url, set) in urls.iter().zip(&older) {
            migrate::run(url, set, Direction::Up, &Target::Head, &mut |_| {}).await.expect("migrates");
            let row = "INSERT INTO users (email, name, password_hash, created_at, updated_at) VALUES \
                       ('ada@example.com', 'Ada', '', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00')";
            execute(url, row).await;
        }
        Self { repository, postgres, urls, declared: tables::declared(), older, releases: vec![] }
    }

    fn folder(&self) -> Folder {
        Folder::of(self.repository.path())
    }

    fn sets(&self) -> [Set; 2] {
        DIALECTS.map(|dialect| self.folder().set(dialect).expect("sound"))
    }

    /// Follows the recipe of this name; `edits` are what its text says is done to `src/db/tables`, each before the
    /// `--auto` of its turn.
    async fn follow(&mut self, recipe: &str, edits: &[fn(&mut Vec<Table>)]) {
        let mut edits = edits.iter();
        for (kind, block) in blocks(recipe) {
            match kind.as_str() {
                "console" => {
                    for (command, expected) in commands(&block) {
                        if command.contains(" --auto") {
                            edits.next().expect("the text says what is declared")(&mut self.declared);
                        }
                        let printed = self.type_in(&command).await;
                        assert_eq!(printed, expected, "{command}");
                    }
                }
                "sql" => self.sql(&block).await,
                other => panic!("no recipe has a block of {other}"),
            }
        }
        assert!(edits.next().is_none(), "each edit has its `--auto`");
    }

    async fn type_in(&mut self, command: &str) -> Vec<String> {
        let words: Vec<_> = command.split_once("migrate ").expect("a command of migrate").1.split(' ').collect();
        if command.starts_with("$ cargo xtask") {
            return self.workshop(words[0], command).await;
        }
        let sets = if command.starts_with("older$") { self.older.clone() } else { self.sets() };
        let mut printed = vec![];
        for (url, set) in self.urls.iter().zip(&sets) {
            printed.push(accord(url, set, &words).await);
        }
        assert_eq!(printed[0], printed[1], "{command}: the databases differ");
        self.serve(1).await;
        printed.remove(0)
    }

    async fn workshop(&mut self, word: &str, command: &str) -> Vec<String> {
        let folder = self.folder();
        match word {
            "seal" => drop(folder.seal().expect("sealed")),
            "merge" => drop(new::merge(&folder).expect("merged")),
            "check" => {
                let mut faults = folder.faults().expect("readable");
                for (dialect, set) in DIALECTS.into_iter().zip(self.sets()) {
                    faults.extend(lint::faults(&set, dialect));
                }
                return faults;
            }
            "new" => {
                let message = command.split('"').nth(1).expect("a message").to_owned();
                let drops = command.split_once("--drop ").map(|(_, name)| name.to_owned()).into_iter().collect();
                let decisions = Decisions { drops, ..Decisions::default() };
                let scripts = if command.contains("--auto") {
                    let found = new::difference(&folder, &self.declared, &[], &decisions, self.postgres).await;
                    found.expect("decided").expect("something is to do").scripts
                } else {
                    DIALECTS.map(|dialect| (dialect, accord_migrate::folder::Scripts::default()))
                };
                let parents = vec![self.sets()[0].heads()[0].id.clone()];
                let header = Header { parents, message, created: "2026-11-21".into(), ..Header::default() };
                folder.write(&header.message, &header, scripts).expect("written");
            }
            other => panic!("no recipe says `cargo xtask migrate {other}`"),
        }
        vec![]
    }

    async fn sql(&mut self, block: &str) {
        let (title, body) = block.split_once('\n').unwrap_or((block, ""));
        if title.starts_with("-- servers of ") {
            let run = statements(body, Dialect::Sqlite).into_iter().map(|statement| statement.sql).collect();
            self.releases.push((run, self.sets()));
            return self.serve(2).await;
        }
        let (into, name) = match title.strip_prefix("-- into ") {
            Some(name) => (true, name),
            None => (false, title.strip_prefix("-- ").expect("the first line names the file")),
        };
        for dialect in DIALECTS.map(Dialect::folder) {
            let name = name.replace('*', dialect);
            if !name.contains(dialect) {
                continue;
            }
            let file = self.repository.path().join(&name);
            if into {
                self.put(&file, body);
            } else {
                let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
                let (_, sql) = Header::split(&text).expect("a header");
                assert_eq!(sql.trim_end(), body.trim_end(), "{name}");
            }
        }
    }

    /// Marks go into the header, statements before what is there; a file that is not there is another branch's.
    fn put(&self, file: &Path, body: &str) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let (marks, sql): (Vec<_>, Vec<_>) = body.lines().partition(|line| {
            ["-- destructive:", "-- safe since:", "-- nothing to undo:"].iter().any(|mark| line.starts_with(mark))
        });
        if text.is_empty() {
            let name = file.file_name().expect("a name").to_string_lossy();
            let parent = &self.older[0].heads()[0].id;
            let header =
                format!("-- parent: {parent}\n-- message: {}\n-- created: 2026-11-21\n\n", &name[..name.len() - 7]);
            let column =
                body.split(" ADD COLUMN ").nth(1).expect("it adds a column").split(' ').next().expect("its name");
            let table = body.split(' ').nth(2).expect("a table");
            let down = format!("{header}ALTER TABLE {table} DROP COLUMN {column};\n");
            std::fs::write(file.with_file_name(name.replace(".up.", ".down.")), down).expect("written");
            return std::fs::write(file, format!("{header}{body}")).expect("written");
        }
        let (header, rest) = text.split_once("\n\n").expect("a header");
        // marks that were written already are what is asked for
        let header: Vec<_> = header.lines().filter(|line| !line.starts_with("-- destructive:")).chain(marks).collect();
        let sql: String = sql.into_iter().map(|line| format!("{line}\n")).collect();
        // after the columns are there, and before the triggers
        let at = rest.find("CREATE ").unwrap_or(rest.len());
        let text = format!("{}\n\n{}{sql}{}", header.join("\n"), &rest[..at], &rest[at..]);
        std::fs::write(file, text).expect("written");
    }

    /// The servers of the newest releases are called, and stay ready.
    async fn serve(&self, releases: usize) {
        for (statements, known) in self.releases.iter().rev().take(releases).rev() {
            for (url, known) in self.urls.iter().zip(known) {
                for statement in statements {
                    execute(url, statement).await;
                }
                let status = migrate::status(url, known.clone()).await.expect("a status");
                assert!(status.pending().is_empty(), "the database has what the release needs");
                assert!(status.unknown().iter().all(|row| row.suits(known)), "the release goes on");
            }
        }
    }
}

/// Without a PostgreSQL on a machine of one's own nothing is cooked.
fn cook(recipe: impl AsyncFnOnce(Kitchen<'_>)) {
    let Some(postgres) = server() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let name = format!("accord_recipe_{}", run::random_hex());
        let database = postgres.create(&name).await.expect("a database");
        recipe(Kitchen::new(&postgres, database).await).await;
        postgres.remove(&name).await.expect("removed");
    });
}

/// What `accord migrate` prints.
async fn accord(url: &str, set: &Set, words: &[&str]) -> Vec<String> {
    let direction = match words[0] {
        "up" => Direction::Up,
        "to" => Direction::Either,
        "current" => {
            let status = migrate::status(url, set.clone()).await.expect("a status");
            let note = if status.unknown().is_empty() { "head" } else { "unknown to this binary" };
            return vec![format!("{} ({note})", status.current())];
        }
        "heads" => {
            return set
                .heads()
                .iter()
                .map(|head| format!("{head} (parent {})", accord_migrate::folder::parents(&head.header)))
                .collect();
        }
        other => panic!("no recipe says `accord migrate {other}`"),
    };
    let target = words.get(1).copied().unwrap_or("head").parse().expect("a target");
    let steps = migrate::run(url, set, direction, &target, &mut |_| {}).await;
    steps.unwrap_or_else(|error| panic!("{words:?}: {error}")).iter().map(ToString::to_string).collect()
}

async fn execute(url: &str, statement: &str) {
    let sql = AssertSqlSafe(statement.to_owned());
    let done = if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("connects");
        sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
    } else {
        let mut connection = PgConnection::connect(url).await.expect("connects");
        sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
    };
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn value(url: &str, query: &str) -> Option<String> {
    let sql = AssertSqlSafe(query.to_owned());
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("connects");
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect(query)
    } else {
        let mut connection = PgConnection::connect(url).await.expect("connects");
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect(query)
    }
}

/// The fenced blocks of a recipe, with their kind.
fn blocks(recipe: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(run::root().join("DEVELOPING.md")).expect("DEVELOPING.md");
    let title = format!("### Recipe: {recipe}\n");
    let (_, section) = text.split_once(&title).unwrap_or_else(|| panic!("DEVELOPING.md has no `{title}`"));
    let section = section.split("\n## ").next().unwrap_or(section).split("\n### ").next().unwrap_or(section);
    let fences: Vec<_> = section.split("```").collect();
    let of = |block: &&str| block.split_once('\n').map(|(kind, text)| (kind.to_owned(), text.trim_end().to_owned()));
    let found: Vec<_> = fences.iter().skip(1).step_by(2).filter_map(of).collect();
    assert!(!found.is_empty(), "the recipe says nothing");
    found
}

/// Each command with the lines that it prints.
fn commands(block: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = vec![];
    for line in block.lines() {
        match found.last_mut() {
            _ if line.starts_with("$ ") || line.starts_with("older$ ") => found.push((line.to_owned(), vec![])),
            Some((_, printed)) => printed.push(line.to_owned()),
            None => panic!("a block begins with a command, not with {line}"),
        }
    }
    found
}

fn edit(tables: &mut Vec<Table>, name: &str, change: impl FnOnce(Table) -> Table) {
    let at = tables.iter().position(|table| table.name == name).expect("a declared table");
    let table = tables.remove(at);
    tables.insert(at, change(table));
}

fn slug(tables: &mut Vec<Table>) {
    edit(tables, "posts", |posts| posts.column("slug", text().null()));
}

#[test]
fn a_column_is_added() {
    cook(async |mut kitchen| {
        for url in &kitchen.urls {
            let post = "INSERT INTO posts (title, content, search_text, created_at, updated_at) VALUES \
                    ('A', 'B', 'a', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00')";
            execute(url, post).await;
        }
        kitchen.follow("add a column", &[slug]).await;
        for url in &kitchen.urls {
            assert_eq!(value(url, "SELECT slug FROM posts").await.as_deref(), Some("post-1"));
        }
    });
}

#[test]
fn a_column_is_renamed_without_downtime() {
    fn beside(tables: &mut Vec<Table>) {
        // as the text shows them
        let objects = |dialect: Dialect| {
            let database = dialect.folder();
            let shown = blocks("rename without downtime, in three releases");
            let title = format!("-- migrations/{database}/0014_full_name_beside_name.up.sql");
            let block = shown.into_iter().find(|(_, text)| text.starts_with(&title)).expect("it is shown");
            let created = statements(&block.1, dialect).into_iter().map(|statement| statement.sql);
            created.filter(|sql| sql.starts_with("CREATE ")).collect::<Vec<_>>()
        };
        edit(tables, "users", |users| {
            let users = users.column("full_name", text().null());
            let users = objects(Dialect::Postgres).iter().fold(users, |users, sql| users.with(postgres(sql)));
            objects(Dialect::Sqlite).iter().fold(users, |users, sql| users.with(sqlite(sql)))
        });
    }
    fn without(tables: &mut Vec<Table>) {
        edit(tables, "users", |mut users| {
            users.columns.retain(|column| column.name != "name");
            users.own.clear();
            users
        });
    }
    cook(async |mut kitchen| {
        kitchen.follow("rename without downtime, in three releases", &[beside, without]).await;
        for (url, older) in kitchen.urls.iter().zip(&kitchen.older) {
            assert_eq!(value(url, "SELECT full_name FROM users").await.as_deref(), Some("Augusta Ada King"));
            let status = migrate::status(url, older.clone()).await.expect("a status");
            let unfit: Vec<_> =
                status.unknown().into_iter().filter(|row| !row.suits(older)).map(|row| row.id()).collect();
            assert_eq!(unfit, ["0016_drop_name"], "a server of release 1 does not go on");
        }
        // and all the way back, with the values
        let sets = kitchen.sets();
        for (url, set) in kitchen.urls.iter().zip(&sets) {
            accord(url, set, &["to", "0014"]).await;
            assert_eq!(value(url, "SELECT name FROM users").await.as_deref(), Some("Augusta Ada King"));
            execute(url, "UPDATE users SET name = 'Ada'").await;
            assert_eq!(
                value(url, "SELECT full_name FROM users").await.as_deref(),
                Some("Ada"),
                "the triggers are back"
            );
            accord(url, set, &["to", "0013"]).await;
        }
    });
}

#[test]
fn a_release_is_rolled_back() {
    cook(async |mut kitchen| {
        slug(&mut kitchen.declared);
        kitchen.type_in("$ cargo xtask migrate new \"Posts have a slug\" ").await;
        let id = "0014_posts_have_a_slug";
        assert!(kitchen.repository.path().join(format!("migrations/sqlite/{id}.up.sql")).is_file());
        for name in DIALECTS.map(Dialect::folder) {
            let file = |end| kitchen.repository.path().join(format!("migrations/{name}/{id}.{end}.sql"));
            kitchen.put(&file("up"), "ALTER TABLE posts ADD COLUMN slug TEXT;");
            kitchen.put(&file("down"), "ALTER TABLE posts DROP COLUMN slug;");
        }
        assert_eq!(kitchen.type_in("$ accord migrate up").await, [format!("up {id}")]);
        kitchen.follow("roll back a release", &[]).await;
    });
}

#[test]
fn two_branches_are_merged() {
    cook(async |mut kitchen| {
        kitchen.follow("merge two branches", &[]).await;
    });
}
