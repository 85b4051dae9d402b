//! Settings of access tokens and sessions: the keys and the lifetimes.

use std::collections::BTreeSet;
use std::io::Write;

use super::setting::group;
use super::{A_MINUTE, A_YEAR, Config, ConfigError, listed, private, refuse};
use crate::declared::{self, variable};

/// Bytes of a secret that may sign tokens: as long as the hash it keys (RFC 7518 section 3.2).
pub(super) const SECRET_BYTES: usize = 32;

/// Different characters of a secret that was not typed by holding a key down.
const SECRET_VARIETY: usize = 8;

group! {
    /// Access tokens and sessions.
    Tokens {
        pub(super) secret_key: String;
        pub(super) more_secret_keys: String;
        pub token_ttl: u32 = 1..=A_YEAR;
        pub refresh_ttl: u32 = 1..=10 * A_YEAR;
        pub session_ttl: u32 = 1..=10 * A_YEAR;
        pub fresh_login: u32 = 1..=A_YEAR;
        // for so long a copied refresh token could be used unnoticed
        pub refresh_grace: u32 = 0..=A_MINUTE, " seconds";
    }
}

impl Tokens {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        self.check_bounds()?;
        let (more, name) = (self.more_secret_keys(), variable("more_secret_keys"));
        check_length("SECRET_KEY", &self.secret_key)?;
        more.iter().try_for_each(|key| check_length(&format!("a key of {name}"), key))?;
        if more.contains(&self.secret_key) {
            return refuse(format!("{name} has SECRET_KEY in it: name only the others, the old and the next"));
        }
        let Some(why) = config.exposure() else { return Ok(()) };
        if self.secret_key.is_empty() {
            return refuse(format!("SECRET_KEY is not set, and must be with {why}: openssl rand -hex 32 makes one"));
        }
        let guessed = |key: &String| key.chars().collect::<BTreeSet<_>>().len() < SECRET_VARIETY;
        if guessed(&self.secret_key) || more.iter().any(guessed) {
            return refuse("a secret key can be guessed: openssl rand -hex 32 makes a better one");
        }
        Ok(())
    }

    /// Keys whose tokens are valid beside those of the key that signs: the last one, and the next.
    pub fn more_secret_keys(&self) -> Vec<String> {
        listed(&self.more_secret_keys).map(Into::into).collect()
    }
}

impl Config {
    /// The key of the access tokens. If `SECRET_KEY` is not set, which [`Config::is_exposed`] rules out, the first start
    /// generates a key and stores it in a file that only its owner can read.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn secret(&self) -> Result<String, ConfigError> {
        if !self.tokens.secret_key.is_empty() {
            return Ok(self.tokens.secret_key.clone());
        }
        let path = self.database.make_folder()?.join(format!("{}.secret", declared::name()));
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
}

/// Rejects a secret that is set and too short.
pub(super) fn check_length(name: &str, secret: &str) -> Result<(), ConfigError> {
    if secret.is_empty() || secret.len() >= SECRET_BYTES {
        return Ok(());
    }
    let length = secret.len();
    refuse(format!("{name} has {length} bytes, it needs at least {SECRET_BYTES}: openssl rand -hex 32 makes one"))
}
