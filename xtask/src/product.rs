//! The product's binary: building it, starting it as a server, stopping it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::run;

/// How long a server may take to print its address, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds the server of an application and returns its file.
pub fn build(name: &str) -> anyhow::Result<PathBuf> {
    run::passing_on(&mut run::cargo(["build", "--quiet", "--package", name, "--bin", name]))?;
    built(name)
}

/// A binary of this workspace; cargo puts it beside this task's own.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    let task = std::env::current_exe().context("where is this task?")?;
    let binary = task.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        bail!("the build left no `{name}` beside {}", task.display());
    }
    Ok(binary)
}

/// The variable of a setting. A binary has the name of its application, and so have its variables.
fn variable(binary: &Path, setting: &str) -> String {
    let name = binary.file_stem().unwrap_or_default().to_string_lossy();
    format!("{}_{setting}", name.to_uppercase())
}

/// A command of the binary that sees no setting of the caller: its own folder, no settings file, no variables.
pub fn command(binary: &Path, folder: &Path, database_url: &str) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder);
    let prefix = variable(binary, "");
    let ours = |name: &str| name.starts_with(&prefix) || ["SECRET_KEY", "HOST", "PORT"].contains(&name);
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
        .env("DATABASE_URL", database_url)
        .env("SECRET_KEY", run::random_hex())
        .env(variable(binary, "ENV"), "test")
        .env(variable(binary, "DEMO"), "false");
    command
}

/// Loads fixtures into a migrated database: a name of those that are built in, or `--paths` and a file.
pub fn load(binary: &Path, folder: &Path, database_url: &str, which: &[&str]) -> anyhow::Result<()> {
    run::silently(command(binary, folder, database_url).args(["fixtures", "load"]).args(which))?;
    Ok(())
}

/// A running server on a port of its own. Stopped when dropped.
pub struct Server {
    child: Child,
    pub address: String,
    log: PathBuf,
}

impl Server {
    /// Starts it on a migrated database; `folder` keeps its log.
    pub fn start(binary: &Path, folder: &Path, database_url: &str) -> anyhow::Result<Self> {
        Self::start_with(binary, folder, database_url, &[])
    }

    /// The same with these settings.
    pub fn start_with(
        binary: &Path,
        folder: &Path,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let log = folder.join("server.log");
        let mut command = command(binary, folder, database_url);
        command.envs(settings.iter().map(|(setting, value)| (variable(binary, setting), value)));
        command.env("HOST", "127.0.0.1").env("PORT", "0").env(variable(binary, "MIGRATE"), "up").arg("serve");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?);
        let mut child = command.spawn().context("cannot start the server")?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut server = Self { child, address: String::new(), log };
        server.address = server.first_line(stdout)?;
        Ok(server)
    }

    /// Reads `listening on http://…`; the rest of stdout is drained so that the server never blocks on it.
    fn first_line(&self, stdout: impl Read + Send + 'static) -> anyhow::Result<String> {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let _gone = sender.send(lines.next());
            lines.for_each(drop);
        });
        let line = match receiver.recv_timeout(PATIENCE) {
            Ok(Some(line)) => line?,
            Ok(None) => bail!("the server ended before it listened:\n{}", self.log_tail()),
            Err(_) => bail!("the server did not listen within {PATIENCE:?}:\n{}", self.log_tail()),
        };
        let address = line.strip_prefix("listening on ").map(str::to_owned);
        address.with_context(|| format!("the first line of stdout is `listening on URL`, not `{line}`"))
    }

    /// The last lines it logged, for a failure's text.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // an orderly end first, so that SQLite's files are closed before their folder goes
        let _asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
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
