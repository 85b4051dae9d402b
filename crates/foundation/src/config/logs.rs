//! Settings of the log.

use super::setting::group;
use super::{Config, ConfigError, Env, one_of, refuse};
use crate::declared::variable;

group! {
    /// The log.
    Logs {
        pub log: String;
        log_format: String;
        pub debug: bool;
    }
}

impl Logs {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        self.check_bounds()?;
        one_of("log_format", &self.log_format, &["pretty", "json", "auto"])?;
        let logs_input = self.debug || ["debug", "trace"].iter().any(|level| self.log.contains(level));
        if config.env == Env::Prod && logs_input {
            return refuse(format!(
                "DEBUG and the log levels debug and trace are refused with {}=prod: they may show what users send",
                variable("env")
            ));
        }
        Ok(())
    }
}

impl Config {
    /// Returns whether log lines are JSON objects.
    pub fn logs_json(&self) -> bool {
        match self.logs.log_format.as_str() {
            "auto" => self.env != Env::Dev,
            format => format == "json",
        }
    }
}
