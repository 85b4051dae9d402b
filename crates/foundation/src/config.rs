//! Settings: the commented settings file of the application is their documentation and their defaults; a file and the
//! environment go over it. Nothing else reads the environment.
//!
//! Each group has its file: a struct with the bounds beside each field, and the checks of the group.

mod database;
mod limits;
mod logs;
mod mail;
mod passwords;
mod provider;
mod server;
mod setting;
mod source;
mod tasks;
#[cfg(test)]
mod tests;
mod tokens;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

pub use self::database::Database;
pub use self::limits::Limits;
pub use self::logs::Logs;
pub use self::mail::Mail;
pub use self::passwords::Passwords;
pub use self::provider::Provider;
pub use self::server::Server;
use self::setting::Kind;
pub use self::setting::Setting;
use self::source::Given;
pub use self::source::nearest;
pub use self::tasks::Tasks;
pub use self::tokens::Tokens;
use crate::declared::{self, List, variable};

static DEFAULTS: List<&'static str> = List::new();
static SETTINGS: List<Setting> = List::new();

/// Completes the list of settings: the documented defaults, and the settings of resources.
pub(crate) fn complete(defaults: &'static str, settings: Vec<Setting>) {
    DEFAULTS.complete(vec![defaults]);
    SETTINGS.complete(settings);
}

/// Seconds.
const A_MINUTE: u64 = 60;

/// Seconds; longer time-outs are slips of the keyboard.
pub(crate) const AN_HOUR: u64 = 3600;
pub(crate) const A_DAY: u64 = 24 * AN_HOUR;
pub(crate) const A_FORTNIGHT: u64 = 14 * A_DAY;
pub(crate) const A_YEAR: u64 = 366 * A_DAY;

/// The environment that the server runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// A developer's machine.
    Dev,
    /// Automated tests.
    Test,
    /// Production.
    Prod,
}

/// The reason why the settings are rejected, in one sentence that says what to change. Exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

fn refuse<T>(sentence: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(sentence.into()))
}

/// Every setting. The names of fields are those of the settings file, which has no groups.
#[derive(Clone, Deserialize)]
pub struct Config {
    /// The environment.
    pub env: Env,
    /// The HTTP server.
    #[serde(flatten)]
    pub server: Server,
    /// The database.
    #[serde(flatten)]
    pub database: Database,
    /// Access tokens and sessions.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Password hashes.
    #[serde(flatten)]
    pub passwords: Passwords,
    /// The identity provider.
    #[serde(flatten)]
    pub provider: Provider,
    /// E-mails.
    #[serde(flatten)]
    pub mail: Mail,
    /// Workers and jobs.
    #[serde(flatten)]
    pub tasks: Tasks,
    /// Rate limits.
    #[serde(flatten)]
    pub limits: Limits,
    /// The log.
    #[serde(flatten)]
    pub logs: Logs,
    /// The settings of resources.
    #[serde(flatten)]
    of_resources: Table,
    /// Each value and where it came from, for `config check`.
    #[serde(skip)]
    origins: Given,
}

impl Config {
    /// Reads defaults, then the file, then the environment, and checks the whole.
    ///
    /// # Errors
    /// An unknown name (with the nearest known one), a value of the wrong kind, or a setting that `env` refuses.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let file = match file {
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::from(format!("{}.toml", declared::name()))).filter(|path| path.exists()),
        };
        let text = match &file {
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some((path.display().to_string(), text)),
                Err(error) => return refuse(format!("cannot read the settings file {}: {error}", path.display())),
            },
            None => None,
        };
        let variables: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self::from_parts(text, variables)
    }

    fn from_parts(file: Option<(String, String)>, variables: Vec<(String, String)>) -> Result<Self, ConfigError> {
        let defaults: Table = DEFAULTS.get()[0].parse().expect("the settings file is compiled in and tested");
        let origins = source::collect(&defaults, file, variables)?;
        let table: Table = origins.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
        let mut config: Self = table.clone().try_into().map_err(|error: toml::de::Error| {
            // the library does not say which setting it means: it is the one that fails alone
            let alone = |(key, value): &(&String, &Value)| {
                let mut one = defaults.clone();
                one.insert((*key).clone(), (*value).clone());
                one.try_into::<Self>().is_err()
            };
            let key = table.iter().find(alone).map_or("settings", |(key, _)| key.as_str());
            ConfigError(format!("`{key}`: {}", error.message()))
        })?;
        config.origins = origins;
        config.check()?;
        Ok(config)
    }

    /// The value of a number that a resource declares.
    ///
    /// # Panics
    /// The resource is not part of the application, or the setting is no number.
    pub fn number(&self, setting: &Setting) -> u64 {
        let value = self.of_resources.get(setting.name).and_then(Value::as_integer);
        value.and_then(|value| u64::try_from(value).ok()).expect("checked at the start")
    }

    /// The value of a flag that a resource declares.
    pub fn flag(&self, setting: &Setting) -> bool {
        self.of_resources.get(setting.name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The warnings of the flags that are set, in production.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |setting: &Setting| match setting.kind {
            Kind::Flag { warning } if self.env == Env::Prod && self.flag(setting) => {
                Some(format!("{} is set: {warning}", variable(setting.name)))
            }
            _ => None,
        };
        SETTINGS.get().iter().filter_map(warning).collect()
    }

    /// Listens where the command line says instead; the settings are checked again, since a host that other machines can
    /// reach needs more of them.
    ///
    /// # Errors
    /// The settings do not fit the host.
    pub fn listen_on(mut self, host: Option<String>, port: Option<u16>) -> Result<Self, ConfigError> {
        self.server.host = host.unwrap_or(self.server.host);
        self.server.port = port.unwrap_or(self.server.port);
        self.check()?;
        Ok(self)
    }

    /// Checks each group, and the settings of resources.
    fn check(&self) -> Result<(), ConfigError> {
        self.database.check(self)?;
        self.server.check()?;
        for setting in SETTINGS.get() {
            setting.check(self.of_resources.get(setting.name))?;
        }
        self.provider.check(self)?;
        self.mail.check(self)?;
        self.tasks.check_bounds()?;
        self.limits.check_bounds()?;
        self.tokens.check(self)?;
        self.passwords.check(self)?;
        self.logs.check(self)
    }

    /// Returns whether strangers may reach the server: in production, and wherever `host` is not a loopback address. Demo
    /// data, a generated secret key and open metrics are for servers that are not exposed.
    pub fn is_exposed(&self) -> bool {
        self.env == Env::Prod || !self.server.is_local()
    }

    /// The reason why the server is exposed, for messages. Returns `None` if it is not.
    fn exposure(&self) -> Option<String> {
        self.is_exposed().then(|| match self.env {
            Env::Prod => format!("{}=prod", variable("env")),
            Env::Dev | Env::Test => format!("HOST={}, which other machines can reach", self.server.host),
        })
    }

    /// One line a setting: name, value (secrets masked), source.
    pub fn describe(&self) -> String {
        let line = |(key, (value, source)): (&String, &(Value, String))| {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            let value = match key.as_str() {
                "secret_key" | "more_secret_keys" | "metrics_token" if !text.is_empty() => "[set]".into(),
                "database_url" | "mail_url" => mask(&text),
                _ => text,
            };
            format!("{key:22} {value:32} {source}\n")
        };
        self.origins.iter().map(line).collect()
    }
}

/// Rejects a text that is none of the allowed words.
fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<(), ConfigError> {
    match allowed.contains(&value) {
        true => Ok(()),
        false => refuse(format!("`{name}` must be one of {}, not `{value}`", allowed.join(", "))),
    }
}

/// The parts of a list that is separated by commas.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// A file that only its owner reads.
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A database URL without what may be secret in it: the password, and everything behind a question mark.
pub fn mask(url: &str) -> String {
    let plain = url.split('?').next().unwrap_or_default();
    let Some((before, host)) = plain.rsplit_once('@') else { return plain.into() };
    let (scheme, who) = before.split_once("://").unwrap_or(("", before));
    let user = who.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}
