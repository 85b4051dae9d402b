//! The values that a handler may use: settings, database, keys, password workers, metrics, clock, and the state of resources.

pub mod limit;
pub mod logs;
pub mod metrics;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, SubsecRound, Utc};

use self::limit::{A_QUARTER, Limit};
use self::metrics::Metrics;
use crate::auth::code::Codes;
use crate::auth::oidc::Oidc;
use crate::auth::password::Passwords;
use crate::auth::seal::Seals;
use crate::auth::token::Tokens;
use crate::config::Config;
use crate::db::Db;
use crate::declared::List;
use crate::mail::transport::Mailer;

/// Adds what the handlers of a resource share in the memory of a process.
pub type AddState = fn(&mut State);

static STATE: List<AddState> = List::new();

/// Completes the list of what resources add to the state.
pub(crate) fn complete(state: Vec<AddState>) {
    STATE.complete(state);
}

/// Values of resources, one of a type. Cheap to clone.
#[derive(Clone, Default)]
pub struct State(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl State {
    fn new() -> Self {
        let mut state = Self::default();
        STATE.get().iter().for_each(|add| add(&mut state));
        state
    }

    /// Adds the value of a type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }
}

/// Shared by all requests. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The checked settings.
    pub config: Arc<Config>,
    /// The pools.
    pub db: Db,
    /// Issues and verifies access tokens.
    pub tokens: Arc<Tokens>,
    /// Verifies the tokens of the identity provider, if there is one.
    pub oidc: Option<Arc<Oidc>>,
    /// Creates the codes of e-mails.
    pub codes: Codes,
    /// Encrypts secrets that the database holds.
    pub seals: Seals,
    /// Hashes and verifies passwords, a bounded number at once.
    pub passwords: Passwords,
    /// Counts wrong passwords of callers that have a token; `None` without `login_failures`.
    pub password_checks: Option<Arc<Limit>>,
    /// Sends mail.
    pub mailer: Mailer,
    state: State,
    /// What operators measure.
    pub metrics: Arc<Metrics>,
    stopping: Arc<AtomicBool>,
}

impl App {
    /// Puts the parts together.
    pub fn new(config: Arc<Config>, db: Db, secret: &str, mailer: Mailer) -> Self {
        let tokens = Arc::new(Tokens::new(secret, &config.tokens.more_secret_keys(), config.tokens.token_ttl));
        let passwords = Passwords::of(&config);
        let codes = Codes::new(secret, &config.tokens.more_secret_keys());
        let seals = Seals::new(secret, &config.tokens.more_secret_keys());
        let metrics = Arc::new(Metrics::new(now()));
        let oidc = Oidc::of(&config).map(Arc::new);
        let password_checks = Limit::new("password-checks", config.limits.login_failures, A_QUARTER).map(Arc::new);
        Self {
            config,
            db,
            tokens,
            oidc,
            codes,
            seals,
            passwords,
            password_checks,
            mailer,
            state: State::new(),
            metrics,
            stopping: Arc::default(),
        }
    }

    /// The state of this type, which a resource has added.
    ///
    /// # Panics
    /// No resource of the application adds it.
    pub fn state<T: Send + Sync + 'static>(&self) -> &T {
        let value = self.state.0.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        value.expect("its resource is part of the application")
    }

    /// Marks the process as stopping: it is not ready any more, and its responses close their connections.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Returns whether the process is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Returns an `App` for work outside of requests: it waits for the database where a request would be refused.
    pub fn in_background(&self) -> Self {
        Self { db: self.db.in_background(), ..self.clone() }
    }

    /// Returns an `App` for a request that changes something.
    pub fn for_changes(&self) -> Self {
        Self { db: self.db.for_changes(), ..self.clone() }
    }

    /// The time, in microseconds: what both databases give back unchanged.
    pub fn now(&self) -> DateTime<Utc> {
        now()
    }
}

/// The time as [`App::now`] gives it, for what runs without an [`App`].
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
