//! The worker: takes what is due, runs some at once, renews their leases, and at the stop lets them finish.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::store::{self, Next, Queue, Taken};
use super::{Fault, Kind, Pool, pause};
use crate::app::App;
use crate::app::metrics::Outcome;
use crate::db::DbResult;
use crate::declared;

/// How often a worker looks for what is due.
const LOOK: Duration = Duration::from_secs(1);

/// Renewals in the time of a lease: a database that is away for a while must not cost it.
const RENEWALS: u32 = 4;

/// Characters of a fault that are kept.
const ERROR_LENGTH: usize = 1000;

/// Runs the jobs of each pool until `stop` turns true and the running ones have ended or, after the grace time, are back
/// in the queue. Returns at once if the settings give this process no workers.
pub async fn work(app: App, kinds: &'static [Kind], stop: watch::Receiver<bool>) {
    join_all(Pool::ALL.map(|pool| work_pool(app.clone(), pool, kinds, stop.clone()))).await;
}

async fn work_pool(app: App, pool: Pool, kinds: &'static [Kind], mut stop: watch::Receiver<bool>) {
    let workers = pool.workers(&app.config);
    // releases before 0.4 enqueue every job without a pool, which is the general one
    let kinds: Vec<&'static Kind> = kinds.iter().filter(|kind| kind.pool == pool || pool == Pool::General).collect();
    let own: Vec<&Kind> = kinds.iter().copied().filter(|kind| kind.pool == pool).collect();
    if workers == 0 || own.is_empty() {
        return;
    }
    let name = format!("{:016x}", rand::random::<u64>());
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let queue = Queue { pool, names: &names };
    own.iter().for_each(|kind| app.metrics.expect(kind.name));
    let mut planned = false;
    let mut database = Database::of("jobs");
    let mut running = JoinSet::new();
    // the results that are not in the database yet
    let mut ended: Vec<Ended> = vec![];
    let cut = watch::Sender::new(false);
    while !*stop.borrow() {
        planned = planned || database.answered(plan(&app, &own).await).is_some();
        let free = workers.saturating_sub(running.len());
        if planned
            && free > 0
            && let Some(taken) = database.answered(settle_and_claim(&app, &ended, &name, queue, free).await)
        {
            ended.clear();
            for task in taken {
                let kind = kinds.iter().find(|kind| kind.name == task.name).expect("only these are asked for");
                running.spawn(run(app.clone(), kind, task, cut.subscribe()));
            }
        }
        let full = running.len() >= workers;
        tokio::select! {
            _ = stop.changed() => break,
            // leaves a free place
            Some(end) = running.join_next() => ended.extend(end.ok().flatten()),
            () = tokio::time::sleep(LOOK), if !full => {}
            () = pool.due().notified(), if !full => {}
        }
        while let Some(end) = running.try_join_next() {
            ended.extend(end.ok().flatten());
        }
    }
    let grace = Duration::from_secs(app.config.server.grace);
    let mut finished = async || {
        while let Some(end) = running.join_next().await {
            ended.extend(end.ok().flatten());
        }
    };
    if tokio::time::timeout(grace, finished()).await.is_err() {
        let _ = cut.send(true);
        finished().await;
    }
    // if this fails, the leases end and the jobs run again: they run at least once
    database.answered(settle_and_claim(&app, &ended, &name, queue, 0).await);
}

async fn plan(app: &App, kinds: &[&Kind]) -> DbResult<()> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    for kind in kinds {
        match kind.interval(&app.config) {
            Some(every) => store::plan(&mut tx, kind.name, kind.pool, after(now, every), now).await?,
            None => store::unplan(&mut tx, kind.name).await?,
        }
    }
    tx.commit().await
}

/// The result of a run: the job, and its next state if it is kept.
struct Ended {
    task: Taken,
    next: Option<Next>,
}

/// Records the results of runs and claims up to `free` jobs, in one transaction.
async fn settle_and_claim(
    app: &App,
    ended: &[Ended],
    worker: &str,
    queue: Queue<'_>,
    free: usize,
) -> DbResult<Vec<Taken>> {
    // takes no lock while there is nothing to write
    if ended.is_empty() && (free == 0 || !store::is_due(&mut app.db.read().await?, queue, app.now()).await?) {
        return Ok(vec![]);
    }
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let done: Vec<&Taken> = ended.iter().filter(|end| end.next.is_none()).map(|end| &end.task).collect();
    store::remove(&mut tx, &done).await?;
    for Ended { task, next } in ended {
        if let Some(next) = next {
            store::release(&mut tx, task, next, now).await?;
        }
    }
    let taken = match free {
        0 => vec![],
        free => store::claim(&mut tx, worker, queue, free as u64, after(now, lease(app)), now).await?,
    };
    tx.commit().await?;
    Ok(taken)
}

/// How a run has ended.
enum End {
    Done,
    Fault(Fault),
    /// The process stops.
    Cut,
    /// It is not ours any more.
    Lost,
}

/// Runs one job, and logs and counts its result. Returns `None` if the job belongs to another worker by now.
async fn run(app: App, kind: &'static Kind, task: Taken, mut cut: watch::Receiver<bool>) -> Option<Ended> {
    let began = Instant::now();
    let end = tokio::select! {
        end = outcome(&app, kind, &task) => end,
        () = lost(lease(&app), || renew(&app, &task)) => End::Lost,
        _ = cut.wait_for(|cut| *cut) => End::Cut,
    };
    let took = began.elapsed();
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (id, task_name, attempt) = (task.id, kind.name, task.attempts);
    let interval = kind.interval(&app.config).filter(|_| task.runs_by_itself());
    let now = app.now();
    let next = match &end {
        End::Done => interval.map(|every| Next::Anew(after(now, every))),
        End::Lost => None,
        End::Cut => Some(Next::Back(now)),
        End::Fault(fault) => {
            let again = matches!(fault, Fault::Again(_)) && attempt < kind.attempts;
            let text = match fault {
                Fault::Again(text) | Fault::Never(text) => text.clone(),
            };
            let pause = pause(Duration::from_secs(app.config.tasks.task_retry), attempt);
            match (again, interval) {
                // a recurring job runs again anyway, and is never parked
                (_, Some(every)) => Some(Next::Again(after(now, pause.min(every)), text)),
                (true, None) => Some(Next::Again(after(now, pause), text)),
                (false, None) => Some(Next::Failed(text)),
            }
        }
    };
    let outcome = match (&end, &next) {
        (End::Done, _) => Outcome::Done,
        (End::Fault(_), Some(Next::Failed(_))) => Outcome::Parked,
        (End::Fault(_), _) => Outcome::Failed,
        (End::Cut, _) => Outcome::PutBack,
        (End::Lost, _) => Outcome::Lost,
    };
    app.metrics.ran(kind.name, outcome, took);
    match &end {
        End::Lost => {
            tracing::warn!(id, task = task_name, attempt, millis, "task was cancelled or taken over");
            return None;
        }
        End::Fault(fault) if matches!(next, Some(Next::Failed(_))) => {
            tracing::error!(id, task = task_name, attempt, millis, error = %fault, "task failed for good; {} task retry {id} runs it again", declared::name());
        }
        End::Fault(fault) => tracing::warn!(id, task = task_name, attempt, millis, error = %fault, "task failed"),
        End::Cut => tracing::info!(id, task = task_name, attempt, millis, "task was put back"),
        End::Done => tracing::info!(id, task = task_name, attempt, millis, "task done"),
    }
    Some(Ended { task, next })
}

async fn outcome(app: &App, kind: &Kind, task: &Taken) -> End {
    let payload = serde_json::from_str(&task.payload).unwrap_or_default();
    // a fault of one task must not take the worker with it
    match AssertUnwindSafe((kind.run)(app.clone(), payload)).catch_unwind().await {
        Ok(Ok(())) => End::Done,
        Ok(Err(Fault::Again(text))) => End::Fault(Fault::Again(text.chars().take(ERROR_LENGTH).collect())),
        Ok(Err(Fault::Never(text))) => End::Fault(Fault::Never(text.chars().take(ERROR_LENGTH).collect())),
        Err(_) => End::Fault(Fault::Again("it panicked; the log says where".into())),
    }
}

/// Renews the lease of a job.
async fn renew(app: &App, task: &Taken) -> DbResult<bool> {
    let mut tx = app.db.begin().await?;
    let held = store::renew(&mut tx, task, after(app.now(), lease(app))).await?;
    tx.commit().await?;
    Ok(held)
}

/// Renews a lease of this length again and again, with a function that returns whether the lease was still held. Resolves
/// when it is lost: it was taken away, or it ended while the database was away. From then on another worker may have it.
pub async fn lost<F: Future<Output = DbResult<bool>>>(lease: Duration, renew: impl Fn() -> F) {
    let mut held_until = Instant::now() + lease;
    loop {
        tokio::time::sleep(lease / RENEWALS).await;
        let asked = Instant::now();
        // a database that does not respond must not delay the end of the lease
        match tokio::time::timeout_at((held_until - lease / RENEWALS).into(), renew()).await {
            Ok(Ok(true)) => held_until = asked + lease,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(_)) => {}
        }
    }
}

/// The length of a lease: the time that a job or a webhook waits for another process when its own has died.
pub fn lease(app: &App) -> Duration {
    Duration::from_secs(app.config.tasks.task_lease)
}

/// The time after a pause.
pub fn after(now: DateTime<Utc>, pause: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX)
}

/// Tracks whether the database responds, so that background work, which asks each second, logs only changes.
pub struct Database {
    work: &'static str,
    is_away: bool,
}

impl Database {
    /// For background work of this name, which is a plural noun.
    pub fn of(work: &'static str) -> Self {
        Self { work, is_away: false }
    }

    /// The result, if the database responded.
    pub fn answered<T>(&mut self, result: DbResult<T>) -> Option<T> {
        match result {
            Ok(answer) => {
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("{} run again", self.work);
                }
                Some(answer)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, "no {} run until the database responds", self.work);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, LazyLock, Mutex};

    use serde::{Deserialize, Serialize};
    use tempfile::TempDir;

    use super::super::Task;
    use super::super::store::Seen;
    use super::*;
    use crate::config::Config;
    use crate::db::Db;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::Hooks;
    use crate::mail::transport::Mailer;

    /// How often each task of a test has run, by a word of its own.
    static RUNS: LazyLock<Mutex<BTreeMap<String, usize>>> = LazyLock::new(Mutex::default);

    fn runs(word: &str) -> usize {
        RUNS.lock().expect("no test panics with it").get(word).copied().unwrap_or_default()
    }

    macro_rules! task {
        ($task:ident, $name:literal, |$word:ident| $run:expr) => {
            #[derive(Serialize, Deserialize)]
            struct $task {
                word: String,
            }

            impl Task for $task {
                const NAME: &'static str = $name;
                const ATTEMPTS: i64 = 2;

                async fn run(self, _: &App) -> Result<(), Fault> {
                    *RUNS.lock().expect("no test panics with it").entry(self.word.clone()).or_default() += 1;
                    let $word = self.word;
                    $run
                }
            }
        };
    }
    task!(Counts, "counts", |_word| Ok(()));
    task!(Fails, "fails", |word| Err(Fault::Again(format!("{word} is not there"))));
    task!(Refuses, "refuses", |_word| Err(Fault::Never("it cannot be".into())));
    task!(Panics, "panics", |word| panic!("{word}"));
    task!(Sleeps, "sleeps", |_word| {
        tokio::time::sleep(Duration::from_secs(600)).await;
        Ok(())
    });

    const KINDS: &[Kind] =
        &[Kind::of::<Counts>(), Kind::of::<Fails>(), Kind::of::<Refuses>(), Kind::of::<Panics>(), Kind::of::<Sleeps>()];

    async fn app(folder: &TempDir) -> App {
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&url, Direction::Up, Target::Head).await.expect("migrates");
        let mut config = Config::load(None).expect("the defaults");
        (config.database.database_url, config.server.grace) = (url, 0);
        let db = Db::connect(&config.database.connection(), Hooks::default()).await.expect("connects");
        let mailer = Mailer::of(&config).expect("the defaults");
        App::new(Arc::new(config), db, "a secret of thirty-two characters", mailer)
    }

    async fn ask<T: Task>(app: &App, task: T) -> i64 {
        let mut tx = app.db.begin().await.expect("a transaction");
        let id = store::enqueue(&mut tx, &task, app.now(), app.now()).await.expect("enqueues");
        tx.commit().await.expect("commits");
        id
    }

    fn queue<'a>(names: &'a [&'a str]) -> Queue<'a> {
        Queue { pool: Pool::General, names }
    }

    async fn tasks(app: &App) -> Vec<Seen> {
        store::list(&mut app.db.read().await.expect("reads"), false, None, 5000).await.expect("reads")
    }

    /// Some workers until it is as it should be.
    async fn work_until(app: &App, workers: usize, mut is: impl AsyncFnMut(&App) -> bool) {
        let stop = watch::Sender::new(false);
        let all: Vec<_> = (0..workers).map(|_| tokio::spawn(work(app.clone(), KINDS, stop.subscribe()))).collect();
        let wait = async {
            while !is(app).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes to that");
        let _ = stop.send(true);
        for worker in all {
            worker.await.expect("no worker panics");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_several_workers_one_runs_a_task_and_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(&folder).await;
        let words: Vec<String> = (0..40).map(|number| format!("once {number}")).collect();
        for word in &words {
            ask(&app, Counts { word: word.clone() }).await;
        }
        work_until(&app, 3, async |app| tasks(app).await.is_empty()).await;
        assert!(words.iter().all(|word| runs(word) == 1));
    }

    #[tokio::test]
    async fn what_fails_is_tried_again_and_then_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(&folder).await;
        let fails = ask(&app, Fails { word: "the mail server".into() }).await;
        let refuses = ask(&app, Refuses { word: "never".into() }).await;
        let panics = ask(&app, Panics { word: "a panic".into() }).await;
        let find = |tasks: &[Seen], id: i64| {
            let task = tasks.iter().find(|task| task.id == id).expect("it is there");
            (task.state.clone(), task.attempts, task.error.clone().unwrap_or_default())
        };
        work_until(&app, 1, async |app| tasks(app).await.iter().all(|task| task.error.is_some())).await;
        let seen = tasks(&app).await;
        assert_eq!(find(&seen, fails), ("queued".into(), 1, "the mail server is not there".into()));
        assert_eq!(find(&seen, refuses), ("failed".into(), 1, "it cannot be".into()));
        assert_eq!(find(&seen, panics), ("queued".into(), 1, "it panicked; the log says where".into()));
        assert!(seen.iter().any(|task| task.id == fails && task.run_at > app.now()), "after a pause");

        // as if the pause were over
        let mut tx = app.db.begin().await.expect("a transaction");
        let now = app.now();
        assert!(store::retry(&mut tx, refuses, now).await.expect("writes"));
        let due = after(now, Duration::from_secs(60));
        let again = store::claim(&mut tx, "other", queue(&["fails"]), 1, due, due).await.expect("takes");
        store::release(&mut tx, &again[0], &Next::Back(now), now).await.expect("writes");
        tx.commit().await.expect("commits");
        work_until(&app, 1, async |app| find(&tasks(app).await, fails).0 == "failed").await;
        assert_eq!(find(&tasks(&app).await, fails), ("failed".into(), 2, "the mail server is not there".into()));
        assert_eq!((runs("the mail server"), runs("never")), (2, 2));
    }

    #[tokio::test]
    async fn what_a_dead_worker_has_left_is_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(&folder).await;
        let id = ask(&app, Counts { word: "left".into() }).await;
        let mut tx = app.db.begin().await.expect("a transaction");
        let now = app.now();
        let dead =
            store::claim(&mut tx, "dead", queue(&["counts"]), 1, after(now, lease(&app)), now).await.expect("takes");
        assert_eq!(dead.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
        assert!(!store::is_due(&mut tx, queue(&["counts"]), now).await.expect("reads"), "nobody else has it meanwhile");
        assert!(store::is_due(&mut tx, queue(&["counts"]), after(now, lease(&app))).await.expect("reads"));
        assert!(store::renew(&mut tx, &dead[0], now).await.expect("writes"), "its lease ends now");
        tx.commit().await.expect("commits");
        work_until(&app, 1, async |app| tasks(app).await.is_empty()).await;
        assert_eq!(runs("left"), 1);
        let mut tx = app.db.begin().await.expect("a transaction");
        assert!(
            !store::renew(&mut tx, &dead[0], after(now, lease(&app))).await.expect("writes"),
            "the dead has lost it"
        );
    }

    #[tokio::test]
    async fn at_the_stop_what_does_not_end_is_put_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(&folder).await;
        ask(&app, Sleeps { word: "long".into() }).await;
        work_until(&app, 1, async |_| runs("long") == 1).await;
        let seen = tasks(&app).await;
        assert_eq!((seen[0].state.as_str(), seen[0].attempts, &seen[0].worker), ("queued", 0, &None));
    }

    #[tokio::test]
    async fn what_this_build_does_not_know_waits_for_one_that_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(&folder).await;
        let mut tx = app.db.begin().await.expect("a transaction");
        let now = app.now();
        store::insert(&mut tx, "from-tomorrow", Pool::General, &serde_json::json!({}), now, now).await.expect("writes");
        tx.commit().await.expect("commits");
        ask(&app, Counts { word: "today".into() }).await;
        work_until(&app, 1, async |_| runs("today") == 1).await;
        assert!(tasks(&app).await.iter().any(|task| task.name == "from-tomorrow" && task.state == "queued"));
    }
}
