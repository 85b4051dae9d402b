//! A fresh database for each test: a copy of a template that the binary has migrated and filled with fixtures.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::application::{Application, Template};
use crate::server;

/// The environment variable with the URL of the PostgreSQL server.
const URL_VARIABLE: &str = "ACCORD_TEST_POSTGRES_URL";

/// The environment variable that chooses the database: `sqlite` or `postgres`.
const DATABASE_VARIABLE: &str = "ACCORD_CONTRACT_DATABASE";

/// A database of a test. It is deleted when the value is dropped.
pub struct Database {
    pub(crate) application: &'static Application,
    place: Place,
}

/// The place of a database.
enum Place {
    /// A file in a folder of its own.
    Sqlite(TempDir),
    /// A database of the server that `ACCORD_TEST_POSTGRES_URL` names.
    Postgres {
        /// The options of a connection.
        options: Box<PgConnectOptions>,
        /// The name.
        name: String,
    },
}

impl Database {
    /// Returns whether this run is on PostgreSQL: `ACCORD_CONTRACT_DATABASE` is `postgres`.
    pub fn on_postgres() -> bool {
        match std::env::var(DATABASE_VARIABLE).as_deref() {
            Ok("postgres") => true,
            Ok("sqlite" | "") | Err(_) => false,
            Ok(other) => panic!("{DATABASE_VARIABLE} is sqlite or postgres, not {other}"),
        }
    }

    /// Creates a migrated database with the fixtures of the application's settings.
    pub async fn fresh(application: &'static Application) -> Self {
        Self::with_fixtures(application, application.settings.fixtures).await
    }

    /// Creates a migrated database with these fixtures; their names are with or without `.yaml`.
    pub async fn with_fixtures(application: &'static Application, names: &[&str]) -> Self {
        let key = names.iter().map(|name| name.trim_end_matches(".yaml")).collect::<Vec<_>>().join("_");
        let template = application.templates.lock().unwrap().entry(key).or_default().clone();
        let place = template.get_or_init(|| Template::make(application, names)).await.copy().await;
        Self { application, place }
    }

    /// Creates a database without tables.
    pub async fn empty(application: &'static Application) -> Self {
        let place = if Self::on_postgres() {
            Place::create("template0").await
        } else {
            Place::Sqlite(tempfile::tempdir().unwrap())
        };
        Self { application, place }
    }

    /// Runs a statement, for rows that no operation makes.
    pub async fn execute(&self, statement: &str) {
        match &self.place {
            Place::Sqlite(folder) => {
                let options = SqliteConnectOptions::from_str(&sqlite_url(folder)).unwrap();
                let mut other = options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut other).await.unwrap();
                other.close().await.unwrap();
            }
            Place::Postgres { options, .. } => {
                let mut other = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut other).await.unwrap();
                other.close().await.unwrap();
            }
        }
    }

    /// The number of rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let statement = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        match &self.place {
            Place::Sqlite(folder) => {
                let mut other = SqliteConnectOptions::from_str(&sqlite_url(folder)).unwrap().connect().await.unwrap();
                sqlx::query_scalar(statement).fetch_one(&mut other).await.unwrap()
            }
            Place::Postgres { options, .. } => {
                let mut other = options.connect().await.unwrap();
                sqlx::query_scalar(statement).fetch_one(&mut other).await.unwrap()
            }
        }
    }

    /// The URL, for `DATABASE_URL`.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Sqlite(folder) => sqlite_url(folder),
            Place::Postgres { options, .. } => options.to_url_lossy().into(),
        }
    }
}

impl Place {
    async fn create(template: &str) -> Self {
        let name = unused_name();
        create(&name, template).await;
        Self::Postgres { options: Box::new(admin_options().database(&name)), name }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Postgres { name, .. } = self {
            let name = std::mem::take(name);
            let (done, wait) = mpsc::channel();
            ADMIN.spawn(async move {
                let dropped = execute(admin().await, format!("DROP DATABASE {name} WITH (FORCE)")).await;
                done.send(dropped.is_ok())
            });
            // best effort: what stays is removed by the next run
            let _dropped = wait.recv_timeout(Duration::from_secs(10));
        }
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("test.db").display())
}

impl Template {
    async fn make(application: &'static Application, fixtures: &[&str]) -> Self {
        if Database::on_postgres() {
            let name = unused_name();
            execute(
                admin().await,
                format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"),
            )
            .await
            .unwrap_or_else(|error| panic!("the user of {URL_VARIABLE} must be able to create databases: {error}"));
            fill(application, admin_options().database(&name).to_url_lossy().as_str(), fixtures).await;
            return Self::Postgres(name);
        }
        let folder = tempfile::tempdir().unwrap();
        fill(application, &sqlite_url(&folder), fixtures).await;
        // with the write-ahead log, if the binary has left one
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        Self::Sqlite(entries.map(|entry| (entry.file_name().into(), std::fs::read(entry.path()).unwrap())).collect())
    }

    async fn copy(&self) -> Place {
        match self {
            Self::Sqlite(files) => {
                let folder = tempfile::tempdir().unwrap();
                for (name, bytes) in files {
                    std::fs::write(folder.path().join(name), bytes).unwrap();
                }
                Place::Sqlite(folder)
            }
            Self::Postgres(template) => Place::create(template).await,
        }
    }
}

/// Creates a database with the same encoding and order of texts wherever the server runs; a template has them already.
async fn create(name: &str, template: &str) {
    let statement = format!("CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' LOCALE 'C.UTF-8'");
    let created = execute(admin().await, statement).await;
    created.unwrap_or_else(|error| panic!("the user of {URL_VARIABLE} must be able to create databases: {error}"));
}

async fn fill(application: &'static Application, url: &str, fixtures: &[&str]) {
    server::run(application, &["migrate", "up"], url).await;
    if !fixtures.is_empty() {
        server::run(application, &[&["fixtures", "load"], fixtures].concat(), url).await;
    }
}

/// The runtime of the connection that creates and deletes databases. It outlives the runtime of each test.
static ADMIN: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

/// Returns a name that no database of this run has.
fn unused_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("{}_{}", run(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The prefix of the databases of this run, and the name of its connection.
fn run() -> &'static str {
    static RUN: LazyLock<String> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        format!("accord_contract_{}_{since:x}", std::process::id())
    });
    &RUN
}

fn admin_options() -> PgConnectOptions {
    let url = std::env::var(URL_VARIABLE).unwrap_or_default();
    assert!(
        !url.is_empty(),
        "{URL_VARIABLE} must name a PostgreSQL server whose user may create databases; `cargo xtask contract postgres` starts one"
    );
    PgConnectOptions::from_str(&url).unwrap_or_else(|error| panic!("{URL_VARIABLE}: {error}"))
}

/// The pool of one connection: a template can be copied only while nobody else uses it, so copies wait for each other.
async fn admin() -> &'static PgPool {
    static POOL: OnceCell<PgPool> = OnceCell::const_new();
    let connect = || async {
        let connecting = ADMIN.spawn(async {
            let options = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(300));
            let pool = options.connect_with(admin_options().application_name(run())).await;
            let pool = pool.unwrap_or_else(|error| panic!("{URL_VARIABLE}: {error}"));
            remove_leftovers(&pool).await;
            pool
        });
        connecting.await.unwrap()
    };
    POOL.get_or_init(connect).await
}

/// Deletes the databases of runs that are no longer connected.
async fn remove_leftovers(pool: &PgPool) {
    let leftovers = "SELECT d.datname FROM pg_database d WHERE d.datname LIKE 'accord\\_contract\\_%' AND NOT EXISTS \
                     (SELECT FROM pg_stat_activity a WHERE d.datname LIKE a.application_name || '\\_%' \
                     AND a.application_name LIKE 'accord\\_contract\\_%')";
    let names: Vec<String> = sqlx::query_scalar(leftovers).fetch_all(pool).await.unwrap_or_default();
    for name in names {
        // another run may be removing it too
        let _gone = execute(pool, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

async fn execute(pool: &PgPool, statement: String) -> sqlx::Result<()> {
    // names of ours, never input
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.map(drop)
}
