//! Passwords: argon2id (m=19456, t=2, p=1) in a bounded pool; bcrypt hashes of imported users are verified and upgraded.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{Code, Error};

/// How long a request waits for a worker before it is told to come back.
const WAIT: Duration = Duration::from_secs(10);

/// Hashes and verifies, a bounded number at once: each takes 19 MiB, and unbounded ones exhaust memory.
#[derive(Clone)]
pub struct Passwords {
    workers: Arc<Semaphore>,
    /// Verified for an unknown address, so that it costs what a known one costs.
    nobody: Arc<str>,
}

/// What became of a password.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the one.
    Wrong,
    /// It is, and the hash is of our kind.
    Right,
    /// It is, and the hash should be replaced by this one.
    RightUpgrade(String),
}

impl Passwords {
    /// So many at once.
    pub fn new(workers: usize) -> Self {
        Self { workers: Arc::new(Semaphore::new(workers)), nobody: argon2id("nobody's password").into() }
    }

    /// The argon2id hash, as a PHC string.
    ///
    /// # Errors
    /// 503 when no worker becomes free in time.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.run(move || argon2id(&password)).await
    }

    /// Verifies a password; without a hash it does the same work and answers [`Verdict::Wrong`].
    ///
    /// # Errors
    /// 503 when no worker becomes free in time.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<Verdict, Error> {
        let nobody = self.nobody.clone();
        self.run(move || verify(&password, hash.as_deref(), &nobody)).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let permit = tokio::time::timeout(WAIT, self.workers.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Error::new(Code::Overloaded, "Too many logins at once; try again soon."));
        };
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(Error::internal)
    }
}

fn argon2id(password: &str) -> String {
    Argon2::default().hash_password(password.as_bytes()).expect("the default parameters are valid").to_string()
}

fn verify(password: &str, hash: Option<&str>, nobody: &str) -> Verdict {
    let Some(hash) = hash else {
        let nobody = PasswordHash::new(nobody).expect("our own hash");
        let _ = Argon2::default().verify_password(password.as_bytes(), &nobody);
        return Verdict::Wrong;
    };
    if hash.starts_with("$2") {
        return match bcrypt::verify(password, hash) {
            Ok(true) => Verdict::RightUpgrade(argon2id(password)),
            _ => Verdict::Wrong,
        };
    }
    let right =
        PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    if right { Verdict::Right } else { Verdict::Wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let passwords = Passwords::new(1);
        let hash = passwords.hash("correct horse".into()).await.expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verdict = async |password: &str, hash: Option<&str>| {
            passwords.verify(password.into(), hash.map(Into::into)).await.expect("verify")
        };
        assert_eq!(verdict("correct horse", Some(&hash)).await, Verdict::Right);
        assert_eq!(verdict("correct horse ", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(verdict("nobody's password", None).await, Verdict::Wrong);
        assert_eq!(verdict("x", Some("no hash at all")).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_bcrypt_hash_is_verified_and_upgraded() {
        let old = bcrypt::hash("correct horse", 4).expect("bcrypt");
        let passwords = Passwords::new(1);
        let verdict = passwords.verify("correct horse".into(), Some(old.clone())).await.expect("verify");
        let Verdict::RightUpgrade(new) = verdict else { panic!("{verdict:?}") };
        assert_eq!(verify("correct horse", Some(&new), ""), Verdict::Right);
        assert_eq!(verify("wrong", Some(&old), ""), Verdict::Wrong);
    }
}
