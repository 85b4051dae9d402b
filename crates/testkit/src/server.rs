//! The real binary: its commands, and servers that are started on a free port and stopped when dropped.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::application::Application;

/// The time for the binary to listen, to fail, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks at a log that will have a certain line.
const SHORT_PAUSE: Duration = Duration::from_millis(5);

/// A log without lines for requests is complete when nothing comes for so long.
const QUIET: Duration = Duration::from_millis(200);

/// Variables without the prefix of the application that must not reach the binary from the environment of the tests.
const SETTINGS: &[&str] = &["DATABASE_URL", "SECRET_KEY", "HOST", "PORT", "DEBUG"];

/// The binary in a folder of its own, with the variables of the application and these settings over them.
fn command(application: &Application, folder: &Path, database_url: &str, settings: &[(&str, &str)]) -> Command {
    prepare(Command::new(application.binary()), application, folder, database_url, settings)
}

fn prepare(
    mut command: Command,
    application: &Application,
    folder: &Path,
    database_url: &str,
    settings: &[(&str, &str)],
) -> Command {
    let inherited = std::env::vars_os().map(|(name, _)| name);
    let own = |name: &OsStr| name.to_string_lossy().starts_with(application.settings.prefix);
    for name in inherited.filter(|name| SETTINGS.iter().any(|setting| name == setting) || own(name)) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .env("PORT", "0")
        .envs(application.settings.variables.iter().copied())
        .env("DATABASE_URL", database_url)
        .envs(settings.iter().copied());
    command
}

/// The command with a socket that listens already.
fn passing_on(
    application: &Application,
    socket: &std::net::TcpListener,
    folder: &Path,
    database_url: &str,
    settings: &[(&str, &str)],
) -> Command {
    // standard input becomes file descriptor 3, the first one that a supervisor passes on
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
    let mut command = prepare(Command::new("sh"), application, folder, database_url, settings);
    command.args(["-c", script]).arg(application.binary()).stdin(OwnedFd::from(socket.try_clone().unwrap()));
    command
}

/// Runs a command of the binary.
///
/// # Panics
/// The command fails.
pub(crate) async fn run(application: &'static Application, arguments: &[&str], database_url: &str) {
    let ended = command_line(application, arguments, database_url, "").await;
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
}

/// The end of a command.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The text on standard output.
    pub stdout: String,
    /// The text on standard error.
    pub stderr: String,
}

/// Runs a command of the binary to its end, with this text on standard input.
pub async fn command_line(
    application: &'static Application,
    arguments: &[&str],
    database_url: &str,
    stdin: &str,
) -> Ended {
    Running::start(application, arguments, database_url, stdin).await.ended().await
}

/// Runs a command of the binary to its end, with these variables over those of the application.
pub async fn command_line_with(
    application: &'static Application,
    arguments: &[&str],
    database_url: &str,
    settings: &[(&str, &str)],
) -> Ended {
    Running::start_with(application, arguments, database_url, "", settings).await.ended().await
}

/// A running command of the binary. It is killed when dropped.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    _folder: TempDir,
}

impl Running {
    /// Starts a command, with this text on standard input.
    pub async fn start(application: &'static Application, arguments: &[&str], database_url: &str, stdin: &str) -> Self {
        Self::start_with(application, arguments, database_url, stdin, &[]).await
    }

    async fn start_with(
        application: &'static Application,
        arguments: &[&str],
        database_url: &str,
        stdin: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(application, folder.path(), database_url, settings);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        // one that does not read it is no fault
        let _unread = child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes()).await;
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        Self { child, stderr, _folder: folder }
    }

    /// The next line on standard error.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.stderr.read_line(&mut line)).await.expect("it says something").unwrap();
        line
    }

    /// Kills it.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended on its own.
    pub async fn ended(mut self) -> Ended {
        let mut complaints = vec![];
        let read = async {
            let (output, _) = tokio::join!(self.child.wait_with_output(), self.stderr.read_to_end(&mut complaints));
            output.unwrap()
        };
        let output = timeout(PATIENCE, read).await.expect("it ends by itself");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("it ends by itself");
        Ended { code, stdout: text(&output.stdout), stderr: text(&complaints) }
    }
}

/// Starts a server that must fail. Returns its exit code and the text on standard error. `files` are written into its
/// working folder first.
pub async fn refused_start(
    application: &'static Application,
    database_url: &str,
    settings: &[(&str, &str)],
    files: &[(&str, &str)],
) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let ended = timeout(PATIENCE, command(application, folder.path(), database_url, settings).output()).await;
    let output = ended.expect("it ends by itself").expect("the binary runs");
    let code = output.status.code().expect("it ends by itself");
    // the folder's name is another one each time
    (code, String::from_utf8_lossy(&output.stderr).replace(&folder.path().display().to_string(), "FOLDER"))
}

/// A running server. It is killed when dropped.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    child: Child,
    folder: TempDir,
    logs_requests: bool,
    /// Kept open: a closed pipe would be an error of the server's next line.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) async fn start(
        application: &'static Application,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = command(application, folder.path(), database_url, settings);
        Self::spawn(application, folder, command).await
    }

    /// Starts a server on a socket that listens already, as a supervisor passes it on, and waits until it serves.
    pub async fn on_socket(
        application: &'static Application,
        socket: &std::net::TcpListener,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = passing_on(application, socket, folder.path(), database_url, settings);
        Self::spawn(application, folder, command).await
    }

    /// Starts a server on such a socket; the start must fail. Returns its exit code and the text on standard error.
    pub async fn refused_socket(
        application: &'static Application,
        socket: &std::net::TcpListener,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        let ended =
            timeout(PATIENCE, passing_on(application, socket, folder.path(), database_url, settings).output()).await;
        let output = ended.expect("it ends by itself").expect("the binary runs");
        let code = output.status.code().expect("it ends by itself");
        (code, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts a server whose log is a pipe that nobody reads until the test does.
    pub async fn with_stalled_log(
        application: &'static Application,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> (Self, ChildStderr) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), "").unwrap();
        let mut command = command(application, folder.path(), database_url, settings);
        command.stderr(Stdio::piped());
        let mut server = Self::spawn_logging(application, folder, command).await;
        let log = server.child.stderr.take().expect("stderr is piped");
        (server, log)
    }

    async fn spawn(application: &Application, folder: TempDir, mut command: Command) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stderr(log);
        Self::spawn_logging(application, folder, command).await
    }

    async fn spawn_logging(application: &Application, folder: TempDir, mut command: Command) -> Self {
        let level = application.variable("LOG");
        let mut variables = command.as_std().get_envs();
        let logs_requests = !variables.any(|(name, value)| {
            name == level.as_str() && value.is_some_and(|value| value.to_string_lossy().starts_with("warn"))
        });
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        let mut server = Self { address: String::new(), child, folder, logs_requests, _stdout: stdout };
        let Some(address) = line.trim_end().strip_prefix("listening on ") else {
            panic!("the first line of stdout is `listening on URL`, not {line:?} ({read:?}):\n{}", server.log());
        };
        server.address = address.into();
        server
    }

    /// The whole log so far. The server writes it in a thread of its own: the line of a last request, which is removed
    /// again, shows that the lines before it are written.
    pub fn log(&self) -> String {
        let read = || std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let mark = format!("log-{:032x}", rand::random::<u128>());
        if self.ask_for_line(&mark).is_err() {
            // it has ended, and has written everything before
            return read();
        }
        let until = Instant::now() + PATIENCE;
        let mut log = read();
        while !log.contains(&mark) && Instant::now() < until {
            std::thread::sleep(if self.logs_requests { SHORT_PAUSE } else { QUIET });
            let before = std::mem::replace(&mut log, read());
            if !self.logs_requests && before == log {
                break;
            }
        }
        log.lines().filter(|line| !line.contains(&mark)).map(|line| format!("{line}\n")).collect()
    }

    /// Sends a request with this id, for its line in the log.
    fn ask_for_line(&self, id: &str) -> std::io::Result<()> {
        let address = self.address.strip_prefix("http://").unwrap_or_default();
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /health/live HTTP/1.1\r\nHost: accord\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n")?;
        match stream.read(&mut [0; 16])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Sends SIGTERM, as a supervisor does.
    pub async fn terminate(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Limits the size of the files that it writes, as a full disk would; `None` takes the limit away.
    pub async fn limit_file_size(&self, bytes: Option<u64>) {
        let id = self.child.id().expect("it runs").to_string();
        let limit = format!("--fsize={}:", bytes.map_or("unlimited".into(), |bytes| bytes.to_string()));
        let status =
            Command::new("prlimit").args(["--pid", &id, &limit]).status().await.expect("prlimit of util-linux");
        assert!(status.success());
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}
