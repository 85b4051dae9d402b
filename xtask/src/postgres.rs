//! A throw-away PostgreSQL: its own cluster on a free port of the loopback, gone when dropped.
//!
//! `ACCORD_TEST_POSTGRES_URL` replaces it: a URL whose user may create databases.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sqlx::{Connection, Executor, PgConnection};

use crate::run;

/// The variable by which a machine brings its own PostgreSQL.
pub const URL_VARIABLE: &str = "ACCORD_TEST_POSTGRES_URL";

const USER: &str = "accord";
const PATIENCE: Duration = Duration::from_secs(30);

/// Where tests may make databases.
pub struct Postgres {
    url: String,
    _cluster: Option<Cluster>,
}

impl Postgres {
    /// The given one, or a new cluster.
    pub fn start() -> anyhow::Result<Self> {
        if let Some(url) = given() {
            return Ok(Self { url, _cluster: None });
        }
        let cluster = Cluster::start(&binaries()?)?;
        Ok(Self { url: cluster.url(), _cluster: Some(cluster) })
    }

    /// The URL of a database in which others can be made.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes an empty database and answers its URL.
    pub async fn create(&self, name: &str) -> anyhow::Result<String> {
        self.execute(format!("CREATE DATABASE {name}")).await?;
        with_database(&self.url, name)
    }

    /// Removes a database, whoever is still connected.
    pub async fn remove(&self, name: &str) -> anyhow::Result<()> {
        self.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.url).await.context("PostgreSQL does not answer")?;
        // a name of ours, never input
        connection.execute(sqlx::AssertSqlSafe(statement)).await?;
        Ok(connection.close().await?)
    }
}

/// Says what is missing before any time is spent.
pub fn available() -> anyhow::Result<String> {
    match given() {
        Some(url) => Ok(format!("PostgreSQL at {}", accord_foundation::config::mask(&url))),
        None => Ok(format!("PostgreSQL of {}", binaries()?.display())),
    }
}

fn given() -> Option<String> {
    std::env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// The same server, another database; the parameters behind `?` stay.
fn with_database(url: &str, name: &str) -> anyhow::Result<String> {
    let (head, query) = url.split_once('?').map_or((url, None), |(head, query)| (head, Some(query)));
    let authority = head.find("://").map(|at| at + 3).context("a PostgreSQL URL begins with postgres://")?;
    let end = head[authority..].find('/').map_or(head.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{}/{name}{query}", &head[..end]))
}

/// The folder that holds `initdb` and `postgres`: Debian keeps it out of PATH.
fn binaries() -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = vec![];
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((version, entry.path().join("bin")));
    }
    found.sort();
    let mut folders: Vec<PathBuf> = found.into_iter().rev().map(|(_, folder)| folder).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    folders.into_iter().find(complete).with_context(|| {
        format!(
            "PostgreSQL is missing: install it (Debian, Ubuntu: `apt-get install postgresql`; \
             macOS: `brew install postgresql`), or set {URL_VARIABLE}=postgres://user:password@host/database"
        )
    })
}

struct Cluster {
    child: Child,
    folder: tempfile::TempDir,
    password: String,
    port: u16,
}

impl Cluster {
    fn start(binaries: &Path) -> anyhow::Result<Self> {
        crate::interrupt::hold();
        let folder = tempfile::Builder::new().prefix("accord-postgres-").tempdir()?;
        let password = run::random_hex();
        let secret = folder.path().join("password");
        std::fs::write(&secret, &password)?;
        if is_root()? {
            let user = postgres_user()?;
            for path in [folder.path(), &secret] {
                std::os::unix::fs::chown(path, Some(user), None)?;
            }
        }
        let data = folder.path().join("data");
        let mut initdb = unprivileged(&binaries.join("initdb"))?;
        initdb.current_dir(folder.path()).arg("--pgdata").arg(&data).arg("--pwfile").arg(&secret);
        initdb.args([
            "--username",
            USER,
            "--auth",
            "password",
            "--locale",
            "C.UTF-8",
            "--encoding",
            "UTF8",
            "--no-sync",
        ]);
        run::silently(&mut initdb)?;

        // another program may take the port between our asking and PostgreSQL's binding
        let port = free_port()?;
        let child = Self::server(binaries, folder.path(), &data, port)?;
        let mut cluster = Self { child, folder, password, port };
        for _ in 0..2 {
            if cluster.wait().is_ok() {
                return Ok(cluster);
            }
            cluster.stop();
            cluster.port = free_port()?;
            cluster.child = Self::server(binaries, cluster.folder.path(), &data, cluster.port)?;
        }
        cluster.wait()?;
        Ok(cluster)
    }

    fn server(binaries: &Path, folder: &Path, data: &Path, port: u16) -> anyhow::Result<Child> {
        use std::os::unix::process::CommandExt;
        let mut postgres = unprivileged(&binaries.join("postgres"))?;
        postgres.current_dir(folder).arg("-D").arg(data).args(["-p", &port.to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // nothing here outlives the task, so nothing need reach the disk
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=300",
            "logging_collector=off",
        ];
        for setting in settings {
            postgres.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.join("log"))?;
        // a group of its own: Ctrl-C is for the program that talks to it
        postgres.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        postgres.spawn().context("cannot start PostgreSQL")
    }

    /// Until it answers a query.
    fn wait(&mut self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let since = Instant::now();
        loop {
            let ended = self.child.try_wait()?;
            let answered = runtime.block_on(async {
                let connection = PgConnection::connect(&self.url()).await?;
                connection.close().await
            });
            match (ended, answered) {
                (None, Ok(())) => return Ok(()),
                (None, Err(_)) if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                (_, error) => {
                    let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                    bail!(
                        "PostgreSQL did not start: {}\n{log}",
                        error.err().map(|e| e.to_string()).unwrap_or_default()
                    );
                }
            }
        }
    }

    fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    fn stop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it ends the connections and itself
        let _asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The program as a user PostgreSQL accepts (it refuses root), ending when this task is killed.
fn unprivileged(program: &Path) -> anyhow::Result<Command> {
    let setpriv = run::in_path("setpriv");
    let root = is_root()?;
    if setpriv.is_none() && !root {
        return Ok(Command::new(program));
    }
    let mut command = Command::new(setpriv.context("as root PostgreSQL needs `setpriv` (package util-linux)")?);
    if root {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(program);
    Ok(command)
}

fn is_root() -> anyhow::Result<bool> {
    Ok(run::silently(Command::new("id").arg("-u"))?.trim() == "0")
}

fn postgres_user() -> anyhow::Result<u32> {
    let user = run::silently(Command::new("id").args(["-u", "postgres"]));
    let user = user.context("PostgreSQL refuses root and there is no user `postgres` to run it as")?;
    Ok(user.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        let url = |url| with_database(url, "new").expect("a URL");
        assert_eq!(url("postgres://a:b@h:1/old"), "postgres://a:b@h:1/new");
        assert_eq!(url("postgres://a@h"), "postgres://a@h/new");
        assert_eq!(url("postgres://a@h/old?sslmode=require"), "postgres://a@h/new?sslmode=require");
    }
}
