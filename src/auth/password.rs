//! Passwords: argon2id (m=19456 unless set otherwise, t=2, p=1) in a bounded pool; bcrypt hashes of imported users are verified and upgraded.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::error::{Code, Error};

/// How long a request waits for a worker before it is told to come back.
const WAIT: Duration = Duration::from_secs(10);

/// Hashes and verifies, a bounded number at once: each takes 19 MiB, and unbounded ones exhaust memory.
#[derive(Clone)]
pub struct Passwords {
    workers: Arc<Semaphore>,
    /// Verified for an unknown address, so that it costs what a known one costs.
    memory: u32,
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
    /// So many at once, each with so many KiB.
    pub fn new(workers: usize, memory: u32) -> Self {
        let nobody = argon2id("nobody's password", memory).into();
        Self { workers: Arc::new(Semaphore::new(workers)), memory, nobody }
    }

    /// The argon2id hash, as a PHC string.
    ///
    /// # Errors
    /// 503 when no worker becomes free in time.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        let memory = self.memory;
        self.run(move || argon2id(&password, memory)).await
    }

    /// Verifies a password; without a hash it does the same work and answers [`Verdict::Wrong`].
    ///
    /// # Errors
    /// 503 when no worker becomes free in time.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<Verdict, Error> {
        let (nobody, memory) = (self.nobody.clone(), self.memory);
        self.run(move || verify(&password, hash.as_deref(), &nobody, memory)).await
    }

    /// Workers that are free.
    pub fn idle(&self) -> usize {
        self.workers.available_permits()
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

fn argon2id(password: &str, memory: u32) -> String {
    let parameters = Params::new(memory, 2, 1, None).expect("the settings are checked");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password(password.as_bytes()).expect("the parameters are valid").to_string()
}

/// A hash says itself by which parameters it is verified.
fn verify(password: &str, hash: Option<&str>, nobody: &str, memory: u32) -> Verdict {
    let Some(hash) = hash else {
        let nobody = PasswordHash::new(nobody).expect("our own hash");
        let _ = Argon2::default().verify_password(password.as_bytes(), &nobody);
        return Verdict::Wrong;
    };
    if hash.starts_with("$2") {
        return match bcrypt::verify(password, hash) {
            Ok(true) => Verdict::RightUpgrade(argon2id(password, memory)),
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

    const MEMORY: u32 = Params::DEFAULT_M_COST;

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let passwords = Passwords::new(1, MEMORY);
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
        let passwords = Passwords::new(1, MEMORY);
        let verdict = passwords.verify("correct horse".into(), Some(old.clone())).await.expect("verify");
        let Verdict::RightUpgrade(new) = verdict else { panic!("{verdict:?}") };
        assert_eq!(verify("correct horse", Some(&new), "", MEMORY), Verdict::Right);
        assert_eq!(verify("wrong", Some(&old), "", MEMORY), Verdict::Wrong);
    }
}
