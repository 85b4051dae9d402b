//! Passwords: the most common ones, and those that are the account's address or name, are refused, all others kept as
//! argon2id hashes, computed in a bounded pool. Weaker
//! hashes, and the bcrypt ones of imported users, are verified, and replaced at the next login.
//!
//! Must never be: a hash of a password that nobody has compared with the list and with its account; one computed outside of
//! the pool.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::admission::{Gate, Patience};
use crate::auth::Email;
use crate::config::Config;
use crate::error::{Code, Error, FieldError};

/// The longest wait of an admitted request for a worker.
const WAIT: Duration = Duration::from_secs(10);

/// The expected wait for a worker above which a request is refused.
const LONGEST: Duration = Duration::from_millis(500);

/// Where it is from, and under which license, stands in the `.md` file beside it.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Stands for the hash of an account that has no password: none is right, after the same work.
pub const NONE: &str = "";

/// A password that is not one of the most common, before it is compared with its account. Presented passwords are never
/// judged: whoever has a common one logs in with it, and changes it.
pub struct NewPassword {
    text: String,
    pointer: &'static str,
}

/// A password that an account may have from now on.
pub struct AccountPassword(String);

impl NewPassword {
    /// The one at this place of the body.
    ///
    /// # Errors
    /// 400 `password_common` for one that is tried before all others.
    pub fn new(password: String, pointer: &'static str) -> Result<Self, Error> {
        if COMMON.contains(password.to_lowercase().as_str()) {
            let detail = "is one of those that are chosen most, and so tried first; choose another";
            return Err(Error::fields(Code::PASSWORD_COMMON, vec![FieldError::body(pointer, detail)]));
        }
        Ok(Self { text: password, pointer })
    }

    /// The password of the account with this address and name.
    ///
    /// # Errors
    /// 400 `password_personal`, see [`is_personal`].
    pub fn of(self, email: &Email, name: Option<&str>) -> Result<AccountPassword, Error> {
        if is_personal(&self.text, email, name) { Err(personal(self.pointer)) } else { Ok(AccountPassword(self.text)) }
    }
}

/// Returns whether a password equals the address of its account, the part before the `@`, or the name, ignoring case.
/// Attackers try these right after the most common passwords.
pub fn is_personal(password: &str, email: &Email, name: Option<&str>) -> bool {
    let (password, address) = (password.trim().to_lowercase(), email.as_str());
    let local_part = address.split_once('@').map_or(address, |(local_part, _)| local_part);
    password == address || password == local_part || name.is_some_and(|name| password == name.trim().to_lowercase())
}

/// The error of a password that [`is_personal`].
pub fn personal(pointer: &str) -> Error {
    let detail = "is the address or the name of the account, and so tried first; choose another";
    Error::fields(Code::PASSWORD_PERSONAL, vec![FieldError::body(pointer, detail)])
}

/// Whether a text is not a password but what somebody keeps of one: `$argon2id$…`, `$2b$…`, `pbkdf2_sha256$…`.
pub fn is_hash(text: &str) -> bool {
    let Some((scheme, rest)) = text.strip_prefix('$').unwrap_or(text).split_once('$') else { return false };
    let is_scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_said =
        text.starts_with('$') || ["argon2", "bcrypt", "pbkdf2", "scrypt"].iter().any(|s| scheme.starts_with(s));
    is_said && !scheme.is_empty() && scheme.chars().all(is_scheme) && !rest.is_empty()
}

/// Hashes and verifies, a bounded number at once: each takes its memory, and unbounded ones exhaust it.
#[derive(Clone)]
pub struct Passwords {
    workers: Arc<Gate>,
    /// Places for those who wait for a worker: each holds the memory of its request.
    queue: Arc<Semaphore>,
    params: Params,
    /// Verified for an unknown address, so that it costs what a known one costs.
    nobody: Arc<str>,
}

/// What became of a password.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the one.
    Wrong,
    /// It is, and the hash is at least as strong as ours.
    Right,
    /// It is, and the hash should be replaced by this one.
    RightUpgrade(String),
}

impl Passwords {
    /// As the settings say.
    pub fn of(config: &Config) -> Self {
        Self::new(config.passwords.password_workers, config.passwords.password_queue, config.passwords.params())
    }

    fn new(workers: u32, queue: usize, params: Params) -> Self {
        let nobody = argon2id("nobody's password", &params).into();
        let workers = Gate::new(workers, LONGEST, WAIT);
        Self { workers, queue: Arc::new(Semaphore::new(queue)), params, nobody }
    }

    /// The argon2id hash, as a PHC string.
    ///
    /// # Errors
    /// 503 when there is no worker, or does not become one free in time.
    pub async fn hash(&self, AccountPassword(password): AccountPassword) -> Result<String, Error> {
        let params = self.params.clone();
        self.run(move || argon2id(&password, &params)).await
    }

    /// Verifies a password; without a hash it does the same work and answers [`Verdict::Wrong`].
    ///
    /// # Errors
    /// 503 when there is no worker, or does not become one free in time.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<Verdict, Error> {
        let (nobody, params) = (self.nobody.clone(), self.params.clone());
        self.run(move || verify(&password, hash.as_deref(), &nobody, &params)).await
    }

    /// Workers that are free.
    pub fn idle(&self) -> u32 {
        self.workers.free()
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let overloaded = || Error::new(Code::OVERLOADED, "Too many logins at once; try again soon.");
        let Ok(place) = self.queue.try_acquire() else { return Err(overloaded()) };
        let worker = self.workers.enter(Patience::Request).await;
        drop(place);
        let worker = worker.map_err(|_| overloaded())?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(worker);
            result
        });
        done.await.map_err(Error::internal)
    }
}

fn argon2id(password: &str, params: &Params) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password(password.as_bytes()).expect("the parameters are valid").to_string()
}

/// A hash says itself by which parameters it is verified.
fn verify(password: &str, hash: Option<&str>, nobody: &str, params: &Params) -> Verdict {
    let matches = |hash: &PasswordHash| Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
    let Some(hash) = hash.filter(|hash| *hash != NONE) else {
        matches(&PasswordHash::new(nobody).expect("our own hash"));
        return Verdict::Wrong;
    };
    let (right, strong) = if hash.starts_with("$2") {
        (bcrypt::verify(password, hash).unwrap_or(false), false)
    } else {
        PasswordHash::new(hash).map_or((false, false), |hash| (matches(&hash), is_strong(&hash, params)))
    };
    match (right, strong) {
        (false, _) => Verdict::Wrong,
        (true, true) => Verdict::Right,
        (true, false) => Verdict::RightUpgrade(argon2id(password, params)),
    }
}

/// Whether guessing costs at least what it would with a hash of today.
fn is_strong(hash: &PasswordHash, params: &Params) -> bool {
    let ours = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(u32::from(Version::V0x13));
    let enough = |theirs: Params| theirs.m_cost() >= params.m_cost() && theirs.t_cost() >= params.t_cost();
    ours && Params::try_from(hash).is_ok_and(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory: u32, time: u32) -> Params {
        Params::new(memory, time, 1, None).expect("valid parameters")
    }

    fn new(password: &str) -> AccountPassword {
        let (rare, ann) = (NewPassword::new(password.into(), "/password"), Email::new("ann@example.com"));
        rare.and_then(|password| password.of(&ann, Some("Ann"))).unwrap_or_else(|error| panic!("{password}: {error}"))
    }

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let passwords = Passwords::new(1, 1, params(19_456, 2));
        let hash = passwords.hash(new("correct horse")).await.expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verdict = async |password: &str, hash: Option<&str>| {
            passwords.verify(password.into(), hash.map(Into::into)).await.expect("verify")
        };
        assert_eq!(verdict("correct horse", Some(&hash)).await, Verdict::Right);
        assert_eq!(verdict("correct horse ", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(verdict("nobody's password", None).await, Verdict::Wrong);
        assert_eq!(verdict("", Some(NONE)).await, Verdict::Wrong);
        assert_eq!(verdict("x", Some("no hash at all")).await, Verdict::Wrong);
    }

    #[test]
    fn a_weaker_hash_is_replaced_and_a_stronger_one_stays() {
        let today = params(128, 3);
        for (memory, time, stays) in [(128, 3, true), (256, 4, true), (64, 3, false), (256, 2, false), (127, 9, false)]
        {
            let hash = argon2id("correct horse", &params(memory, time));
            match verify("correct horse", Some(&hash), "", &today) {
                Verdict::Right => assert!(stays, "{hash}"),
                Verdict::RightUpgrade(new) => {
                    assert!(!stays, "{hash}");
                    assert!(new.starts_with("$argon2id$v=19$m=128,t=3,p=1$"), "{new}");
                }
                Verdict::Wrong => panic!("{hash}"),
            }
            assert_eq!(verify("wrong horse", Some(&hash), "", &today), Verdict::Wrong);
        }
        let other = Argon2::new(Algorithm::Argon2i, Version::V0x13, params(256, 9));
        let other = other.hash_password(b"correct horse").expect("a hash").to_string();
        assert!(matches!(verify("correct horse", Some(&other), "", &today), Verdict::RightUpgrade(_)));
    }

    #[test]
    fn a_bcrypt_hash_is_verified_and_upgraded() {
        let old = bcrypt::hash("correct horse", 4).expect("bcrypt");
        let today = params(64, 2);
        let verdict = verify("correct horse", Some(&old), "", &today);
        let Verdict::RightUpgrade(new) = verdict else { panic!("{verdict:?}") };
        assert_eq!(verify("correct horse", Some(&new), "", &today), Verdict::Right);
        assert_eq!(verify("wrong", Some(&old), "", &today), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_costs_what_somebody_costs() {
        let passwords = Passwords::new(1, 1, params(19_456, 2));
        let hash = PasswordHash::new(&passwords.nobody).expect("our own hash");
        assert!(is_strong(&hash, &passwords.params));
        let theirs = Params::try_from(&hash).expect("parameters");
        assert_eq!((theirs.m_cost(), theirs.t_cost()), (19_456, 2));
    }

    #[test]
    fn the_most_common_ones_are_refused_in_any_case() {
        assert!(COMMON.len() > 20_000, "{}", COMMON.len());
        for password in ["password", "Password123", "QWERTYUIOP", "00000000", "P@ssw0rd"] {
            let refused = NewPassword::new(password.into(), "/new_password").err().expect(password);
            assert_eq!(refused.code, Code::PASSWORD_COMMON);
            assert_eq!(refused.fields[0].pointer.as_deref(), Some("/new_password"));
        }
        for password in ["correct horse battery", "the password of ann", "password of mine"] {
            new(password);
        }
    }

    #[test]
    fn address_and_name_are_refused_as_password_in_any_case() {
        let email = Email::new("Ann.Lovelace@example.com");
        let of = |password: &str, name| {
            NewPassword::new(password.into(), "/new_password").expect("a rare one").of(&email, name).map(drop)
        };
        for password in
            ["ann.lovelace@example.com", "ANN.Lovelace@Example.com", "Ann.Lovelace", " ann.lovelace ", "Ann Lovelace"]
        {
            let refused = of(password, Some("ann lovelace")).expect_err(password);
            assert_eq!(refused.code, Code::PASSWORD_PERSONAL);
            assert_eq!(refused.fields[0].pointer.as_deref(), Some("/new_password"));
        }
        for password in ["ann.lovelace@example.org", "ann.lovelace's horse", "Ann Lovelace"] {
            assert!(of(password, None).is_ok(), "{password}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_holds_only_what_could_be_set() {
        let lines: Vec<_> = include_str!("common_passwords.txt").lines().collect();
        assert!(lines.is_sorted_by(|a, b| a < b));
        let fits = |line: &&str| (8..=128).contains(&line.chars().count()) && line.to_lowercase() == **line;
        assert_eq!(lines.iter().find(|line| !fits(line)), None);
    }

    #[test]
    fn a_hash_is_told_from_a_password() {
        let argon2 = argon2id("correct horse", &params(64, 2));
        for hash in
            [argon2.as_str(), "$2b$04$abcdefghijklmnopqrstuv", "$5$salt$x", "pbkdf2_sha256$1000$salt$x", "bcrypt$$2b$x"]
        {
            assert!(is_hash(hash), "{hash}");
        }
        for password in
            ["$ecret horse", "$$$$$$$$", "a$b$c$dollars", "correct horse battery", "$Cash$ is king", "1$argon2"]
        {
            assert!(!is_hash(password), "{password}");
        }
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_refused_at_once() {
        let passwords = Passwords::new(1, 2, params(64, 2));
        let busy = passwords.workers.enter(Patience::Request).await.expect("free");
        let wait = || {
            tokio::spawn({
                let passwords = passwords.clone();
                async move { passwords.verify("x".into(), None).await }
            })
        };
        let waiting = [wait(), wait()];
        tokio::task::yield_now().await;
        assert_eq!(passwords.queue.available_permits(), 0);
        let start = std::time::Instant::now();
        let refused = passwords.verify("x".into(), None).await.expect_err("no place");
        assert_eq!(refused.code, Code::OVERLOADED);
        assert!(start.elapsed() < WAIT / 10);
        drop(busy);
        for one in waiting {
            assert_eq!(one.await.expect("ends").expect("gets its turn"), Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn who_would_wait_too_long_for_a_worker_is_refused_at_once() {
        // each takes a good part of a second
        let passwords = Passwords::new(1, 100, params(65_536, 8));
        let verify = || passwords.verify("x".into(), None);
        verify().await.expect("a free worker");
        let results = futures_util::future::join_all((0..30).map(|_| verify())).await;
        let refused = results.iter().filter_map(|result| result.as_ref().err()).collect::<Vec<_>>();
        assert!((20..30).contains(&refused.len()), "{} of 30 are refused", refused.len());
        assert!(refused.iter().all(|error| error.code == Code::OVERLOADED));
    }
}
