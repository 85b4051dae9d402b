//! `serve`: from settings to a listening server, each failure in one sentence.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::{Failure, away, migrate::failed};
use crate::app::App;
use crate::app::logs::{self, Flush};
use crate::application;
use crate::auth::password::Passwords;
use crate::auth::{Email, permission};
use crate::config::Config;
use crate::db::migrate::{self, Direction, Fitness, Target};
use crate::db::{Db, Dialect};
use crate::declared;
use crate::fixtures::DemoAccount;
use crate::mail::transport::Mailer;
use crate::resources::hooks::hooks;
use crate::resources::users::store as users;
use crate::server::{accept, connections, operation};
use crate::tasks::{self, local};
use crate::{fixtures, server};

/// The prefix of the log targets of the foundation: the names of its crates.
const FOUNDATION: &str = "accord_";

/// SIGXFSZ on Linux, macOS and the BSDs.
#[cfg(unix)]
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Serves until SIGTERM or Ctrl-C, on a socket that was passed on if there is one.
pub async fn run(config: Config, inherited: ListenFd) -> Result<(), Failure> {
    survive_file_size_limit();
    fit(operation::faults())?;
    fit(application::faults(application::application().resources, &config))?;
    let _flush = logs(&config)?;
    let config = Arc::new(config);
    config.database.make_file()?;
    let secret = config.secret()?;
    let mailer = mailer(&config)?;
    raise_file_limit(&config);
    // before the database: a port that is taken is told at once
    let listener = listen(&config, inherited).await?;
    let wait = Duration::from_secs(config.database.db_wait);
    let db = Db::connect_within(&config.database.connection(), hooks(&config)?, wait)
        .await
        .map_err(|error| away(&config, &error))?;
    if config.database.migrates() {
        let url = &config.database.database_url;
        let failed = |error| failed(url, &error);
        let set = migrate::built_in(Dialect::of(url)).map_err(failed)?;
        let mut tell = |line: &str| tracing::info!("{line}");
        for step in migrate::run(url, set, Direction::Up, &Target::Head, &mut tell).await.map_err(failed)? {
            tracing::info!(%step, "migrated");
        }
    } else if let Some(unfit) = unfit(&db).await {
        tracing::warn!("{unfit}; until then /health/ready says so");
    }
    for name in undefined(&db).await {
        tracing::warn!(
            permission = name,
            "no row defines the permission: it is denied to everyone but admins; POST /api/v1/permissions makes one"
        );
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let is_fit = unfit(&db).await.is_none();
    if config.is_exposed() && is_fit {
        refuse_published_passwords(&db, &config).await?;
    }
    let demo = if config.demo() && is_fit { demo(&db, &config).await? } else { None };

    let address = listener.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    let url = format!("http://{address}");
    let mut signals = Signals::new();
    // the first line is for programs; the others are for people
    println!("listening on {url}");
    if !config.logs_json() {
        if config.docs() {
            println!("  docs viewer    {url}/docs");
        }
        println!("  database       {}", crate::config::mask(&config.database.database_url));
        if let Some(DemoAccount { email, password, .. }) = demo {
            println!("  demo account   {email}, password: {password}");
        }
    }
    let _ = std::io::stdout().flush();

    let app = App::new(config.clone(), db, &secret, mailer);
    let (stopping, ended) = (watch::Sender::new(false), watch::Sender::new(false));
    let local = tokio::spawn(local::work(app.in_background(), tasks::local_jobs(), ended.subscribe()));
    let worker = tokio::spawn(tasks::work(app.in_background(), stopping.subscribe()));
    let stopped = async {
        let drains = signals.next().await == Stop::Terminate && config.server.drain > 0;
        app.stop();
        let _ = stopping.send(true);
        if drains {
            tracing::info!(
                seconds = config.server.drain,
                "stopping: not ready any more, but connections are still accepted"
            );
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(config.server.drain)) => {}
                _ = signals.next() => {}
            }
        }
        tracing::info!("stopping: requests in flight may finish");
    };
    let served = accept::serve(listener, server::endpoint(app.clone()), &app, stopped).await;
    // sent before, unless the server has ended by itself
    let _ = stopping.send(true);
    // no request comes any more: what they have left in memory is written
    let _ = ended.send(true);
    let _ = local.await;
    // it has begun to stop with the requests
    let _ = worker.await;
    served.map_err(|error| Failure::Other(format!("the server stopped: {error}")))
}

fn mailer(config: &Config) -> Result<Mailer, Failure> {
    let mailer = Mailer::of(config)?;
    if !mailer.is_set() {
        tracing::warn!("{} is not set: e-mails wait until it is", declared::variable("mail_url"));
    }
    Ok(mailer)
}

/// Runs tasks until SIGTERM or Ctrl-C.
pub async fn work(config: Config) -> Result<(), Failure> {
    if config.tasks.task_workers == 0 {
        let variable = declared::variable("task_workers");
        return Err(Failure::Config(format!("{variable} is 0: a worker that runs nothing; set it to 1 or more")));
    }
    survive_file_size_limit();
    fit(application::faults(application::application().resources, &config))?;
    let _flush = logs(&config)?;
    let config = Arc::new(config);
    let secret = config.secret()?;
    let mailer = mailer(&config)?;
    let wait = Duration::from_secs(config.database.db_wait);
    let db = Db::connect_within(&config.database.connection(), hooks(&config)?, wait)
        .await
        .map_err(|error| away(&config, &error))?;
    if let Some(unfit) = unfit(&db).await {
        return Err(Failure::Other(unfit));
    }
    let mut signals = Signals::new();
    println!("working on {}", crate::config::mask(&config.database.database_url));
    let _ = std::io::stdout().flush();
    let stopping = watch::Sender::new(false);
    let app = App::new(config, db, &secret, mailer).in_background();
    let worker = tokio::spawn(tasks::work(app, stopping.subscribe()));
    signals.next().await;
    tracing::info!("stopping: tasks in work may finish");
    let _ = stopping.send(true);
    worker.await.map_err(|error| Failure::Other(format!("the worker stopped: {error}")))
}

/// An API that does not state its access rules must not start.
fn fit(faults: Vec<String>) -> Result<(), Failure> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Config(format!("the API is not fit to start:\n  {}", faults.join("\n  "))))
}

/// Starts logging. The last lines are written when the result is dropped.
fn logs(config: &Config) -> Result<Flush, Failure> {
    // what runs below us is told only when it warns: its debug lines hold statements and headers
    let ours = if config.logs.debug { "debug" } else { &config.logs.log };
    let filter = if ours.contains(['=', ',']) {
        ours.to_owned()
    } else {
        format!("warn,{FOUNDATION}={ours},{}={ours}", declared::name())
    };
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| Failure::Config(format!("{} `{}`: {error}", declared::variable("log"), config.logs.log)))?;
    let color = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let queue = logs::Queue::to(std::io::stderr());
    let (queue, flush) = queue.map_err(|error| Failure::Other(format!("cannot start the log: {error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue).with_ansi(color);
    let installed = if config.logs_json() {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        logs.with_target(false).try_init()
    };
    installed.map_err(|error| Failure::Other(error.to_string()))?;
    // in the form and under the request id of every other line
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panic")));
    Ok(flush)
}

/// Raises the limit of open files to what the kernel allows: 1024, the default of most systems, is less than
/// `max_connections`, its reserve and the connections to the database together.
#[cfg(unix)]
fn raise_file_limit(config: &Config) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = config.server.max_connections as u64 + connections::RESERVE as u64 + 100;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit);
    let current = getrlimit(Resource::Nofile).current;
    if let Some(current) = current.filter(|current| *current < needed) {
        tracing::warn!(
            current,
            needed,
            error = raised.err().map(|error| error.to_string()),
            "the limit of open files is too low for max_connections: raise it (ulimit -n, LimitNOFILE) or lower the setting"
        );
    }
}

#[cfg(not(unix))]
fn raise_file_limit(_config: &Config) {}

/// The socket that a supervisor has passed on (`LISTEN_FDS`), otherwise a new one by the settings.
async fn listen(config: &Config, mut inherited: ListenFd) -> Result<TcpListener, Failure> {
    let passed_on = inherited.take_tcp_listener(0).and_then(|socket| match socket {
        Some(socket) => socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)).map(Some),
        None => Ok(None),
    });
    let passed_on = passed_on.map_err(|error| {
        Failure::Other(format!("cannot use the socket of LISTEN_FDS: {error}; pass on one TCP socket that listens"))
    })?;
    let Some(listener) = passed_on else { return bind(config).await };
    if inherited.len() > 1 {
        tracing::warn!(sockets = inherited.len(), "LISTEN_FDS passes on several sockets: only the first one is used");
    }
    let address = listener.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    if !address.ip().to_canonical().is_loopback() && !config.is_exposed() {
        return Err(Failure::Config(format!(
            "the socket of LISTEN_FDS listens on {address}, which other machines can reach, but HOST is {}: set HOST to \
             its address, and SECRET_KEY",
            config.server.host
        )));
    }
    Ok(listener)
}

async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    let (host, port) = (config.server.host.as_str(), config.server.port);
    TcpListener::bind((host, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::Other(format!(
            "port {port} on {host} is taken: stop the other program, or set PORT (0 takes a free one)"
        )),
        _ => Failure::Other(format!("cannot listen on {host}:{port}: {error}; check HOST and PORT")),
    })
}

/// Why this binary cannot work with the schema, if it cannot.
async fn unfit(db: &Db) -> Option<String> {
    let asked = async { migrate::fitness(&mut db.read().await?).await };
    match asked.await {
        Ok(Fitness::Fits) => None,
        Ok(unfit) => Some(unfit.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// The permissions that operations demand and no row defines. Before the schema is there, there is nothing to tell.
async fn undefined(db: &Db) -> Vec<&'static str> {
    let asked = async { permission::missing(&mut db.read().await?).await };
    asked.await.unwrap_or_default()
}

/// Refuses to serve strangers from a database in which somebody once loaded the demo data and kept its passwords.
async fn refuse_published_passwords(db: &Db, config: &Config) -> Result<(), Failure> {
    let found = fixtures::published_passwords(db, &Passwords::of(config)).await;
    let found = found.map_err(|error| Failure::Other(error.to_string()))?;
    if found.is_empty() {
        return Ok(());
    }
    let name = declared::name();
    Err(Failure::Config(format!(
        "the database has demo accounts with their published password: {}; `{name} user create --role admin` makes an \
         admin of your own, then `{name} user disable` closes each of these; or set another DATABASE_URL",
        found.join(", ")
    )))
}

/// Loads the demo data into an empty database. Returns an account to log in with, if it exists.
async fn demo(db: &Db, config: &Config) -> Result<Option<DemoAccount>, Failure> {
    let passwords = Passwords::of(config);
    let loaded = fixtures::load_initial(db, &passwords).await.map_err(|error| Failure::Other(error.to_string()))?;
    if let Some(loaded) = loaded {
        tracing::info!(objects = loaded.new, "loaded the demo data");
    }
    let accounts = fixtures::demo_accounts().map_err(|error| Failure::Other(error.to_string()))?;
    let user = accounts.iter().find(|account| account.role == "active");
    let Some(account) = user.or(accounts.first()) else { return Ok(None) };
    let id = async { users::find_id(&mut db.read().await?, &Email::new(&account.email)).await };
    Ok(id.await.is_ok_and(|id| id.is_some()).then(|| account.clone()))
}

/// Replaces the default action of SIGXFSZ: a write beyond the limit on file sizes (`ulimit -f`, systemd's `LimitFSIZE`)
/// fails like one to a full disk, instead of killing the process.
fn survive_file_size_limit() {
    #[cfg(unix)]
    // the handler stays when the stream is dropped
    let _handler = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE_EXCEEDED));
}

/// The kind of stop that was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// SIGTERM, by a supervisor.
    Terminate,
    /// Ctrl-C, by a person who waits.
    Interrupt,
}

/// Receives SIGTERM and Ctrl-C, from [`Signals::new`] on: before it SIGTERM kills.
struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    /// Resolves at the next signal.
    async fn next(&mut self) -> Stop {
        let terminated = async {
            #[cfg(unix)]
            if let Some(terminate) = &mut self.terminate {
                terminate.recv().await;
                return;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = terminated => Stop::Terminate,
            _ = tokio::signal::ctrl_c() => Stop::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_rule_is_a_configuration_fault_that_names_it() {
        assert!(fit(operation::faults()).is_ok());
        let failure = fit(vec!["tell_secret (GET /secret): states no access rule".into()]).expect_err("refused");
        assert!(matches!(&failure, Failure::Config(text) if text.contains("tell_secret")), "{failure}");
    }
}
