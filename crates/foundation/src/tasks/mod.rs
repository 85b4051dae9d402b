//! Tasks: what is done later, outside of any request, at least once, by one worker at a time.
//!
//! A task is a row written in the transaction of the change that wants it, so neither is there without the other. A
//! worker takes it for a while (the lease) and renews that; if its process dies, another takes it over. What fails is
//! tried again, later and later; what has failed too often stays for a person to look at: `task list --failed`.
//!
//! Must never be: a task that is lost, one that runs twice at once, one that is tried without end.

pub mod local;
pub mod mail;
pub mod mail_limit;
pub mod store;
pub mod tables;
pub mod worker;

use std::time::Duration;

use futures_util::future::{BoxFuture, join, join_all};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use self::local::Local;
use self::mail::SendMail;
use self::mail_limit::PurgeMailLimits;
use crate::app::App;
use crate::config::Config;
use crate::db::DbError;
use crate::db::signals::Refused;
use crate::declared::List;
use crate::error::Error;

/// Work beside the jobs, until the second argument turns true.
pub type Service = fn(App, watch::Receiver<bool>) -> BoxFuture<'static, ()>;

static KINDS: List<Kind> = List::new();
static LOCAL: List<Local> = List::new();
static SERVICES: List<Service> = List::new();

/// Completes the lists of jobs and services: those of the foundation, then those of the resources.
pub(crate) fn complete(kinds: Vec<Kind>, local: Vec<Local>, services: Vec<Service>) {
    let purge = |config: &Config| Duration::from_secs(config.tasks.purge_interval);
    let own = [Kind::of::<SendMail>(), Kind::every::<PurgeMailLimits>(purge)];
    let (recurring, queued): (Vec<_>, Vec<_>) = own.into_iter().chain(kinds).partition(|kind| kind.every.is_some());
    KINDS.complete(queued.into_iter().chain(recurring).collect());
    LOCAL.complete(local);
    SERVICES.complete(services);
}

/// Every job that can be enqueued, and runs.
pub fn kinds() -> &'static [Kind] {
    KINDS.get()
}

/// The jobs that each server runs itself, with what only its memory holds.
pub fn local_jobs() -> &'static [Local] {
    LOCAL.get()
}

/// Runs the jobs and the services of resources until `stop` turns true.
pub async fn work(app: App, stop: watch::Receiver<bool>) {
    let services = SERVICES.get().iter().map(|service| service(app.clone(), stop.clone()));
    join(worker::work(app.clone(), kinds(), stop.clone()), join_all(services)).await;
}

/// Something to be done later; its fields are kept as JSON until then.
///
/// It may run again though it has ended: a process may die before it can say so.
pub trait Task: Serialize + DeserializeOwned + Send + 'static {
    /// On the command line and in the database; a released name is never given another meaning.
    const NAME: &'static str;

    /// The workers that run it.
    const POOL: Pool = Pool::General;

    /// How often it is tried before it stays failed. With pauses of 5 s, 10 s and so on ten tries take about an hour.
    const ATTEMPTS: i64 = 10;

    /// Does it.
    fn run(self, app: &App) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// A group of workers: jobs of one pool never wait for a worker that a job of another pool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// `task_workers` of them.
    General,
    /// `mail_workers` of them: e-mails that somebody waits for.
    Mail,
}

impl Pool {
    /// Every pool.
    pub const ALL: [Self; 2] = [Self::General, Self::Mail];

    /// The pool's name in the database; a released name never changes its meaning.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Mail => "mail",
        }
    }

    /// The number of jobs that the pool runs at once; none if this process runs no jobs.
    pub fn workers(self, config: &Config) -> usize {
        match self {
            Self::General => config.tasks.task_workers,
            Self::Mail if config.tasks.task_workers == 0 => 0,
            Self::Mail => config.tasks.mail_workers,
        }
    }

    /// Notified when a job that this process has enqueued is due, so that the pool need not wait until it polls.
    fn due(self) -> &'static Notify {
        static DUE: [Notify; Pool::ALL.len()] = [const { Notify::const_new() }; Pool::ALL.len()];
        &DUE[self as usize]
    }
}

/// Why a task has not ended well.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It may go well later.
    #[error("{0}")]
    Again(String),
    /// It never will.
    #[error("{0}")]
    Never(String),
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Again(error.to_string())
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Again(refused.to_string())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Again(error.to_string())
    }
}

/// A task that this build knows: what a worker needs to run one by its name.
#[derive(Clone, Copy)]
pub struct Kind {
    /// [`Task::NAME`]
    pub name: &'static str,
    /// [`Task::ATTEMPTS`]
    pub attempts: i64,
    /// [`Task::POOL`]
    pub pool: Pool,
    /// How often it runs by itself; zero is never.
    every: Option<fn(&Config) -> Duration>,
    run: fn(App, Value) -> BoxFuture<'static, Result<(), Fault>>,
    reads: fn(&Value) -> Result<(), String>,
}

impl Kind {
    /// One that runs when somebody asks for it.
    pub const fn of<T: Task>() -> Self {
        Self { name: T::NAME, attempts: T::ATTEMPTS, pool: T::POOL, every: None, run: run::<T>, reads: reads::<T> }
    }

    /// One that also runs by itself, every so often, on one instance of all.
    pub const fn every<T: Task>(every: fn(&Config) -> Duration) -> Self {
        Self { every: Some(every), ..Self::of::<T>() }
    }

    /// How often it runs by itself, if it does.
    pub fn interval(&self, config: &Config) -> Option<Duration> {
        self.every.map(|every| every(config)).filter(|every| !every.is_zero())
    }

    /// What is wrong with a payload.
    ///
    /// # Errors
    /// It is not what the task takes.
    pub fn check(&self, payload: &Value) -> Result<(), String> {
        (self.reads)(payload)
    }
}

fn run<T: Task>(app: App, payload: Value) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let task: T = serde_json::from_value(payload)
            .map_err(|error| Fault::Never(format!("the payload is not what {} takes: {error}", T::NAME)))?;
        task.run(&app).await
    })
}

fn reads<T: Task>(payload: &Value) -> Result<(), String> {
    T::deserialize(payload).map(drop).map_err(|error| error.to_string())
}

/// The longest pause before a task is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How long to wait after so many tries: `first`, then twice as long each time, and by chance up to half of it less, so that what
/// failed together does not come back together.
pub fn pause(first: Duration, attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 20)).unwrap_or_default();
    let full = first.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    full.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_send_e_mails_have_workers_of_their_own() {
        let of_mail: Vec<_> = kinds().iter().filter(|kind| kind.pool == Pool::Mail).map(|kind| kind.name).collect();
        assert_eq!(of_mail, ["send-mail", "send-code"]);
    }

    #[test]
    fn pauses_grow_and_end_growing() {
        for (attempts, full) in [(0, 5), (1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (i64::MAX, 3600)] {
            for _ in 0..20 {
                let pause = pause(Duration::from_secs(5), attempts).as_secs_f64();
                assert!((f64::from(full) / 2.0..=f64::from(full)).contains(&pause), "{attempts}: {pause}");
            }
        }
    }
}
