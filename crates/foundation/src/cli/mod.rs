//! The commands of the product. Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration (`EX_CONFIG`).

mod fixtures;
mod mail;
mod migrate;
mod password;
pub mod permission;
mod serve;
mod table;
mod task;
mod user;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use listenfd::ListenFd;
use poem_openapi::types::{ParseFromJSON, Type};
use serde_json::{Value, json};

use crate::application::Declarations;
use crate::config::{Config, ConfigError};
use crate::db::migrate::Fitness;
use crate::db::{self, Db, DbError};
use crate::declared;
use crate::error::{Code, Error, FieldError};
use crate::mail::transport::Mailer;
use crate::resources::hooks::hooks;
use crate::server::{document, routes, schema};

/// `EX_CONFIG` of sysexits.h: a restart will not help, somebody must change a setting.
const EX_CONFIG: u8 = 78;

/// What clap ends with, too.
const USAGE: u8 = 2;

#[derive(Parser)]
#[command(long_about = None)]
struct Arguments {
    /// Settings file; without it ./{name}.toml, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve {
        /// Where to listen
        #[arg(long)]
        host: Option<String>,
        /// On which port; 0 takes a free one
        #[arg(long)]
        port: Option<u16>,
        /// Leave tasks to `{name} worker` and other instances
        #[arg(long)]
        no_tasks: bool,
    },
    /// Run tasks, and serve nothing
    Worker,
    /// Look at tasks that wait or have failed, run, retry and cancel them
    Task {
        #[command(subcommand)]
        step: task::Step,
    },
    /// Apply, undo and list migrations
    Migrate(migrate::Arguments),
    /// Load, check, list and dump fixtures
    Fixtures {
        #[command(subcommand)]
        step: Option<fixtures::Step>,
    },
    /// Preview e-mails, and test the mail server
    Mail {
        #[command(subcommand)]
        step: mail::Step,
    },
    /// Make, list and change accounts
    User {
        #[command(subcommand)]
        step: user::Step,
    },
    /// Make, list, grant and revoke permissions, and explain who may
    Permission {
        #[command(subcommand)]
        step: permission::Step,
    },
    /// List every operation and route
    Routes,
    /// Print the OpenAPI document
    Openapi {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what the resources declare, as JSON, for developer tasks
    #[command(hide = true)]
    Declarations,
    /// Look at the settings
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check all settings and list them, each with its source
    Check,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Somebody must change a setting or the code.
    #[error("{0}")]
    Config(String),
    /// The command was called with something that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What a rule or a store refuses.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.code {
            _ if !error.fields.is_empty() => {
                Self::Usage(error.fields.into_iter().map(told).collect::<Vec<_>>().join("; "))
            }
            // says all there is to say
            Code::NOT_FOUND => Self::Other(error.detail.into_owned()),
            code => Self::Other(format!("{}: {}", code.title(), error.detail)),
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Error::from(error).into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.to_string())
    }
}

/// Reads the command line; ends the process if it is wrong, or asks for help.
fn arguments() -> Arguments {
    let document::About { version, description, .. } = document::about();
    let about = description.lines().next().unwrap_or_default();
    let variable: &str = declared::variable("config").leak();
    let command = Arguments::command().mut_arg("config", |config| config.env(variable));
    let command = with_name(command).name(declared::name()).version(version).about(about);
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Writes the name of the application into the texts of a command and of its subcommands, where they have `{name}`.
fn with_name(command: clap::Command) -> clap::Command {
    let named = |arg: clap::Arg| match arg.get_help().map(ToString::to_string) {
        Some(help) if help.contains("{name}") => arg.help(help.replace("{name}", declared::name())),
        _ => arg,
    };
    command.mut_args(named).mut_subcommands(with_name)
}

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    let arguments = arguments();
    // before there are threads: it takes the variables out of the environment
    let inherited = ListenFd::from_env();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(arguments, inherited));
            // a hash that is still being computed must not hold up the end
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::Other(format!("cannot start the runtime: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}: {failure}", declared::name());
            match failure {
                Failure::Config(_) => ExitCode::from(EX_CONFIG),
                Failure::Usage(_) => ExitCode::from(USAGE),
                Failure::Other(_) => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(arguments: Arguments, inherited: ListenFd) -> Result<(), Failure> {
    // what needs no settings
    match &arguments.command {
        Some(Command::Routes) => return print(&routes::operations()),
        Some(Command::Openapi { json: true }) => return print(&format!("{}\n", document::json())),
        Some(Command::Openapi { json: false }) => return print(document::yaml()),
        Some(Command::Declarations) => {
            let declarations = Declarations::collect().map_err(Failure::Config)?;
            return print(&json!(declarations).to_string());
        }
        _ => {}
    }
    let mut config = Config::load(arguments.config.as_deref())?;
    match arguments.command.unwrap_or(Command::Serve { host: None, port: None, no_tasks: false }) {
        Command::Serve { host, port, no_tasks } => {
            if no_tasks {
                config.tasks.task_workers = 0;
            }
            serve::run(config.listen_on(host, port)?, inherited).await
        }
        Command::Migrate(arguments) => migrate::run(&config, arguments).await,
        Command::Mail { step } => mail::run(&config, step).await,
        Command::Worker => serve::work(config).await,
        Command::Task { step } => task::run(&config, step).await,
        Command::User { step } => user::run(&config, step).await,
        Command::Permission { step } => permission::run(&config, step).await,
        Command::Fixtures { step } => fixtures::run(&config, step).await,
        Command::Config { what: ConfigCommand::Check } => {
            Mailer::of(&config)?;
            print(&config.describe())
        }
        Command::Routes | Command::Openapi { .. } | Command::Declarations => unreachable!("handled above"),
    }
}

/// Writes to standard output; a reader that has seen enough is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

/// Logs what no caller of the API is told to the standard error.
fn tell_causes() {
    let logs = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    let _ = logs.without_time().with_target(false).try_init();
}

/// The database of the settings, for a command that works on what is in it.
async fn open(config: &Config) -> Result<Db, Failure> {
    tell_causes();
    if let Some(file) = config.database.file().filter(|file| !file.exists()) {
        return Err(Failure::Other(format!(
            "there is no database {}: {} migrate up makes it",
            file.display(),
            declared::name()
        )));
    }
    let db = Db::connect(&config.database.connection(), hooks(config)?).await.map_err(|error| away(config, &error))?;
    match db::migrate::fitness(&mut db.read().await?).await? {
        Fitness::Fits => Ok(db),
        unfit => Err(Failure::Other(unfit.to_string())),
    }
}

/// A fault of a body, as a sentence.
fn told(fault: FieldError) -> String {
    format!("{} {}", fault.pointer.unwrap_or_default().trim_start_matches('/'), fault.detail)
}

/// A body as an operation takes it, held to the same schema; what is null was not given.
fn checked<T: Type + ParseFromJSON>(mut body: Value) -> Result<T, Failure> {
    if let Value::Object(map) = &mut body {
        map.retain(|_, value| !value.is_null());
    }
    let document = document::document();
    let schema = json!({ "$ref": format!("#/components/schemas/{}", T::name()) });
    let faults = schema::body_faults(&schema::compile(document, &schema), &body);
    if !faults.is_empty() {
        return Err(schema::refuse(faults).into());
    }
    T::parse_from_json(Some(body)).map_err(|error| Failure::Usage(error.into_message()))
}

/// The database cannot be opened: what, where, and what to look at.
fn away(config: &Config, error: &DbError) -> Failure {
    let cause = match error {
        DbError::Unavailable(cause) | DbError::Unwritable(cause) | DbError::Unmigrated(cause) => cause,
        DbError::Other(cause) | DbError::Violation(_, cause) => cause,
        // nobody else uses the pool of a command
        DbError::Overloaded(_) => &sqlx::Error::PoolTimedOut,
    };
    let url = crate::config::mask(&config.database.database_url);
    Failure::Other(format!(
        "cannot open the database {url}: {cause}; check DATABASE_URL, and that the place exists and can be written"
    ))
}
