//! `/metrics`, as Prometheus reads it: what was counted, and what pools, tasks and password workers do at this moment.
//! With `metrics_token` it is for who sends that; without, it is open on a loopback address, and
//! answers 404 in production and where other machines can reach the server.

use std::collections::BTreeMap;

use poem::http::header;
use poem::{Request, Response};
use prometheus::TextEncoder;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::app::logs;
use crate::app::metrics::Moment;
use crate::db::{Db, DbResult};
use crate::error::{Code, Error};
use crate::server::document;
use crate::tasks;
use crate::tasks::store::{self, STATES, Waiting};

/// Text format 0.0.4.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer, for who may read it.
pub async fn page(request: &Request, app: &App) -> Result<Response, Error> {
    admit(request, app)?;
    let mut families = app.metrics.gather();
    families.append(&mut moment(app).await.gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let text = TextEncoder::new().encode_to_string(&families).map_err(Error::internal)?;
    Ok(Response::builder().content_type(MEDIA_TYPE).header(header::CACHE_CONTROL, "no-store").body(text))
}

fn admit(request: &Request, app: &App) -> Result<(), Error> {
    let token = app.config.server.metrics_token.as_bytes();
    if token.is_empty() {
        return match app.config.is_exposed() {
            true => Err(Error::new(Code::ROUTE_NOT_FOUND, app.config.paths_hint())),
            false => Ok(()),
        };
    }
    let sent = request.header(header::AUTHORIZATION).unwrap_or_default();
    let sent = sent.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match sent {
        Some((_, sent)) if bool::from(sent.as_bytes().ct_eq(token)) => Ok(()),
        _ => Err(Error::new(Code::UNAUTHENTICATED, "Send `Authorization: Bearer` and the server's `metrics_token`.")),
    }
}

async fn moment(app: &App) -> Moment {
    let moment = Moment::default();
    let document::About { version, commit, .. } = *document::about();
    moment.gauges(
        "build_info",
        "Always 1: which build this is",
        ["version", "commit"],
        [([version.to_owned(), commit.to_owned()], 1)],
    );
    moment.counter(
        "log_lines_dropped_total",
        "Log lines that were dropped because the reader of the log was too slow or gone",
        logs::dropped(),
    );
    moment.gauges("database_connections", "Connections by what they do", ["pool", "state"], connections(&app.db));
    let queues = app.db.queues().into_iter().map(|(name, waiting)| ([name.to_owned()], waiting.into()));
    moment.gauges("database_queue", "Requests that wait for a connection", ["pool"], queues);
    moment.gauges("password_workers", "Password workers by what they do", ["state"], {
        let idle = app.passwords.idle();
        [("idle", idle), ("busy", app.config.passwords.password_workers.saturating_sub(idle))]
            .map(|(state, number)| ([state.to_owned()], number.into()))
    });
    // what is counted is told also while the database is away
    let waiting = waiting(app).await.inspect_err(|error| tracing::warn!(%error, "cannot count the tasks"));
    moment.gauges("database_up", "Whether the database answers", [], [([], i64::from(waiting.is_ok()))]);
    let Ok(waiting) = waiting else { return moment };
    let mut numbers: BTreeMap<[String; 2], i64> =
        tasks::kinds().iter().flat_map(|kind| STATES.map(|state| ([kind.name.into(), state.into()], 0))).collect();
    let mut late: BTreeMap<[String; 1], i64> = tasks::kinds().iter().map(|kind| ([kind.name.into()], 0)).collect();
    for task in waiting {
        if let Some(since) = task.due_since() {
            late.insert([task.name.clone()], (app.now() - since).num_seconds().max(0));
        }
        numbers.insert([task.name, task.state], task.number);
    }
    moment.gauges("tasks", "Tasks in the database, of all processes", ["task", "state"], numbers);
    let help = "How long the task that is due longest has been waiting for a worker";
    moment.gauges("task_lateness_seconds", help, ["task"], late);
    moment
}

async fn waiting(app: &App) -> DbResult<Vec<Waiting>> {
    store::waiting(&mut app.db.in_background().read().await?).await
}

fn connections(db: &Db) -> impl Iterator<Item = ([String; 2], i64)> {
    db.connections().into_iter().flat_map(|(name, size, idle)| {
        let (size, idle) = (i64::from(size), i64::try_from(idle).unwrap_or(i64::MAX));
        [("idle", idle), ("busy", (size - idle).max(0))].map(|(state, number)| ([name.into(), state.into()], number))
    })
}
