//! Tasks of one process: what each server does itself with what only its memory holds. There is no row, for nobody else
//! could take it over; so they run with `--no-tasks`, too, and once more at the stop.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;

use super::Fault;
use crate::app::App;
use crate::app::metrics::Outcome;

/// A task that this build runs in each server.
#[derive(Clone, Copy)]
pub struct Local {
    /// In the log and the metrics.
    pub name: &'static str,
    /// Resolves when there is something to do.
    pub due: fn(&App) -> BoxFuture<'_, ()>,
    /// Does it. What fails must be kept for the next time.
    pub run: fn(&App) -> BoxFuture<'_, Result<(), Fault>>,
}

/// Runs each whenever it is due, until `stop` turns true; then once more.
pub async fn work(app: App, tasks: &'static [Local], stop: watch::Receiver<bool>) {
    join_all(tasks.iter().map(|task| keep_running(&app, task, stop.clone()))).await;
}

async fn keep_running(app: &App, task: &Local, mut stop: watch::Receiver<bool>) {
    app.metrics.expect(task.name);
    let mut stopping = false;
    while !stopping {
        stopping = tokio::select! {
            () = (task.due)(app) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        let began = Instant::now();
        // a fault of one task must not take the others with it
        let end = AssertUnwindSafe((task.run)(app)).catch_unwind().await;
        let end = end.unwrap_or_else(|_| Err(Fault::Again("it panicked; the log says where".into())));
        let took = began.elapsed();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let outcome = if end.is_ok() { Outcome::Done } else { Outcome::Failed };
        app.metrics.ran(task.name, outcome, took);
        match end {
            Ok(()) => tracing::info!(task = task.name, millis, "task done"),
            Err(error) if stopping => {
                tracing::error!(task = task.name, millis, %error, "task failed for good: the process stops");
            }
            Err(error) => tracing::warn!(task = task.name, millis, %error, "task failed"),
        }
    }
}
