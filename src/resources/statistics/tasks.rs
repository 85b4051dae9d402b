//! The task that writes the counted views: every few seconds, when there are many, and at the end.

use std::time::Duration;

use accord_foundation::prelude::*;
use accord_foundation::tasks::local::Local;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::VIEW_INTERVAL;
use super::store::{self, Count};
use super::views::Views;

/// Each process writes what it has counted itself.
pub const FLUSH_STATISTICS: Local = Local { name: "flush-statistics", due, run };

fn run(app: &App) -> BoxFuture<'_, Result<(), Fault>> {
    async { Ok(flush(app).await?) }.boxed()
}

/// Not while nothing is counted: that costs no statement.
fn due(app: &App) -> BoxFuture<'_, ()> {
    let pause = Duration::from_secs(app.config.number(&VIEW_INTERVAL));
    async move {
        loop {
            let pause_is_over = async {
                if pause.is_zero() {
                    return std::future::pending().await;
                }
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = pause_is_over => {}
                () = app.state::<Views>().many() => {}
            }
            if !app.state::<Views>().is_empty() {
                return;
            }
        }
    }
    .boxed()
}

/// Writes what is counted: when this answers, the database has every view counted before the call.
///
/// # Errors
/// 503 when the database is away. What was not written stays counted.
pub async fn flush(app: &App) -> DbResult<()> {
    let Some(batch) = app.state::<Views>().take().await else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    store::add(&mut tx, Count::Views, batch.posts(), app.now()).await?;
    tx.commit().await?;
    batch.written();
    Ok(())
}
