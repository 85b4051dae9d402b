//! Rate limits: how many calls of an operation an address and an account have, what is left of them, and how it is told.
//!
//! Must never be: memory that grows with the names that callers make up; an unknown account that is counted otherwise
//! than a known one; an address of somebody kept.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Code, Error};

/// What is left of each limit (draft-ietf-httpapi-ratelimit-headers, structured fields).
pub const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The limits themselves.
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Seconds in which wrong passwords are counted.
pub const A_QUARTER: u64 = 15 * 60;

/// Callers that a limit remembers.
const REMEMBERED: usize = 10_000;

/// Whom a limit counts.
#[derive(Hash)]
pub enum Who {
    /// A client, by its network.
    Address(IpAddr),
    /// An account, by the token of the request.
    User(i64),
    /// An account, or none, as everybody may name it.
    Email(String),
    /// The same, from where somebody has logged in to it before.
    EmailAt(String, IpAddr),
    /// A session, by one of its refresh tokens.
    Session(i64),
    /// A refresh token of no session.
    Token(String),
}

impl Who {
    /// The account of [`Who::EmailAt`], as strangers name it.
    pub fn without_network(&self) -> Option<Self> {
        match self {
            Self::EmailAt(email, _) => Some(Self::Email(email.clone())),
            _ => None,
        }
    }
}

/// So many calls in so many seconds, as a bucket: full at first, it gets one call back at a time.
pub struct Limit {
    name: &'static str,
    calls: u32,
    /// Seconds.
    window: u64,
    limiter: RateLimiter<u64, Buckets, DefaultClock, StateInformationMiddleware>,
    buckets: Buckets,
    /// Its key is this process's own, so nobody can make two callers share a bucket.
    hasher: RandomState,
}

impl Limit {
    /// None for no calls: then there is no limit.
    pub fn new(name: &'static str, calls: u32, window: u64) -> Option<Self> {
        let quota = Quota::with_period(Duration::from_secs(window) / calls.max(1))?;
        let quota = quota.allow_burst(NonZeroU32::new(calls)?);
        let buckets = Buckets::default();
        let limiter = RateLimiter::new(quota, buckets.clone(), DefaultClock::default());
        Some(Self { name, calls, window, limiter, buckets, hasher: RandomState::new() })
    }

    /// Takes a call, and writes down what is left.
    ///
    /// # Errors
    /// 429 `rate_limited`: there is none left.
    pub fn take(&self, who: &Who, ledger: &Ledger) -> Result<(), Error> {
        let taken = self.limiter.check_key(&self.hasher.hash_one(who));
        let (calls, within) = match &taken {
            Ok(left) => (left.remaining_burst_capacity(), self.period()),
            Err(refused) => (0, refused.wait_time_from(DefaultClock::default().now())),
        };
        let seconds = (within.as_secs_f64().ceil() as u64).max(1);
        ledger.note(Left { name: self.name, limit: (self.calls, self.window), calls, seconds });
        taken.map(drop).map_err(|_| {
            let error = Error::new(Code::RATE_LIMITED, format!("Try again in {seconds} s."));
            Error { retry_after: Some(seconds), ..error }
        })
    }

    /// Gives a call back that did not count after all.
    pub fn give_back(&self, who: &Who, ledger: &Ledger) {
        self.buckets.ease(self.hasher.hash_one(who), self.period());
        ledger.one_more(self.name);
    }

    /// How long it takes to get one call back.
    fn period(&self) -> Duration {
        Duration::from_secs(self.window) / self.calls
    }
}

/// By caller, when their bucket is full again. Whoever is nearest to that is forgotten first: who makes up names to have
/// a full bucket forgotten only makes others forgotten, and their own.
#[derive(Clone, Default)]
struct Buckets(Arc<Mutex<HashMap<u64, Nanos>>>);

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ease(&self, key: u64, by: Duration) {
        if let Some(full) = self.lock().get_mut(&key) {
            *full = full.saturating_sub(by.into());
        }
    }
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.lock();
        let (outcome, full) = decide(buckets.get(key).copied())?;
        buckets.insert(*key, full);
        if buckets.len() > REMEMBERED {
            let mut fulls: Vec<_> = buckets.values().copied().collect();
            let (_, middle, _) = fulls.select_nth_unstable(REMEMBERED / 2);
            let middle = *middle;
            buckets.retain(|_, full| *full > middle);
        }
        Ok(outcome)
    }
}

/// What a limit has left for somebody.
struct Left {
    name: &'static str,
    limit: (u32, u64),
    calls: u32,
    /// Until there is one more.
    seconds: u64,
}

/// What a request has used of which limits. The edge puts it into the request's extensions, and writes it into the answer.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Left>>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Vec<Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, left: Left) {
        self.lock().push(left);
    }

    fn one_more(&self, name: &str) {
        for left in self.lock().iter_mut().filter(|left| left.name == name) {
            left.calls = (left.calls + 1).min(left.limit.0);
        }
    }

    /// Writes the headers, unless nothing was limited.
    pub fn write(&self, headers: &mut HeaderMap) {
        let (mut policy, mut rest) = (String::new(), String::new());
        for Left { name, limit: (calls, window), calls: left, seconds } in self.lock().iter() {
            let comma = if policy.is_empty() { "" } else { ", " };
            // writing to a text never fails
            let _ = write!(policy, "{comma}\"{name}\";q={calls};w={window}");
            let _ = write!(rest, "{comma}\"{name}\";r={left};t={seconds}");
        }
        for (name, value) in [(POLICY, policy), (LEFT, rest)] {
            if let Ok(value) = HeaderValue::from_str(&value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(ledger: &Ledger) -> (String, String) {
        let mut headers = HeaderMap::new();
        ledger.write(&mut headers);
        let text = |name| headers.get(&name).map(|value| value.to_str().expect("ASCII").to_owned()).unwrap_or_default();
        (text(POLICY), text(LEFT))
    }

    #[test]
    fn each_caller_has_a_bucket_and_is_told_what_is_left() {
        let limit = Limit::new("address", 2, 60).expect("a limit");
        let take = |address: [u8; 4]| {
            let ledger = Ledger::default();
            let taken = limit.take(&Who::Address(address.into()), &ledger);
            (taken.map_err(|error| error.retry_after), headers(&ledger).1)
        };
        assert_eq!(take([1; 4]), (Ok(()), "\"address\";r=1;t=30".into()));
        assert_eq!(take([1; 4]), (Ok(()), "\"address\";r=0;t=30".into()));
        assert_eq!(take([1; 4]), (Err(Some(30)), "\"address\";r=0;t=30".into()));
        assert_eq!(take([2; 4]).0, Ok(()));
        assert!(Limit::new("address", 0, 60).is_none());
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        let limit = Limit::new("logins", 2, 60).expect("a limit");
        let who = Who::Email("a@b.co".into());
        for _ in 0..10 {
            let ledger = Ledger::default();
            limit.take(&who, &ledger).expect("there is one");
            limit.give_back(&who, &ledger);
            assert_eq!(headers(&ledger), ("\"logins\";q=2;w=60".into(), "\"logins\";r=2;t=30".into()));
        }
        // who never called has no more than a full bucket
        limit.give_back(&Who::Email("c@d.ee".into()), &Ledger::default());
        let taken = (0..5).filter(|_| limit.take(&Who::Email("c@d.ee".into()), &Ledger::default()).is_ok()).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn two_limits_stand_side_by_side_and_none_is_silent() {
        let ledger = Ledger::default();
        assert_eq!(headers(&ledger), (String::new(), String::new()));
        Limit::new("address", 30, 60).expect("a limit").take(&Who::User(1), &ledger).expect("full");
        Limit::new("account", 10, 900).expect("a limit").take(&Who::User(1), &ledger).expect("full");
        assert_eq!(headers(&ledger).0, "\"address\";q=30;w=60, \"account\";q=10;w=900");
        assert_eq!(headers(&ledger).1, "\"address\";r=29;t=2, \"account\";r=9;t=90");
    }

    #[test]
    fn made_up_names_take_no_memory_and_free_nobody() {
        let limit = Limit::new("logins", 10, 900).expect("a limit");
        let (ann, ledger) = (Who::Email("ann@example.com".into()), Ledger::default());
        while limit.take(&ann, &ledger).is_ok() {}
        for number in 0..5 * REMEMBERED as i64 {
            let _ = limit.take(&Who::User(number), &Ledger::default());
            assert!(limit.buckets.lock().len() <= REMEMBERED);
        }
        assert!(limit.take(&ann, &ledger).is_err());
    }
}
