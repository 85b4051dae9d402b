//! Writes the counted views: every few seconds, when there are many, before they are read, and at the end.

use std::time::Duration;

use super::store::{self, Count};
use crate::app::App;
use crate::db::DbResult;

/// Writes what is counted: when this answers, the database has every view counted before the call.
///
/// # Errors
/// 503 when the database is away. What was not written stays counted.
pub async fn write(app: &App) -> DbResult<()> {
    let Some(batch) = app.views.take().await else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    store::add(&mut tx, Count::Views, batch.posts(), app.now()).await?;
    tx.commit().await?;
    batch.written();
    Ok(())
}

/// Goes on writing until the process ends.
pub async fn keep_writing(app: App) {
    let pause = Duration::from_secs(app.config.view_interval);
    loop {
        let pause_is_over = async {
            if pause.is_zero() {
                return std::future::pending().await;
            }
            tokio::time::sleep(pause).await;
        };
        tokio::select! {
            () = pause_is_over => {}
            () = app.views.many() => {}
        }
        if let Err(error) = write(&app).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "cannot write the counted views; they are kept for the next try");
        }
    }
}

/// The last writing, when no request comes any more.
pub async fn finish(app: &App) {
    if let Err(error) = write(app).await {
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::error!(error, "the views counted last are lost");
    }
}
