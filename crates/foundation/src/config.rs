//! Settings: the commented settings file of the application is their documentation and their defaults; a file and the
//! environment go over it. Nothing else reads the environment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argon2::Params;
use ipnet::IpNet;
use serde::Deserialize;
use toml::{Table, Value};

use crate::db::{Dialect, connect};
use crate::declared::{self, List, variable};

static DEFAULTS: List<&'static str> = List::new();
static SETTINGS: List<Setting> = List::new();

/// A setting of a resource. Its default stands in the settings file of the application.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    name: &'static str,
    kind: SettingKind,
}

#[derive(Debug, Clone, Copy)]
enum SettingKind {
    /// A whole number with its bounds, and the meaning of 0 where it is allowed beside them.
    Number { least: u64, most: u64, zero: Option<&'static str> },
    /// A flag, and the warning at a start in production if it is set.
    Flag { warning: &'static str },
}

impl Setting {
    /// A whole number with its bounds, both included.
    pub const fn number(name: &'static str, least: u64, most: u64) -> Self {
        Self { name, kind: SettingKind::Number { least, most, zero: None } }
    }

    /// A whole number with its bounds, or 0 with this meaning.
    pub const fn number_or_zero(name: &'static str, least: u64, most: u64, zero: &'static str) -> Self {
        Self { name, kind: SettingKind::Number { least, most, zero: Some(zero) } }
    }

    /// A flag. If it is set, a start in production logs the warning.
    pub const fn flag(name: &'static str, warning: &'static str) -> Self {
        Self { name, kind: SettingKind::Flag { warning } }
    }

    /// Checks the value of the setting.
    fn check(&self, value: Option<&Value>) -> Result<(), ConfigError> {
        let name = self.name;
        let Some(value) = value else {
            return refuse(format!("the settings file of the application has no default of `{name}`"));
        };
        match self.kind {
            SettingKind::Flag { .. } => Ok(()),
            SettingKind::Number { least, most, zero } => {
                let fits = |number: u64| (least..=most).contains(&number) || (number == 0 && zero.is_some());
                let number = value.as_integer().unwrap_or(-1);
                match (u64::try_from(number).is_ok_and(fits), zero) {
                    (true, _) => Ok(()),
                    (false, Some(zero)) => {
                        refuse(format!("`{name}` must be 0 ({zero}) or {least} to {most}, not {number}"))
                    }
                    (false, None) if least == 0 => refuse(format!("`{name}` must be at most {most}, not {number}")),
                    (false, None) => refuse(format!("`{name}` must be {least} to {most}, not {number}")),
                }
            }
        }
    }
}

/// Completes the list of settings: the documented defaults, and the settings of resources.
pub(crate) fn complete(defaults: &'static str, settings: Vec<Setting>) {
    DEFAULTS.complete(vec![defaults]);
    SETTINGS.complete(settings);
}

/// Well-known variables, and the setting each one sets.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("DATABASE_URL", "database_url"),
    ("SECRET_KEY", "secret_key"),
    ("HOST", "host"),
    ("PORT", "port"),
    ("DEBUG", "debug"),
];

/// Variables with the prefix of settings that belong to the command line, the build and the developer tasks.
const NOT_SETTINGS: &[&str] = &["CONFIG", "COMMIT", "BIN"];
const NOT_SETTINGS_PREFIXES: &[&str] = &["TEST_", "CONTRACT_"];

/// KiB and passes of a password hash in production: what OWASP's password storage cheat sheet has for argon2id, each as
/// good as the others.
const PASSWORD_COSTS: &[(u32, u32)] = &[(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// KiB of a password hash that argon2 takes at least.
const LEAST_PASSWORD_MEMORY: u32 = 8;

/// Bytes of a secret that may sign tokens: as long as the hash it keys (RFC 7518 section 3.2).
const SECRET_BYTES: usize = 32;

/// Different characters of a secret that was not typed by holding a key down.
const SECRET_VARIETY: usize = 8;

/// Seconds; for so long a copied refresh token could be used unnoticed.
const A_MINUTE: u32 = 60;

/// Seconds; longer time-outs are slips of the keyboard.
pub(crate) const AN_HOUR: u64 = 3600;
pub(crate) const A_DAY: u64 = 24 * AN_HOUR;
pub(crate) const A_FORTNIGHT: u64 = 14 * A_DAY;
pub(crate) const A_YEAR: u64 = 366 * A_DAY;

/// Where the product runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// A developer's machine.
    Dev,
    /// Automated tests.
    Test,
    /// For real.
    Prod,
}

/// What is wrong with the settings, in one sentence that says what to change. Exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

fn refuse<T>(sentence: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(sentence.into()))
}

/// Every setting, as the settings file of the application documents it.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "the settings file documents each field")]
pub struct Config {
    pub env: Env,
    pub host: String,
    pub port: u16,
    pub database_url: String,
    pub database_connections: u32,
    pub db_timeout: u64,
    pub db_queue: u64,
    pub db_wait: u64,
    migrate: String,
    pub secret_key: String,
    more_secret_keys: String,
    pub oidc_issuer: String,
    pub oidc_audience: String,
    oidc_clients: String,
    pub oidc_require_at_jwt: bool,
    pub oidc_link_by_email: bool,
    pub oidc_provision: bool,
    pub oidc_provision_deleted: bool,
    pub oidc_wait: u64,
    pub token_ttl: u32,
    pub refresh_ttl: u32,
    pub session_ttl: u32,
    pub fresh_login: u32,
    pub refresh_grace: u32,
    demo: Value,
    docs: Value,
    pub max_body: usize,
    pub header_timeout: u64,
    pub idle_timeout: u64,
    pub body_timeout: u64,
    pub write_timeout: u64,
    pub request_timeout: u64,
    pub max_connections: usize,
    pub connections_per_address: usize,
    pub max_unsent: usize,
    pub drain: u64,
    pub grace: u64,
    pub task_workers: usize,
    pub mail_workers: usize,
    pub task_lease: u64,
    pub task_retry: u64,
    pub purge_interval: u64,
    mail_url: String,
    pub mail_from: String,
    pub mail_ca: String,
    app_url: String,
    pub reset_ttl: u32,
    pub verify_ttl: u32,
    pub require_verified: bool,
    pub password_workers: u32,
    pub password_queue: usize,
    pub password_memory: u32,
    pub password_time: u32,
    trusted_proxies: String,
    pub rate_limit: u32,
    pub rate_limit_account: u32,
    pub login_failures: u32,
    cors_origins: String,
    frozen: String,
    pub metrics_token: String,
    pub log: String,
    log_format: String,
    pub debug: bool,
    /// The settings of resources.
    #[serde(flatten)]
    of_resources: Table,
    /// Each value and where it came from, for `config check`.
    #[serde(skip)]
    origins: BTreeMap<String, (Value, String)>,
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
        let mut origins: BTreeMap<String, (Value, String)> =
            defaults.iter().map(|(key, value)| (key.clone(), (value.clone(), "default".into()))).collect();
        let mut set = |key: &str, value: Value, source: String| {
            origins.insert(key.into(), (value, source));
        };

        if let Some((path, text)) = file {
            let given: Table = text.parse().map_err(|error| syntax(&path, &text, &error))?;
            for (key, value) in given {
                let Some(default) = defaults.get(&key) else {
                    return refuse(format!("{path}: there is no setting `{key}`{}", nearest(&key, defaults.keys())));
                };
                if !same_kind(default, &value) {
                    // the value may be a secret
                    return refuse(format!("{path}: `{key}` must be {}", kind(default)));
                }
                set(&key, value, path.clone());
            }
        }
        for (variable, text) in variables {
            let Some(key) = key_of(&variable, &defaults)? else { continue };
            let value = parse(&defaults[&key], &text)
                .ok_or_else(|| ConfigError(format!("{variable} must be {}", kind(&defaults[&key]))))?;
            set(&key, value, format!("environment {variable}"));
        }
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
            SettingKind::Flag { warning } if self.env == Env::Prod && self.flag(setting) => {
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
        self.host = host.unwrap_or(self.host);
        self.port = port.unwrap_or(self.port);
        self.check()?;
        Ok(self)
    }

    /// What one setting alone cannot show.
    fn check(&self) -> Result<(), ConfigError> {
        if !self.database_url.starts_with("sqlite:")
            && !self.database_url.starts_with("postgres://")
            && !self.database_url.starts_with("postgresql://")
        {
            return refuse("DATABASE_URL must begin with sqlite: or postgres://");
        }
        let file = connect::sqlite_file(&self.database_url).map_err(|error| match error {
            sqlx::Error::Configuration(cause) => ConfigError(format!("DATABASE_URL: {cause}")),
            other => ConfigError(format!("DATABASE_URL: {other}")),
        })?;
        if Dialect::of(&self.database_url) == Dialect::Sqlite && file.is_none() {
            return refuse("DATABASE_URL must name a file: each connection to a database in memory would have its own");
        }
        if matches!(&self.demo, Value::String(demo) if demo != "auto") {
            return refuse(format!("{} must be true, false or auto", variable("demo")));
        }
        if matches!(&self.docs, Value::String(docs) if docs != "auto") {
            return refuse(format!("{} must be true, false or auto", variable("docs")));
        }
        for origin in self.cors_origins() {
            let parsed = url::Url::parse(&origin).map(|url| url.origin().ascii_serialization());
            if parsed.as_ref() != Ok(&origin) {
                return refuse(format!(
                    "{}: `{origin}` is no origin; write it as https://app.example.com",
                    variable("cors_origins")
                ));
            }
        }
        if let Some(none) = self.proxies().find(|text| network(text).is_none()) {
            return refuse(format!(
                "`trusted_proxies`: `{none}` is no address and no range; write them as 10.0.0.7, 10.0.0.0/8 or 2001:db8::/32"
            ));
        }
        for (name, value, allowed) in [
            ("migrate", &self.migrate, ["up", "off", "auto"]),
            ("log_format", &self.log_format, ["pretty", "json", "auto"]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return refuse(format!("`{name}` must be one of {}, not `{value}`", allowed.join(", ")));
            }
        }
        for (name, value, most) in [
            ("database_connections", self.database_connections.into(), 10_000),
            ("max_connections", self.max_connections as u64, 1_000_000),
            ("password_workers", self.password_workers.into(), 1_000),
            ("password_queue", self.password_queue as u64, 1_000_000),
            ("password_memory", self.password_memory.into(), 1 << 21),
            ("password_time", self.password_time.into(), 1_000),
            ("max_body", self.max_body as u64, 1 << 30),
            ("max_unsent", self.max_unsent as u64, 1 << 40),
            ("token_ttl", self.token_ttl.into(), A_YEAR),
            ("refresh_ttl", self.refresh_ttl.into(), 10 * A_YEAR),
            ("session_ttl", self.session_ttl.into(), 10 * A_YEAR),
            ("fresh_login", self.fresh_login.into(), A_YEAR),
            ("reset_ttl", self.reset_ttl.into(), A_YEAR),
            ("verify_ttl", self.verify_ttl.into(), A_YEAR),
            ("mail_workers", self.mail_workers as u64, 1_000),
            ("task_lease", self.task_lease, AN_HOUR),
            ("task_retry", self.task_retry, AN_HOUR),
            ("db_timeout", self.db_timeout, AN_HOUR),
            ("header_timeout", self.header_timeout, AN_HOUR),
            ("idle_timeout", self.idle_timeout, AN_HOUR),
            ("body_timeout", self.body_timeout, AN_HOUR),
            ("write_timeout", self.write_timeout, AN_HOUR),
            ("request_timeout", self.request_timeout, AN_HOUR),
        ] {
            if !(1..=most).contains(&value) {
                return refuse(format!("`{name}` must be 1 to {most}, not {value}"));
            }
        }
        for (name, value) in [("db_wait", self.db_wait), ("drain", self.drain), ("grace", self.grace)] {
            if value > AN_HOUR {
                return refuse(format!("`{name}` must be at most {AN_HOUR} seconds, not {value}"));
            }
        }
        for setting in SETTINGS.get() {
            setting.check(self.of_resources.get(setting.name))?;
        }
        let most = u64::from(A_MINUTE) * 1_000;
        if self.db_queue > most {
            return refuse(format!("`db_queue` must be at most {most} milliseconds, not {}", self.db_queue));
        }
        self.check_oidc()?;
        if self.refresh_grace > A_MINUTE {
            let grace = self.refresh_grace;
            return refuse(format!("`refresh_grace` must be at most {A_MINUTE} seconds, not {grace}"));
        }
        let fits = |url: url::Url| {
            ["http", "https"].contains(&url.scheme()) && url.query().is_none() && url.fragment().is_none()
        };
        if !self.app_url.is_empty() && !url::Url::parse(&self.app_url).is_ok_and(fits) {
            let app_url = &self.app_url;
            return refuse(format!(
                "`app_url` must be the address of pages, as https://app.example.com, not `{app_url}`"
            ));
        }
        if self.require_verified && self.mail_url().is_empty() {
            let (required, mail) = (variable("require_verified"), variable("mail_url"));
            return refuse(format!("{required}=true needs e-mail: set {mail}, or nobody could verify"));
        }
        if self.connections_per_address > 1_000_000 {
            let limit = self.connections_per_address;
            return refuse(format!("`connections_per_address` must be at most 1000000, not {limit}"));
        }
        if self.task_workers > 1_000 {
            return refuse(format!("`task_workers` must be at most 1000, not {}", self.task_workers));
        }
        if self.purge_interval > A_YEAR {
            return refuse(format!("`purge_interval` must be at most {A_YEAR} seconds, not {}", self.purge_interval));
        }
        let more = self.more_secret_keys();
        let of_more = format!("a key of {}", variable("more_secret_keys"));
        let mut secrets =
            vec![("SECRET_KEY".to_owned(), &self.secret_key), (variable("metrics_token"), &self.metrics_token)];
        secrets.extend(more.iter().map(|key| (of_more.clone(), key)));
        if let Some((name, secret)) = secrets.iter().find(|(_, s)| !s.is_empty() && s.len() < SECRET_BYTES) {
            return refuse(format!(
                "{name} has {} bytes, it needs at least {SECRET_BYTES}: openssl rand -hex 32 makes one",
                secret.len()
            ));
        }
        if more.contains(&self.secret_key) {
            let variable = variable("more_secret_keys");
            return refuse(format!("{variable} has SECRET_KEY in it: name only the others, the old and the next"));
        }
        let (memory, time) = (self.password_memory, self.password_time);
        if memory < LEAST_PASSWORD_MEMORY {
            return refuse(format!("`password_memory` must be at least {LEAST_PASSWORD_MEMORY}, not {memory}"));
        }
        let enough = |(least_memory, least_time): &(u32, u32)| memory >= *least_memory && time >= *least_time;
        if self.env == Env::Prod && !PASSWORD_COSTS.iter().any(enough) {
            let costs: Vec<_> = PASSWORD_COSTS.iter().map(|(memory, time)| format!("{memory} and {time}")).collect();
            return refuse(format!(
                "`password_memory` and `password_time` must be at least {}, not {memory} and {time}: less is no protection",
                costs.join(", or ")
            ));
        }
        if self.is_exposed() {
            let why = match self.env {
                Env::Prod => format!("{}=prod", variable("env")),
                Env::Dev | Env::Test => format!("HOST={}, which other machines can reach", self.host),
            };
            if self.secret_key.is_empty() {
                return refuse(format!(
                    "SECRET_KEY is not set, and must be with {why}: openssl rand -hex 32 makes one"
                ));
            }
            let guessed = |key: &String| key.chars().collect::<BTreeSet<_>>().len() < SECRET_VARIETY;
            if guessed(&self.secret_key) || more.iter().any(guessed) {
                return refuse("a secret key can be guessed: openssl rand -hex 32 makes a better one");
            }
            if self.demo() {
                return refuse(format!(
                    "{}=true loads accounts with known passwords: not with {why}",
                    variable("demo")
                ));
            }
        }
        let logs_input = self.debug || ["debug", "trace"].iter().any(|level| self.log.contains(level));
        if self.env == Env::Prod && logs_input {
            return refuse(format!(
                "DEBUG and the log levels debug and trace are refused with {}=prod: they may show what users send",
                variable("env")
            ));
        }
        Ok(())
    }

    fn check_oidc(&self) -> Result<(), ConfigError> {
        let (issuer, audience) = (variable("oidc_issuer"), variable("oidc_audience"));
        if self.oidc_issuer.is_empty() {
            let others =
                [self.oidc_require_at_jwt, self.oidc_link_by_email, self.oidc_provision, self.oidc_provision_deleted];
            return match self.oidc_audience.is_empty() && !others.contains(&true) {
                true => Ok(()),
                false => refuse(format!("{issuer} is not set, but other settings of the identity provider are")),
            };
        }
        let url = url::Url::parse(&self.oidc_issuer).ok().filter(|url| url.host().is_some());
        let plain = url.filter(|url| url.query().is_none() && url.fragment().is_none());
        match plain.as_ref().map(url::Url::scheme) {
            Some("https") => {}
            Some("http") if self.env != Env::Prod => {}
            _ => {
                return refuse(format!(
                    "{issuer} must be a URL like https://id.example.com/realm; http only outside prod"
                ));
            }
        }
        if self.oidc_audience.is_empty() {
            return refuse(format!(
                "{audience} is not set: any token of the issuer would do, whomever it was given for"
            ));
        }
        if self.oidc_clients().contains(&self.oidc_audience) {
            let clients = variable("oidc_clients");
            return refuse(format!(
                "{clients} names {audience}: the audience is this API, not a client, or ID tokens of that client would pass"
            ));
        }
        if !(1..=AN_HOUR).contains(&self.oidc_wait) {
            return refuse(format!("`oidc_wait` must be 1 to {AN_HOUR}, not {}", self.oidc_wait));
        }
        Ok(())
    }

    /// Whether an empty database gets the demo data.
    pub fn demo(&self) -> bool {
        match &self.demo {
            Value::Boolean(demo) => *demo,
            _ => self.env == Env::Dev && !self.is_exposed(),
        }
    }

    /// Returns whether the docs viewer is served.
    pub fn docs(&self) -> bool {
        match &self.docs {
            Value::Boolean(docs) => *docs,
            _ => self.env != Env::Prod,
        }
    }

    /// The sentence of a 404 for a path that does not exist.
    pub fn paths_hint(&self) -> &'static str {
        if self.docs() { "See /docs for the paths there are." } else { "See /openapi.json for the paths there are." }
    }

    /// Whether strangers may reach the server: in production, and wherever `host` is not a loopback address. Demo data,
    /// a generated secret key and open metrics are for servers that are not exposed.
    pub fn is_exposed(&self) -> bool {
        // other names than `localhost` may resolve to any address
        let is_loopback = match self.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        };
        self.env == Env::Prod || !is_loopback
    }

    /// Whether the start applies pending migrations.
    pub fn migrates(&self) -> bool {
        match self.migrate.as_str() {
            "auto" => Dialect::of(&self.database_url) == Dialect::Sqlite,
            migrate => migrate == "up",
        }
    }

    /// Whether log lines are JSON objects.
    pub fn logs_json(&self) -> bool {
        match self.log_format.as_str() {
            "auto" => self.env != Env::Dev,
            format => format == "json",
        }
    }

    /// Keys whose tokens are good beside those of the one that signs: the last one, and the next.
    pub fn more_secret_keys(&self) -> Vec<String> {
        listed(&self.more_secret_keys).map(Into::into).collect()
    }

    /// Clients of the identity provider whose tokens count; all if there is none.
    pub fn oidc_clients(&self) -> Vec<String> {
        listed(&self.oidc_clients).map(Into::into).collect()
    }

    /// Origins that may call from a browser.
    pub fn cors_origins(&self) -> Vec<String> {
        listed(&self.cors_origins).map(Into::into).collect()
    }

    fn proxies(&self) -> impl Iterator<Item = &str> {
        listed(&self.trusted_proxies)
    }

    /// Proxies that may name the client they were called from.
    pub fn trusted_proxies(&self) -> Vec<IpNet> {
        self.proxies().filter_map(network).collect()
    }

    /// What a password hash costs: one lane, because the pool has the cores in use.
    pub fn password_params(&self) -> Params {
        Params::new(self.password_memory, self.password_time, 1, None).expect("they were checked")
    }

    /// Tables whose rows are not changed for now.
    pub fn frozen(&self) -> impl Iterator<Item = &str> {
        listed(&self.frozen)
    }

    /// Another list, for a test.
    #[cfg(test)]
    pub fn freeze(&mut self, tables: &str) {
        self.frozen = tables.into();
    }

    /// How mail leaves: a URL, or nothing, so that it waits.
    pub fn mail_url(&self) -> &str {
        match self.mail_url.as_str() {
            "auto" if self.env == Env::Prod => "",
            "auto" => "folder:data/mail",
            url => url,
        }
    }

    /// The page of the app with this name, if e-mails lead there.
    pub fn page(&self, name: &str) -> Option<String> {
        (!self.app_url.is_empty()).then(|| format!("{}/{name}", self.app_url.trim_end_matches('/')))
    }

    /// How to reach the database.
    pub fn database(&self) -> connect::Settings {
        connect::Settings {
            url: self.database_url.clone(),
            timeout: Duration::from_secs(self.db_timeout),
            queue: Duration::from_millis(self.db_queue),
            connections: self.database_connections,
        }
    }

    /// The path of the SQLite file; none for PostgreSQL or a database in memory.
    pub fn database_file(&self) -> Option<PathBuf> {
        // what is wrong with the URL was said when the settings were read
        connect::sqlite_file(&self.database_url).ok().flatten()
    }

    /// The folder of what the server keeps on disk, made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_data_folder(&self) -> Result<PathBuf, ConfigError> {
        let folder = match self.database_file() {
            Some(file) => file.parent().map(Path::to_owned).unwrap_or_default(),
            None => "data".into(),
        };
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        std::fs::create_dir_all(&folder).map_err(|error| {
            ConfigError(format!(
                "cannot make the folder {}: {error}; set DATABASE_URL to a place that can be written",
                folder.display()
            ))
        })?;
        Ok(folder)
    }

    /// Makes SQLite's file before SQLite would: it holds addresses and hashes, so only its owner reads it.
    ///
    /// # Errors
    /// It or its folder cannot be made.
    pub fn make_database_file(&self) -> Result<(), ConfigError> {
        let Some(file) = self.database_file() else { return Ok(()) };
        self.make_data_folder()?;
        // of two starters at once one makes it
        match private(std::fs::OpenOptions::new().write(true).create_new(true)).open(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => refuse(format!(
                "cannot write {}: {error}; set DATABASE_URL to a place that can be written",
                file.display()
            )),
            _ => Ok(()),
        }
    }

    /// The key of the access tokens. If `SECRET_KEY` is not set, which [`Config::is_exposed`] rules out, the first start
    /// generates a key and stores it in a file that only its owner can read.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn secret(&self) -> Result<String, ConfigError> {
        if !self.secret_key.is_empty() {
            return Ok(self.secret_key.clone());
        }
        let path = self.make_data_folder()?.join(format!("{}.secret", declared::name()));
        let failed = |error| {
            ConfigError(format!(
                "cannot write {}: {error}; set DATABASE_URL to a place that can be written, or SECRET_KEY",
                path.display()
            ))
        };
        if let Ok(secret) = std::fs::read_to_string(&path)
            && secret.trim().len() >= SECRET_BYTES
        {
            return Ok(secret.trim().into());
        }
        let secret: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = std::fs::OpenOptions::new();
        let mut file = private(options.write(true).create(true).truncate(true)).open(&path).map_err(failed)?;
        writeln!(file, "{secret}").map_err(failed)?;
        Ok(secret)
    }

    /// One line a setting: name, value (secrets masked), source.
    pub fn describe(&self) -> String {
        let line = |(key, (value, source)): (&String, &(Value, String))| {
            let value = match key.as_str() {
                "secret_key" if !self.secret_key.is_empty() => "[set]".into(),
                "more_secret_keys" if !self.more_secret_keys.is_empty() => "[set]".into(),
                "metrics_token" if !self.metrics_token.is_empty() => "[set]".into(),
                "database_url" => mask(&self.database_url),
                "mail_url" => mask(&self.mail_url),
                _ => value.as_str().map_or_else(|| value.to_string(), Into::into),
            };
            format!("{key:22} {value:32} {source}\n")
        };
        self.origins.iter().map(line).collect()
    }
}

/// A syntax error in a settings file, by its place. The library would print the line, which may hold a secret.
fn syntax(path: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!(":{line}:{column}")
    });
    ConfigError(format!("{path}{place}: {}; {}.toml shows how settings are written", error.message(), declared::name()))
}

/// What stands between the commas.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// An address alone or a range.
fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse().ok().map(|address: IpAddr| address.to_canonical().into());
    text.parse().ok().or_else(alone)
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

/// The setting that a variable sets; none when it is not ours.
fn key_of(variable: &str, defaults: &Table) -> Result<Option<String>, ConfigError> {
    if let Some((_, key)) = WELL_KNOWN.iter().find(|(name, _)| *name == variable) {
        return Ok(Some((*key).into()));
    }
    let Some(rest) = variable.strip_prefix(&declared::variable("")) else { return Ok(None) };
    if NOT_SETTINGS.contains(&rest) || NOT_SETTINGS_PREFIXES.iter().any(|prefix| rest.starts_with(prefix)) {
        return Ok(None);
    }
    let key = rest.to_lowercase();
    if defaults.contains_key(&key) {
        return Ok(Some(key));
    }
    let names: Vec<_> = defaults.keys().map(|key| declared::variable(key)).collect();
    refuse(format!("there is no setting {variable}{}", nearest(variable, names.iter())))
}

/// `; did you mean …?` with the known name that is nearest, if one is near.
pub fn nearest<T: AsRef<str>>(name: &str, known: impl IntoIterator<Item = T>) -> String {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known.as_ref()), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7)
        .map_or(String::new(), |(_, known)| format!("; did you mean `{}`?", known.as_ref()))
}

fn kind(default: &Value) -> Cow<'static, str> {
    match default {
        Value::Integer(_) => "a whole number that is not negative".into(),
        Value::Boolean(_) => "true or false".into(),
        _ if default.as_str() == Some("auto") => {
            format!("auto or one of the words in {}.toml", declared::name()).into()
        }
        _ => "text".into(),
    }
}

fn same_kind(default: &Value, value: &Value) -> bool {
    match value {
        Value::Integer(number) => *number >= 0 && default.is_integer(),
        // `demo` is "auto" or a boolean
        Value::Boolean(_) => default.is_bool() || default.as_str() == Some("auto"),
        _ => default.same_type(value),
    }
}

/// The text of a variable as the kind of value its setting has.
fn parse(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Integer(_) => text.trim().parse().ok().filter(|number| *number >= 0).map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        _ => match (default.as_str(), text.parse()) {
            (Some("auto"), Ok(flag)) => Some(Value::Boolean(flag)),
            _ => Some(Value::String(text.into())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let file = (!file.is_empty()).then(|| ("my.toml".into(), file.into()));
        let variables = variables.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Config::from_parts(file, variables).map_err(|error| error.to_string())
    }

    fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
        load(file, variables).err().expect("a refusal")
    }

    #[test]
    fn defaults_suffice_and_the_environment_wins_over_the_file() {
        let config = load("", &[]).expect("defaults");
        assert!(config.demo() && config.migrates() && !config.logs_json());
        let config = load("port = 1\nhost = '::1'", &[("PORT", "2")]).expect("both");
        assert_eq!((config.port, config.host.as_str()), (2, "::1"));
        assert!(config.describe().contains("environment PORT"));
        let token = "a token that is long enough for that";
        let config = load("", &[("ACCORD_METRICS_TOKEN", token)]).expect("a token");
        assert!(!config.describe().contains(token), "{}", config.describe());
        assert!(refusal("", &[("ACCORD_METRICS_TOKEN", "short")]).contains("at least 32"));
        let config = load("", &[("DATABASE_URL", "postgres://a:b@c/d")]).expect("postgres");
        assert!(!config.migrates());
        assert!(!config.describe().contains("a:b@"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known_one() {
        assert!(refusal("prot = 1", &[]).contains("did you mean `port`?"));
        assert!(refusal("", &[("ACCORD_RATELIMIT", "1")]).contains("did you mean `ACCORD_RATE_LIMIT`?"));
        assert!(load("", &[("ACCORD_TEST_POSTGRES_URL", "x")]).is_ok());
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused() {
        assert!(refusal("port = 'x'", &[]).contains("`port` must be a whole number"));
        assert!(refusal("", &[("PORT", "x")]).contains("PORT must be a whole number"));
        assert!(refusal("", &[("ACCORD_MIGRATE", "sideways")]).contains("up, off, auto"));
        assert!(refusal("", &[("ACCORD_ENV", "production")]).contains("production"));
        assert!(refusal("", &[("DATABASE_URL", "mysql://x")]).contains("DATABASE_URL"));
        assert!(refusal("", &[("DATABASE_URL", "sqlite::memory:")]).contains("must name a file"));
        assert!(refusal("", &[("DATABASE_URL", "sqlite:a.db?mode=memory")]).contains("must name a file"));
        assert!(refusal("", &[("DATABASE_URL", "sqlite:a.db?colour=red")]).contains("DATABASE_URL: unknown query"));
        let config = load("", &[("DATABASE_URL", "sqlite://a%20b.db?mode=rwc")]).expect("valid");
        assert_eq!(config.database_file(), Some("a b.db".into()));
        assert!(refusal("", &[("ACCORD_DEMO", "maybe")]).contains("true, false or auto"));
        assert!(refusal("", &[("ACCORD_DOCS", "maybe")]).contains("true, false or auto"));
        assert!(refusal("", &[("ACCORD_DB_TIMEOUT", "9223372036854775807")]).contains("1 to 3600"));
        assert!(refusal("", &[("ACCORD_BODY_TIMEOUT", "0")]).contains("1 to 3600"));
        assert!(refusal("", &[("ACCORD_CORS_ORIGINS", "*")]).contains("is no origin"));
        assert!(refusal("", &[("ACCORD_CORS_ORIGINS", "https://a.b/")]).contains("is no origin"));
        for proxy in ["localhost", "10.0.0.0/33", "10.0.0", "10.0.0.1;10.0.0.2"] {
            let sentence = refusal("", &[("ACCORD_TRUSTED_PROXIES", &format!("127.0.0.1, {proxy}"))]);
            assert!(sentence.contains(&format!("`{proxy}` is no address")), "{sentence}");
        }
        let config = load("", &[("ACCORD_TRUSTED_PROXIES", "::1, ,10.0.0.0/8,")]).expect("two proxies");
        assert_eq!(config.trusted_proxies().len(), 2);
        assert!(refusal("", &[("ACCORD_CONFIG_FILE", "x")]).contains("ACCORD_CONFIG_FILE"));
    }

    #[test]
    fn an_identity_provider_is_named_with_whom_its_tokens_are_for() {
        let issuer = ("ACCORD_OIDC_ISSUER", "https://id.example.com/realm");
        let audience = ("ACCORD_OIDC_AUDIENCE", "accord");
        assert!(load("", &[issuer, audience]).is_ok());
        assert!(refusal("", &[issuer]).contains("ACCORD_OIDC_AUDIENCE is not set"));
        for alone in [audience, ("ACCORD_OIDC_PROVISION", "true"), ("ACCORD_OIDC_LINK_BY_EMAIL", "true")] {
            assert!(refusal("", &[alone]).contains("ACCORD_OIDC_ISSUER is not set"));
        }
        for url in ["id.example.com", "ftp://id.example.com", "https://id.example.com?x", "https://id.example.com#x"] {
            assert!(refusal("", &[("ACCORD_OIDC_ISSUER", url), audience]).contains("must be a URL"), "{url}");
        }
        let plain = ("ACCORD_OIDC_ISSUER", "http://127.0.0.1:8080");
        assert!(load("", &[plain, audience]).is_ok());
        let prod = [("ACCORD_ENV", "prod"), ("SECRET_KEY", "0123456789abcdef0123456789abcdef"), plain, audience];
        assert!(refusal("", &prod).contains("http only outside prod"));
        assert!(refusal("", &[issuer, audience, ("ACCORD_OIDC_WAIT", "0")]).contains("`oidc_wait`"));
    }

    #[test]
    fn an_error_in_a_settings_file_names_the_place_and_shows_no_value() {
        for (file, place) in [
            ("port = 1\nsecret_key = 's3cr3t-value\n", "my.toml:2:"),
            ("secret_key = s3cr3t-value", "my.toml:1:"),
            ("secret_key = \"s3cr3t-value\\q\"", "my.toml:1:"),
            ("secret_key = 's3cr3t-value' 's3cr3t-value'", "my.toml:1:"),
            ("secret_key 's3cr3t-value'", "my.toml:1:"),
            ("secret_key = 's3cr3t-value'\nsecret_key = 's3cr3t-value'", "my.toml:2:"),
            ("secret_key = ['s3cr3t-value']", "`secret_key` must be text"),
            ("secret_key = { s3cr3t-value = 1 }", "`secret_key` must be text"),
            ("port = 's3cr3t-value'", "`port` must be a whole number"),
            ("[secret_key]\ns3cr3t-value = 1", "`secret_key` must be text"),
        ] {
            let sentence = refusal(file, &[]);
            assert!(sentence.contains(place) && !sentence.contains("s3cr3t"), "{sentence}");
        }
    }

    #[test]
    fn further_keys_are_as_long_as_the_first_and_others() {
        let (key, next) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
        let refusal = |more: &str| refusal("", &[("SECRET_KEY", key), ("ACCORD_MORE_SECRET_KEYS", more)]);
        let config = load("", &[("SECRET_KEY", key), ("ACCORD_MORE_SECRET_KEYS", &format!(" {next}, "))]);
        let config = config.expect("valid");
        assert_eq!(config.more_secret_keys(), [next]);
        assert!(!config.describe().contains(next));
        assert!(refusal("short").contains("a key of ACCORD_MORE_SECRET_KEYS has 5 bytes"));
        assert!(refusal(key).contains("has SECRET_KEY in it"));
    }

    #[test]
    fn a_masked_address_keeps_the_password_to_itself() {
        for (url, masked) in [
            ("postgres://u:p@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:p#@x@h/d?password=q", "postgres://u:***@h/d"),
            ("postgres://h/d?password=q", "postgres://h/d"),
            ("sqlite:data/accord.db", "sqlite:data/accord.db"),
        ] {
            assert_eq!(mask(url), masked);
        }
    }

    #[cfg(unix)]
    #[test]
    fn secret_and_database_are_kept_for_their_owner() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("data/t.db").display());
        let config = load("", &[("DATABASE_URL", &url)]).expect("valid");
        let secret = config.secret().expect("made");
        assert!(secret.len() >= SECRET_BYTES);
        assert_eq!(config.secret().expect("kept"), secret);
        config.make_database_file().expect("made");
        config.make_database_file().expect("there already");
        for name in ["data/accord.secret", "data/t.db"] {
            let file = std::fs::metadata(folder.path().join(name)).expect("is there");
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn host_that_other_machines_reach_is_treated_as_exposed() {
        let secret = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
        for env in ["dev", "test"] {
            for host in ["0.0.0.0", "::", "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "api.example.com"] {
                let exposed = [("ACCORD_ENV", env), ("HOST", host)];
                let [env, host] = exposed;
                let missing = refusal("", &exposed);
                assert!(missing.contains("SECRET_KEY is not set") && missing.contains(host.1), "{missing}");
                assert!(refusal("", &[env, host, ("SECRET_KEY", &"a".repeat(40))]).contains("can be guessed"));
                let demo = refusal("", &[env, host, secret, ("ACCORD_DEMO", "true")]);
                assert!(demo.contains("ACCORD_DEMO=true") && demo.contains(host.1), "{demo}");
                let config = load("", &[env, host, secret]).expect("a secret key is enough");
                assert!(config.is_exposed() && !config.demo());
            }
        }
        for host in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"] {
            let config = load("", &[("HOST", host)]).expect("loopback needs no secret key");
            assert!(!config.is_exposed() && config.demo(), "{host}");
        }
    }

    #[test]
    fn prod_refuses_what_is_unsafe() {
        let prod = ("ACCORD_ENV", "prod");
        let secret = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
        assert!(refusal("", &[prod]).contains("SECRET_KEY is not set"));
        assert!(refusal("", &[prod, ("SECRET_KEY", "short")]).contains("at least 32"));
        assert!(refusal("", &[prod, ("SECRET_KEY", &"a".repeat(40))]).contains("can be guessed"));
        assert!(refusal("", &[prod, secret, ("ACCORD_DEMO", "true")]).contains("ACCORD_DEMO"));
        assert!(refusal("", &[prod, secret, ("DEBUG", "true")]).contains("DEBUG"));
        assert!(!load("", &[prod, secret]).expect("fit for prod").demo());
    }
}
