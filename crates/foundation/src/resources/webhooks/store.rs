//! All SQL for webhooks and their deliveries.

use chrono::{DateTime, Utc};
use sea_query::{
    Alias, CaseStatement, Cond, Condition, Expr, ExprTrait, IntoIden, LockType, OnConflict, Order, Query,
    SelectStatement,
};
use sqlx::FromRow;

use super::events::OutgoingEvent;
use super::model::{Delivery, DeliveryStatus, DisabledReason, StoredWebhook};
use crate::auth::seal::Sealed;
use crate::db::keyset::newest;
use crate::db::versioned::{self, Versioned};
use crate::db::{Conn, DbResult, Unsignalled};
use crate::resources::webhooks::tables::{Deliveries, FIRST_FAILED_AT, WebhookLeases, Webhooks};

/// What a [`Delivery`] is read from.
const DELIVERY: [Deliveries; 9] = [
    Deliveries::Id,
    Deliveries::WebhookId,
    Deliveries::Event,
    Deliveries::Status,
    Deliveries::Attempts,
    Deliveries::HttpStatus,
    Deliveries::Error,
    Deliveries::LastAttemptAt,
    Deliveries::CreatedAt,
];

/// What is said of a delivery that is not sent any more.
const DISABLED: &str = "the webhook is disabled";

/// What is written of a webhook.
#[expect(missing_docs, reason = "model::Webhook and the migration document them")]
pub struct WebhookValues {
    pub url: String,
    pub description: Option<String>,
    pub event_types: Option<String>,
    pub enabled: bool,
    pub disabled_reason: Option<DisabledReason>,
    pub secret: Sealed,
    pub old_secret: Option<Sealed>,
    pub old_secret_until: Option<DateTime<Utc>>,
    pub first_failed_at: Option<DateTime<Utc>>,
    pub created_by: Option<i64>,
}

impl Versioned for StoredWebhook {
    type Table = Webhooks;
    type Values = WebhookValues;

    fn identity(&self) -> (i64, i64) {
        (self.id, self.version)
    }

    fn columns(webhook: WebhookValues) -> Vec<(Webhooks, Expr)> {
        vec![
            (Webhooks::Url, webhook.url.into()),
            (Webhooks::Description, webhook.description.into()),
            (Webhooks::EventTypes, webhook.event_types.into()),
            (Webhooks::Enabled, webhook.enabled.into()),
            (Webhooks::DisabledReason, webhook.disabled_reason.map(DisabledReason::as_str).into()),
            (Webhooks::Secret, webhook.secret.as_str().into()),
            (Webhooks::OldSecret, webhook.old_secret.as_ref().map(Sealed::as_str).into()),
            (Webhooks::OldSecretUntil, webhook.old_secret_until.into()),
            (Webhooks::FirstFailedAt, webhook.first_failed_at.into()),
            (Webhooks::CreatedBy, webhook.created_by.into()),
        ]
    }
}

/// The webhook with this id, for a transaction that records attempts: other such transactions wait until it ends, but not
/// those that insert deliveries.
pub async fn find_to_record(conn: &mut Conn, id: i64) -> DbResult<Option<StoredWebhook>> {
    let by_id = Expr::col(Webhooks::Id).eq(id);
    conn.maybe(&versioned::select::<StoredWebhook>(by_id).lock(LockType::NoKeyUpdate).take()).await
}

/// Whether events are told to anyone.
pub async fn is_any_enabled(conn: &mut Conn) -> DbResult<bool> {
    let statement = Query::select()
        .column(Webhooks::Id)
        .from(Webhooks::Table)
        .and_where(Expr::col(Webhooks::Enabled).eq(true))
        .limit(1)
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
}

/// Counts the webhooks, for a transaction that adds one if the limit allows. Concurrent transactions do so one after the
/// other, so the limit also holds when several create at once.
pub async fn count_to_add(tx: &mut Conn) -> DbResult<i64> {
    tx.lock("webhooks: limit").await?;
    versioned::count::<StoredWebhook>(tx, Condition::all()).await
}

/// Records since when every attempt of a webhook has failed; `None` after a success.
pub async fn set_first_failed(conn: &mut Conn, id: i64, since: Option<DateTime<Utc>>) -> DbResult<()> {
    let statement = Query::update()
        .table(Webhooks::Table)
        .value(Webhooks::FirstFailedAt, since)
        .and_where(Expr::col(Webhooks::Id).eq(id))
        .take();
    conn.write(FIRST_FAILED_AT, &statement).await?;
    Ok(())
}

/// The columns that [`insert_delivery`] and [`insert_deliveries`] write.
const NEW_DELIVERY: [Deliveries; 8] = [
    Deliveries::WebhookId,
    Deliveries::EventId,
    Deliveries::EventType,
    Deliveries::Object,
    Deliveries::Event,
    Deliveries::Status,
    Deliveries::NextAttemptAt,
    Deliveries::CreatedAt,
];

fn new_delivery(webhook_id: Expr, event: &OutgoingEvent, now: DateTime<Utc>) -> [Expr; NEW_DELIVERY.len()] {
    [
        webhook_id,
        event.id.as_str().into(),
        event.event_type.as_str().into(),
        event.object.as_str().into(),
        event.body.as_str().into(),
        DeliveryStatus::Pending.as_str().into(),
        now.into(),
        now.into(),
    ]
}

/// Inserts a delivery of the event for every enabled webhook that wants it and does not have it yet. Returns how many.
pub async fn insert_deliveries(conn: &mut Conn, event: &OutgoingEvent, now: DateTime<Utc>) -> DbResult<u64> {
    let listed = format!("%\"{}\"%", event.event_type.as_str());
    let wants = Cond::any()
        .add(Expr::col(Webhooks::EventTypes).is_null())
        .add(Expr::col(Webhooks::EventTypes).eq("[]"))
        .add(Expr::col(Webhooks::EventTypes).like(listed));
    let receivers = Query::select()
        .exprs(new_delivery(Expr::col(Webhooks::Id), event, now))
        .from(Webhooks::Table)
        .and_where(Expr::col(Webhooks::Enabled).eq(true))
        .cond_where(wants)
        // a webhook that is being deleted or disabled gets no delivery: the row is read again after that has committed
        .lock(LockType::KeyShare)
        .take();
    let statement = Query::insert()
        .into_table(Deliveries::Table)
        .columns(NEW_DELIVERY)
        .select_from(receivers)
        .expect("as many expressions as columns")
        .on_conflict(OnConflict::columns([Deliveries::WebhookId, Deliveries::EventId]).do_nothing().to_owned())
        .take();
    conn.write(Deliveries::FREE, &statement).await
}

/// Inserts a delivery of the event for one webhook, whatever events it wants.
pub async fn insert_delivery(
    conn: &mut Conn,
    webhook_id: i64,
    event: &OutgoingEvent,
    now: DateTime<Utc>,
) -> DbResult<Delivery> {
    let statement = Query::insert()
        .into_table(Deliveries::Table)
        .columns(NEW_DELIVERY)
        .values_panic(new_delivery(webhook_id.into(), event, now))
        .returning(Query::returning().columns(DELIVERY))
        .take();
    conn.write_one(Deliveries::FREE, &statement).await
}

/// The lease of a webhook: the process that holds it is the only one that sends to the webhook.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The webhook.
    pub webhook_id: i64,
    /// The name of the dispatcher that holds the lease.
    pub worker: String,
}

/// The webhooks that no dispatcher serves and that have a delivery to send now. Reads one index entry for each webhook,
/// however many deliveries are pending.
pub async fn due_webhooks(conn: &mut Conn, limit: u64, now: DateTime<Utc>) -> DbResult<Vec<i64>> {
    // with EXISTS, PostgreSQL might read every delivery that is due
    let next_attempt = Query::select()
        .column((Deliveries::Table, Deliveries::NextAttemptAt))
        .from(Deliveries::Table)
        .and_where(Expr::col((Deliveries::Table, Deliveries::WebhookId)).equals((Webhooks::Table, Webhooks::Id)))
        .and_where(pending(Deliveries::Table))
        .order_by((Deliveries::Table, Deliveries::NextAttemptAt), Order::Asc)
        .limit(1)
        .take();
    let lease = Expr::col((WebhookLeases::Table, WebhookLeases::WebhookId)).equals((Webhooks::Table, Webhooks::Id));
    let statement = Query::select()
        .column((Webhooks::Table, Webhooks::Id))
        .from(Webhooks::Table)
        .left_join(WebhookLeases::Table, lease)
        .and_where(Expr::col((Webhooks::Table, Webhooks::Enabled)).eq(true))
        .cond_where(past(WebhookLeases::LeaseUntil, now))
        .cond_where(past(WebhookLeases::PausedUntil, now))
        .and_where(Expr::from(next_attempt).lte(now))
        .order_by((Webhooks::Table, Webhooks::Id), Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await?.into_iter().map(|(id,)| id).collect())
}

/// Takes the lease of a webhook until then. Returns false if another dispatcher has it.
pub async fn take_lease(conn: &mut Conn, lease: &Lease, until: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<bool> {
    let columns = [
        WebhookLeases::WebhookId,
        WebhookLeases::Worker,
        WebhookLeases::LeaseUntil,
        WebhookLeases::CreatedAt,
        WebhookLeases::UpdatedAt,
    ];
    let over_a_past_one = OnConflict::column(WebhookLeases::WebhookId)
        .update_columns([WebhookLeases::Worker, WebhookLeases::LeaseUntil, WebhookLeases::UpdatedAt])
        .action_cond_where(past(WebhookLeases::LeaseUntil, now))
        .to_owned();
    let statement = Query::insert()
        .into_table(WebhookLeases::Table)
        .columns(columns)
        .values_panic([lease.webhook_id.into(), lease.worker.as_str().into(), until.into(), now.into(), now.into()])
        .on_conflict(over_a_past_one)
        .take();
    Ok(conn.write(WebhookLeases::FREE, &statement).await? > 0)
}

/// Extends a lease until then, or ends it. Returns false if another dispatcher has it by now.
pub async fn set_lease(
    conn: &mut Conn,
    lease: &Lease,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let statement = Query::update()
        .table(WebhookLeases::Table)
        .value(WebhookLeases::LeaseUntil, until)
        .value(WebhookLeases::UpdatedAt, now)
        .and_where(Expr::col(WebhookLeases::WebhookId).eq(lease.webhook_id))
        .and_where(Expr::col(WebhookLeases::Worker).eq(lease.worker.as_str()))
        .take();
    Ok(conn.write(WebhookLeases::FREE, &statement).await? > 0)
}

/// Until when nothing is sent to a webhook, or was not: the pause ends with the first success.
pub async fn paused_until(conn: &mut Conn, webhook_id: i64) -> DbResult<Option<DateTime<Utc>>> {
    let statement = Query::select()
        .column(WebhookLeases::PausedUntil)
        .from(WebhookLeases::Table)
        .and_where(Expr::col(WebhookLeases::WebhookId).eq(webhook_id))
        .take();
    Ok(conn.maybe::<(Option<DateTime<Utc>>,)>(&statement).await?.and_then(|(until,)| until))
}

/// Sends nothing to a webhook before `until`; `None` ends the pause.
pub async fn set_pause(
    conn: &mut Conn,
    webhook_id: i64,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let statement = Query::update()
        .table(WebhookLeases::Table)
        .value(WebhookLeases::PausedUntil, until)
        .value(WebhookLeases::UpdatedAt, now)
        .and_where(Expr::col(WebhookLeases::WebhookId).eq(webhook_id))
        .take();
    conn.write(WebhookLeases::FREE, &statement).await?;
    Ok(())
}

/// `NULL` or a time that has passed.
fn past(column: WebhookLeases, now: DateTime<Utc>) -> Cond {
    let column = || Expr::col((WebhookLeases::Table, column));
    Cond::any().add(column().is_null()).add(column().lte(now))
}

/// The condition of the partial indexes, which the planner recognises only as a literal.
fn pending(deliveries: impl IntoIden) -> Expr {
    Expr::col((deliveries.into_iden(), Deliveries::Status)).eq(Expr::cust("'pending'"))
}

/// A delivery to send.
#[derive(FromRow)]
#[expect(missing_docs, reason = "the migration documents them")]
pub struct Outgoing {
    pub id: i64,
    pub event_id: String,
    pub object: String,
    pub event: String,
    pub tried_since: Option<DateTime<Utc>>,
    /// The first pending delivery of the same object, which is sent first.
    pub first_of_object: i64,
}

/// The deliveries of a webhook that are due, the longest first. Reads `limit` entries of the index, and for each the
/// first pending delivery of its object.
pub async fn due_deliveries(
    conn: &mut Conn,
    webhook_id: i64,
    limit: u64,
    now: DateTime<Utc>,
) -> DbResult<Vec<Outgoing>> {
    let earlier = || Alias::new("earlier");
    let first = Query::select()
        .column((earlier(), Deliveries::Id))
        .from_as(Deliveries::Table, earlier())
        .and_where(Expr::col((earlier(), Deliveries::WebhookId)).equals((Deliveries::Table, Deliveries::WebhookId)))
        .and_where(Expr::col((earlier(), Deliveries::Object)).equals((Deliveries::Table, Deliveries::Object)))
        .and_where(pending(earlier()))
        .order_by((earlier(), Deliveries::Id), Order::Asc)
        .limit(1)
        .take();
    let statement = Query::select()
        .columns([Deliveries::Id, Deliveries::EventId, Deliveries::Object, Deliveries::Event, Deliveries::TriedSince])
        .expr_as(first, "first_of_object")
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where(pending(Deliveries::Table))
        .and_where(Expr::col(Deliveries::NextAttemptAt).lte(now))
        .order_by(Deliveries::NextAttemptAt, Order::Asc)
        .order_by(Deliveries::Id, Order::Asc)
        .limit(limit)
        .take();
    conn.all(&statement).await
}

/// Postpones the pending deliveries of an object: none is due before `until`.
pub async fn postpone(conn: &mut Conn, webhook_id: i64, object: &str, until: DateTime<Utc>) -> DbResult<()> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::NextAttemptAt, until)
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where(Expr::col(Deliveries::Object).eq(object))
        .and_where(pending(Deliveries::Table))
        .and_where(Expr::col(Deliveries::NextAttemptAt).lt(until))
        .take();
    conn.write(Deliveries::FREE, &statement).await?;
    Ok(())
}

/// The time of the next attempt of a delivery, if it is pending.
pub async fn next_attempt(conn: &mut Conn, id: i64) -> DbResult<Option<DateTime<Utc>>> {
    let statement = Query::select()
        .column(Deliveries::NextAttemptAt)
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .and_where(pending(Deliveries::Table))
        .take();
    Ok(conn.maybe::<(DateTime<Utc>,)>(&statement).await?.map(|(at,)| at))
}

/// The delivery of a webhook with this id.
pub async fn find_delivery(conn: &mut Conn, webhook_id: i64, id: i64) -> DbResult<Option<Delivery>> {
    let statement = Query::select()
        .columns(DELIVERY)
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .take();
    conn.maybe(&statement).await
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptResult {
    /// The status of the delivery since.
    pub status: DeliveryStatus,
    /// The status of the receiver's response.
    pub http_status: Option<u16>,
    /// Why the attempt has failed.
    pub error: Option<String>,
}

/// Records attempts that have had the same result: each delivery, and when the attempt began. Deliveries that were ended
/// meanwhile stay as they are.
pub async fn record(conn: &mut Conn, result: &AttemptResult, attempts: &[(i64, DateTime<Utc>)]) -> DbResult<()> {
    let at = attempts
        .iter()
        .fold(CaseStatement::new(), |case, (id, at)| case.case(Expr::col(Deliveries::Id).eq(*id), Expr::val(*at)));
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, result.status.as_str())
        .value(Deliveries::Attempts, Expr::col(Deliveries::Attempts).add(1))
        .value(Deliveries::HttpStatus, result.http_status.map(i64::from))
        .value(Deliveries::Error, result.error.as_deref())
        .value(Deliveries::TriedSince, Expr::col(Deliveries::TriedSince).if_null(at.clone()))
        .value(Deliveries::LastAttemptAt, at)
        .and_where(Expr::col(Deliveries::Id).is_in(attempts.iter().map(|(id, _)| *id)))
        .and_where(pending(Deliveries::Table))
        .take();
    conn.write(Deliveries::FREE, &statement).await?;
    Ok(())
}

/// Lets a delivery begin again; false if it is still tried, or there is none.
pub async fn restart(conn: &mut Conn, webhook_id: i64, id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, DeliveryStatus::Pending.as_str())
        .value(Deliveries::TriedSince, Option::<DateTime<Utc>>::None)
        .value(Deliveries::NextAttemptAt, now)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.as_str()))
        .take();
    Ok(conn.write(Deliveries::FREE, &statement).await? == 1)
}

/// What waits to be sent to a webhook has failed.
pub async fn fail_pending(conn: &mut Conn, webhook_id: i64) -> DbResult<()> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, DeliveryStatus::Failed.as_str())
        .value(Deliveries::Error, DISABLED)
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where(Expr::col(Deliveries::Status).eq(DeliveryStatus::Pending.as_str()))
        .take();
    conn.write(Deliveries::FREE, &statement).await?;
    Ok(())
}

/// Deliveries of a webhook page by page, the newest first; only those of this status, if one is named.
pub async fn deliveries(
    conn: &mut Conn,
    webhook_id: i64,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    limit: u64,
) -> DbResult<Vec<Delivery>> {
    let mut statement = matching(webhook_id, status);
    statement.columns(DELIVERY);
    newest(&mut statement, Deliveries::Id, before, limit);
    conn.all(&statement).await
}

/// How many deliveries match.
pub async fn count_deliveries(conn: &mut Conn, webhook_id: i64, status: Option<DeliveryStatus>) -> DbResult<i64> {
    let statement = matching(webhook_id, status).expr(Expr::col(Deliveries::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(webhook_id: i64, status: Option<DeliveryStatus>) -> SelectStatement {
    let mut statement = Query::select();
    statement
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where_option(status.map(|status| Expr::col(Deliveries::Status).eq(status.as_str())));
    statement
}

/// Deliveries that were made before and are not tried any more, the oldest first.
pub async fn ended(conn: &mut Conn, before: DateTime<Utc>, limit: u64) -> DbResult<Vec<i64>> {
    let statement = Query::select()
        .column(Deliveries::Id)
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::CreatedAt).lt(before))
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.as_str()))
        .order_by(Deliveries::CreatedAt, Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await?.into_iter().map(|(id,)| id).collect())
}

/// Deletes deliveries that are not tried any more.
pub async fn delete_deliveries(conn: &mut Conn, ids: &[i64]) -> DbResult<u64> {
    let statement = Query::delete()
        .from_table(Deliveries::Table)
        .and_where(Expr::col(Deliveries::Id).is_in(ids.iter().copied()))
        // one may be sent again since it was looked at
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.as_str()))
        .take();
    conn.write(Deliveries::FREE, &statement).await
}
