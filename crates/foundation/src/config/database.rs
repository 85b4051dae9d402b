//! Settings of the database: its place, its connections, and what a start does to its rows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Value;

use super::setting::group;
use super::{AN_HOUR, Config, ConfigError, Env, listed, one_of, private, refuse};
use crate::db::{Dialect, connect};
use crate::declared::variable;

group! {
    /// The database.
    Database {
        pub database_url: String;
        pub database_connections: u32 = 1..=10_000;
        pub db_timeout: u64 = 1..=AN_HOUR;
        pub db_queue: u64 = 0..=60_000, " milliseconds";
        pub db_wait: u64 = 0..=AN_HOUR, " seconds";
        migrate: String;
        demo: Value;
        frozen: String;
    }
}

impl Database {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let url = &self.database_url;
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return refuse("DATABASE_URL must begin with sqlite: or postgres://");
        }
        let file = connect::sqlite_file(url).map_err(|error| match error {
            sqlx::Error::Configuration(cause) => ConfigError(format!("DATABASE_URL: {cause}")),
            other => ConfigError(format!("DATABASE_URL: {other}")),
        })?;
        if Dialect::of(url) == Dialect::Sqlite && file.is_none() {
            return refuse("DATABASE_URL must name a file: each connection to a database in memory would have its own");
        }
        self.check_bounds()?;
        one_of("migrate", &self.migrate, &["up", "off", "auto"])?;
        if matches!(&self.demo, Value::String(demo) if demo != "auto") {
            return refuse(format!("{} must be true, false or auto", variable("demo")));
        }
        match config.exposure() {
            Some(why) if config.demo() => {
                let demo = variable("demo");
                refuse(format!("{demo}=true loads accounts with known passwords: not with {why}"))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether the start applies pending migrations.
    pub fn migrates(&self) -> bool {
        match self.migrate.as_str() {
            "auto" => Dialect::of(&self.database_url) == Dialect::Sqlite,
            migrate => migrate == "up",
        }
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

    /// The parameters of connections.
    pub fn connection(&self) -> connect::Settings {
        connect::Settings {
            url: self.database_url.clone(),
            timeout: Duration::from_secs(self.db_timeout),
            queue: Duration::from_millis(self.db_queue),
            connections: self.database_connections,
        }
    }

    /// The path of the SQLite file. Returns `None` for PostgreSQL.
    pub fn file(&self) -> Option<PathBuf> {
        // the check of the settings has reported an invalid URL
        connect::sqlite_file(&self.database_url).ok().flatten()
    }

    /// Creates the folder of the files that the server keeps on disk, if it is missing.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn make_folder(&self) -> Result<PathBuf, ConfigError> {
        let folder = match self.file() {
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

    /// Creates SQLite's file before SQLite would: it holds addresses and hashes, so only its owner reads it.
    ///
    /// # Errors
    /// The file or its folder cannot be created.
    pub fn make_file(&self) -> Result<(), ConfigError> {
        let Some(file) = self.file() else { return Ok(()) };
        self.make_folder()?;
        // of two processes that start at once, one creates it
        match private(std::fs::OpenOptions::new().write(true).create_new(true)).open(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => refuse(format!(
                "cannot write {}: {error}; set DATABASE_URL to a place that can be written",
                file.display()
            )),
            _ => Ok(()),
        }
    }
}

impl Config {
    /// Returns whether an empty database gets the demo data.
    pub fn demo(&self) -> bool {
        match &self.database.demo {
            Value::Boolean(demo) => *demo,
            _ => self.env == Env::Dev && !self.is_exposed(),
        }
    }
}
