//! The dispatcher: sends the pending deliveries of each webhook.
//!
//! A dispatcher leases a webhook, not a delivery: while it holds the lease, no other process sends to that webhook, so
//! the order per object needs no lock. Each webhook is served by itself, with a bounded number of requests at once, so a
//! slow receiver delays only its own deliveries. Deliveries are read and their results recorded many at a time: the cost
//! of a delivery does not depend on how many are pending.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::model::{DeliveryStatus, DisabledReason, StoredWebhook};
use super::rules;
use super::sender::{self, Refusal, Sent};
use super::store::{self, AttemptResult, Lease, Outgoing};
use super::{PRIVATE, RETRY_FOR, TIMEOUT};
use crate::app::App;
use crate::app::metrics::Outcome;
use crate::db::signals::Refused;
use crate::db::versioned;
use crate::db::{Conn, DbResult};
use crate::declared;
use crate::tasks::worker::{self, Database, after};

/// The name of deliveries in the metrics, and of the job that sent one before 0.4.
pub const NAME: &str = "deliver-webhook";

/// The interval at which a dispatcher looks for due deliveries.
const LOOK: Duration = Duration::from_secs(1);

/// Webhooks that a process serves at the same time.
const WEBHOOKS: usize = 256;

/// Deliveries of a webhook that are read at once.
const BATCH: u64 = 128;

/// Requests to one receiver at the same time.
const REQUESTS: usize = 32;

/// 410: the receiver says that it is gone, and does not want to be asked again.
const GONE: u16 = 410;

static DUE: Notify = Notify::const_new();

/// Makes the dispatcher of this process look for due deliveries once the transaction is committed.
pub fn wake(tx: &mut Conn) {
    tx.when_durable(|| DUE.notify_one());
}

/// Sends what is due until `stop` turns true and the requests in flight have ended, at most for the grace time. Returns
/// at once if the settings give this process no workers.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    if app.config.tasks.task_workers == 0 {
        return;
    }
    app.metrics.expect(NAME);
    let worker = format!("{:016x}", rand::random::<u64>());
    let mut database = Database::of("webhook deliveries");
    let mut served = HashSet::new();
    let mut serving = JoinSet::new();
    while !*stop.borrow() {
        let free = WEBHOOKS.saturating_sub(serving.len());
        let due = match free {
            0 => vec![],
            // those that are served here have a lease, and are not among them
            free => database.answered(due_webhooks(&app, free as u64).await).unwrap_or_default(),
        };
        for webhook_id in due.into_iter().filter(|id| served.insert(*id)).collect::<Vec<_>>() {
            let lease = Lease { webhook_id, worker: worker.clone() };
            let (app, stop) = (app.clone(), stop.clone());
            serving.spawn(async move {
                if let Err(error) = serve(&app, &lease, stop).await {
                    log_database_error(webhook_id, &error);
                    tokio::time::sleep(LOOK).await;
                    // ends by itself if the database is still away
                    let _ = release(&app, &lease).await;
                }
                webhook_id
            });
        }
        tokio::select! {
            _ = stop.changed() => break,
            Some(ended) = serving.join_next() => drop(ended.map(|id| served.remove(&id))),
            () = tokio::time::sleep(LOOK) => {}
            () = DUE.notified() => {}
        }
        while let Some(ended) = serving.try_join_next() {
            drop(ended.map(|id| served.remove(&id)));
        }
    }
    let finished = async { while serving.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(app.config.server.grace), finished).await.is_err() {
        serving.shutdown().await;
        // another process sends at once what was cut: deliveries are sent at least once
        for webhook_id in served {
            let _ = release(&app, &Lease { webhook_id, worker: worker.clone() }).await;
        }
    }
}

fn log_database_error(webhook: i64, error: &Refused) {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::warn!(webhook, error, "the deliveries of a webhook wait: the database failed");
}

async fn due_webhooks(app: &App, limit: u64) -> DbResult<Vec<i64>> {
    store::due_webhooks(&mut app.db.read().await?, limit, app.now()).await
}

/// Sends what is due to one webhook, if nobody else does.
async fn serve(app: &App, lease: &Lease, stop: watch::Receiver<bool>) -> Result<(), Refused> {
    let mut tx = app.db.begin().await?;
    let now = app.now();
    let taken = store::take_lease(&mut tx, lease, after(now, worker::lease(app)), now).await?;
    tx.commit().await?;
    if !taken {
        return Ok(());
    }
    let renew = || set_lease(app, lease, Some(after(app.now(), worker::lease(app))));
    tokio::select! {
        sent = send_all(app, lease.webhook_id, &stop) => sent?,
        () = worker::lost(worker::lease(app), renew) => {
            tracing::warn!(webhook = lease.webhook_id, "the lease of a webhook is lost");
            return Ok(());
        }
    }
    Ok(release(app, lease).await?)
}

async fn release(app: &App, lease: &Lease) -> DbResult<()> {
    set_lease(app, lease, None).await.map(drop)
}

async fn set_lease(app: &App, lease: &Lease, until: Option<DateTime<Utc>>) -> DbResult<bool> {
    let mut tx = app.db.begin().await?;
    let held = store::set_lease(&mut tx, lease, until, app.now()).await?;
    tx.commit().await?;
    Ok(held)
}

/// Sends what is due to a webhook, until nothing is, or the webhook is paused, disabled or deleted.
async fn send_all(app: &App, webhook_id: i64, stop: &watch::Receiver<bool>) -> Result<(), Refused> {
    while !*stop.borrow() {
        let now = app.now();
        let mut conn = app.db.read().await?;
        let Some(webhook) = versioned::find::<StoredWebhook>(&mut conn, webhook_id).await? else { return Ok(()) };
        let paused_until = store::paused_until(&mut conn, webhook_id).await?;
        if !webhook.enabled || paused_until.is_some_and(|until| now < until) {
            return Ok(());
        }
        // after a pause, one request shows whether the receiver responds again
        let limit = if paused_until.is_some() { 1 } else { BATCH };
        let due = store::due_deliveries(&mut conn, webhook_id, limit, now).await?;
        // nothing of the database is held while the receiver works
        drop(conn);
        if due.is_empty() {
            return Ok(());
        }
        let (sequences, blocked) = by_object(due);
        if !blocked.is_empty() {
            postpone_blocked(app, webhook_id, blocked).await?;
        }
        send_sequences(app, &webhook, sequences, stop).await?;
    }
    Ok(())
}

/// The deliveries of each object in their order, and of the objects whose first pending delivery is not due the id of
/// that delivery.
fn by_object(due: Vec<Outgoing>) -> (Vec<Vec<Outgoing>>, BTreeMap<String, i64>) {
    let ids: HashSet<i64> = due.iter().map(|outgoing| outgoing.id).collect();
    let mut sequences: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
    let mut blocked = BTreeMap::new();
    for outgoing in due {
        if ids.contains(&outgoing.first_of_object) {
            sequences.entry(outgoing.object.clone()).or_default().push(outgoing);
        } else {
            blocked.insert(outgoing.object, outgoing.first_of_object);
        }
    }
    let mut sequences: Vec<_> = sequences.into_values().collect();
    sequences.iter_mut().for_each(|sequence| sequence.sort_by_key(|outgoing| outgoing.id));
    sequences.sort_by_key(|sequence| sequence.first().map(|outgoing| outgoing.id));
    (sequences, blocked)
}

/// Postpones the deliveries of each object until its first one is due, so that they are not read again before.
async fn postpone_blocked(app: &App, webhook_id: i64, blocked: BTreeMap<String, i64>) -> DbResult<()> {
    let mut tx = app.db.begin().await?;
    for (object, first) in blocked {
        if let Some(until) = store::next_attempt(&mut tx, first).await? {
            store::postpone(&mut tx, webhook_id, &object, until).await?;
        }
    }
    tx.commit().await
}

/// One attempt to send a delivery.
struct Attempt {
    outgoing: Outgoing,
    at: DateTime<Utc>,
    took: Duration,
    result: Result<u16, Refusal>,
    /// Told when the result is in the database.
    recorded: oneshot::Sender<()>,
}

/// Sends deliveries, up to [`REQUESTS`] sequences at once. Each delivery of a sequence is sent after the result of the one
/// before is recorded, so that a process that dies repeats only one of them. Results are recorded while other requests
/// are in flight, as many in one transaction as have come in meanwhile.
async fn send_sequences(
    app: &App,
    webhook: &StoredWebhook,
    sequences: Vec<Vec<Outgoing>>,
    stop: &watch::Receiver<bool>,
) -> Result<(), Refused> {
    let (attempted, mut attempts) = mpsc::channel(BATCH as usize);
    let silent = watch::Sender::new(false);
    let silent = &silent;
    let send_one = move |sequence: Vec<Outgoing>| {
        let attempted = attempted.clone();
        async move {
            let mut sequence = sequence.into_iter().peekable();
            while let Some(outgoing) = sequence.next() {
                if *stop.borrow() || *silent.borrow() {
                    return;
                }
                let (at, began) = (app.now(), Instant::now());
                let result = send(app, webhook, &outgoing, at).await;
                if result.as_ref().is_err_and(|refusal| refusal.timed_out) {
                    silent.send_replace(true);
                }
                let is_last = result.is_err() || sequence.peek().is_none();
                let (recorded, is_recorded) = oneshot::channel();
                // an error here means that recording has failed, which ends this as well
                let _ = attempted.send(Attempt { outgoing, at, took: began.elapsed(), result, recorded }).await;
                if is_last || is_recorded.await.is_err() {
                    return;
                }
            }
        }
    };
    let sending = async {
        stream::iter(sequences).for_each_concurrent(REQUESTS, send_one).await;
        Ok(())
    };
    let recording = async {
        let mut batch: Vec<Attempt> = vec![];
        while attempts.recv_many(&mut batch, BATCH as usize).await > 0 {
            record(app, webhook.id, &batch).await?;
            for attempt in batch.drain(..) {
                // a sequence that has ended does not wait for it
                let _ = attempt.recorded.send(());
            }
        }
        Ok(())
    };
    tokio::try_join!(sending, recording).map(drop)
}

async fn send(app: &App, webhook: &StoredWebhook, outgoing: &Outgoing, now: DateTime<Utc>) -> Result<u16, Refusal> {
    let (id, timestamp) = (outgoing.event_id.as_str(), now.timestamp());
    let Some(secrets) = webhook.secrets(&app.seals, now) else {
        let variable = declared::variable("more_secret_keys");
        return Err(format!("the key of the secret is neither SECRET_KEY nor in {variable}").into());
    };
    let signatures = rules::signatures(&secrets, id, timestamp, &outgoing.event);
    let sent = Sent { id, timestamp, signatures, body: outgoing.event.clone() };
    let time_out = Duration::from_secs(app.config.number(&TIMEOUT));
    sender::send(&webhook.url, app.config.flag(&PRIVATE), time_out, sent).await
}

/// Records attempts: the deliveries, the health of their webhook, and the end of a webhook that has failed for too long.
async fn record(app: &App, webhook_id: i64, attempts: &[Attempt]) -> Result<(), Refused> {
    let (now, retry_for) = (app.now(), app.config.number(&RETRY_FOR));
    let mut tx = app.db.begin().await?;
    let Some(webhook) = store::find_to_record(&mut tx, webhook_id).await? else { return Ok(()) };
    let mut results: HashMap<AttemptResult, Vec<(i64, DateTime<Utc>)>> = HashMap::new();
    let mut postponed = vec![];
    let (mut gone, mut given_up, mut timed_out) = (false, false, false);
    let mut failed_since = None;
    for Attempt { outgoing, at, took, result, .. } in attempts {
        let (status, http_status, error) = match result {
            Ok(status) => (DeliveryStatus::Succeeded, Some(*status), None),
            Err(refusal) => {
                let since = outgoing.tried_since.unwrap_or(*at);
                let is_gone = refusal.http_status == Some(GONE);
                let ends = is_gone || !webhook.enabled || rules::is_given_up(since, retry_for, now);
                if !ends {
                    let pause = rules::pause(since, app.config.tasks.task_retry, now);
                    // what failed together is not tried again together
                    let pause = pause.to_std().unwrap_or_default().mul_f64(rand::random_range(0.5..=1.0));
                    postponed.push((&outgoing.object, after(now, pause)));
                }
                (gone, given_up, timed_out) = (gone || is_gone, given_up || ends, timed_out || refusal.timed_out);
                failed_since = failed_since.or(Some(*at));
                let status = if ends { DeliveryStatus::Failed } else { DeliveryStatus::Pending };
                (status, refusal.http_status, Some(refusal.error.clone()))
            }
        };
        log(app, webhook_id, outgoing.id, *took, status, error.as_deref());
        results.entry(AttemptResult { status, http_status, error }).or_default().push((outgoing.id, *at));
    }
    for (result, attempts) in &results {
        store::record(&mut tx, result, attempts).await?;
    }
    for (object, until) in postponed {
        store::postpone(&mut tx, webhook_id, object, until).await?;
    }
    if webhook.enabled {
        let succeeded = results.keys().any(|result| result.status == DeliveryStatus::Succeeded);
        let failed_before = webhook.first_failed_at.filter(|_| !succeeded);
        let first_failed_at = failed_since.map(|since| failed_before.unwrap_or(since));
        if first_failed_at != webhook.first_failed_at {
            store::set_first_failed(&mut tx, webhook_id, first_failed_at).await?;
        }
        // a receiver that responds is not paused, whatever it responds
        if timed_out || webhook.first_failed_at.is_some() {
            let shortest = app.config.number(&TIMEOUT).saturating_mul(2);
            let pause = |since| now + rules::pause(since, shortest, now);
            store::set_pause(&mut tx, webhook_id, first_failed_at.filter(|_| timed_out).map(pause), now).await?;
        }
        let failing = given_up && first_failed_at.is_some_and(|since| rules::is_given_up(since, retry_for, now));
        let why = match (gone, failing) {
            (true, _) => Some(DisabledReason::Gone),
            (false, true) => Some(DisabledReason::Failing),
            (false, false) => None,
        };
        if let Some(why) = why
            && let Some(webhook) = versioned::find_to_change::<StoredWebhook>(&mut tx, webhook_id).await?
        {
            super::disable(&mut tx, &webhook, why, now).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn log(app: &App, webhook: i64, delivery: i64, took: Duration, status: DeliveryStatus, error: Option<&str>) {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let outcome = match status {
        DeliveryStatus::Succeeded => Outcome::Done,
        DeliveryStatus::Pending => Outcome::Failed,
        DeliveryStatus::Failed => Outcome::Parked,
    };
    app.metrics.ran(NAME, outcome, took);
    match error {
        None => tracing::info!(webhook, delivery, millis, "event delivered"),
        Some(error) => tracing::warn!(webhook, delivery, millis, error, status = status.as_str(), "delivery failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(id: i64, object: &str, first_of_object: i64) -> Outgoing {
        let (event_id, event) = (format!("evt_{id}"), String::new());
        Outgoing { id, event_id, object: object.into(), event, tried_since: None, first_of_object }
    }

    #[test]
    fn deliveries_of_an_object_are_sent_in_order_and_wait_for_the_first() {
        let due = vec![
            outgoing(5, "group:1", 3),
            outgoing(3, "group:1", 3),
            outgoing(4, "group:2", 4),
            outgoing(6, "group:3", 2),
        ];
        let (sequences, blocked) = by_object(due);
        let ids: Vec<Vec<i64>> = sequences.iter().map(|one| one.iter().map(|outgoing| outgoing.id).collect()).collect();
        assert_eq!(ids, [vec![3, 5], vec![4]]);
        assert_eq!(blocked, BTreeMap::from([("group:3".to_owned(), 2)]));
    }
}
