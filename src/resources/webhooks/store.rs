//! All SQL for webhooks and their deliveries.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::model::{Delivery, DeliveryStatus, DisabledReason, Secret, StoredWebhook};
use super::tasks::PublishEvent;
use crate::db::keyset::newest;
use crate::db::signals::{Changing, Signalled};
use crate::db::tables::{Deliveries, Webhooks};
use crate::db::{Conn, DbResult, Permit, Unsignalled};

/// What a [`StoredWebhook`] is read from.
const COLUMNS: [Webhooks; 14] = [
    Webhooks::Id,
    Webhooks::Url,
    Webhooks::Description,
    Webhooks::EventTypes,
    Webhooks::Enabled,
    Webhooks::DisabledReason,
    Webhooks::Secret,
    Webhooks::OldSecret,
    Webhooks::OldSecretUntil,
    Webhooks::FirstFailedAt,
    Webhooks::CreatedBy,
    Webhooks::Version,
    Webhooks::CreatedAt,
    Webhooks::UpdatedAt,
];

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
    pub secret: Secret,
    pub old_secret: Option<Secret>,
    pub old_secret_until: Option<DateTime<Utc>>,
    pub first_failed_at: Option<DateTime<Utc>>,
    pub created_by: Option<i64>,
}

impl WebhookValues {
    fn columns(self) -> [(Webhooks, Expr); 10] {
        [
            (Webhooks::Url, self.url.into()),
            (Webhooks::Description, self.description.into()),
            (Webhooks::EventTypes, self.event_types.into()),
            (Webhooks::Enabled, self.enabled.into()),
            (Webhooks::DisabledReason, self.disabled_reason.map(DisabledReason::word).into()),
            (Webhooks::Secret, self.secret.expose().into()),
            (Webhooks::OldSecret, self.old_secret.as_ref().map(Secret::expose).into()),
            (Webhooks::OldSecretUntil, self.old_secret_until.into()),
            (Webhooks::FirstFailedAt, self.first_failed_at.into()),
            (Webhooks::CreatedBy, self.created_by.into()),
        ]
    }
}

impl Signalled for StoredWebhook {
    type Table = Webhooks;
    type Values = WebhookValues;

    async fn insert(
        conn: &mut Conn,
        permit: Permit<Webhooks>,
        webhook: WebhookValues,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let times = [(Webhooks::CreatedAt, now.into()), (Webhooks::UpdatedAt, now.into())];
        let (columns, values): (Vec<_>, Vec<_>) = webhook.columns().into_iter().chain(times).unzip();
        let statement = Query::insert()
            .into_table(Webhooks::Table)
            .columns(columns)
            .values_panic(values)
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }

    /// Its deliveries go by the schema.
    async fn delete(&self, conn: &mut Conn, permit: Permit<Webhooks>) -> DbResult<bool> {
        let statement = Query::delete()
            .from_table(Webhooks::Table)
            .and_where(Expr::col(Webhooks::Id).eq(self.id))
            .and_where(Expr::col(Webhooks::Version).eq(self.version))
            .take();
        Ok(conn.write(permit, &statement).await? == 1)
    }
}

impl Changing for StoredWebhook {
    async fn update(
        &self,
        conn: &mut Conn,
        permit: Permit<Webhooks>,
        webhook: WebhookValues,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let statement = Query::update()
            .table(Webhooks::Table)
            .values(webhook.columns())
            .value(Webhooks::Version, Expr::col(Webhooks::Version).add(1))
            .value(Webhooks::UpdatedAt, now)
            .and_where(Expr::col(Webhooks::Id).eq(self.id))
            .and_where(Expr::col(Webhooks::Version).eq(self.version))
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }
}

/// The webhook with this id.
pub async fn find(conn: &mut Conn, id: i64) -> DbResult<Option<StoredWebhook>> {
    conn.maybe(&by_id(id)).await
}

/// The same, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64) -> DbResult<Option<StoredWebhook>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

fn by_id(id: i64) -> SelectStatement {
    Query::select().columns(COLUMNS).from(Webhooks::Table).and_where(Expr::col(Webhooks::Id).eq(id)).take()
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

/// All there are, the oldest first: there are few.
pub async fn all(conn: &mut Conn) -> DbResult<Vec<StoredWebhook>> {
    conn.all(&everything()).await
}

/// Counts the webhooks, for a transaction that adds one if the limit allows. Concurrent transactions do so one after the
/// other, so the limit also holds when several create at once.
pub async fn count_to_add(tx: &mut Conn) -> DbResult<i64> {
    tx.lock("webhooks: limit").await?;
    count(tx).await
}

fn everything() -> SelectStatement {
    Query::select().columns(COLUMNS).from(Webhooks::Table).order_by(Webhooks::Id, Order::Asc).take()
}

/// One page, the newest first.
pub async fn page(conn: &mut Conn, before: Option<i64>, limit: u64) -> DbResult<Vec<StoredWebhook>> {
    let mut statement = Query::select().columns(COLUMNS).from(Webhooks::Table).take();
    newest(&mut statement, Webhooks::Id, before, limit);
    conn.all(&statement).await
}

/// How many there are.
pub async fn count(conn: &mut Conn) -> DbResult<i64> {
    let statement = Query::select().expr(Expr::col(Webhooks::Id).count()).from(Webhooks::Table).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

/// Notes when the failures began; none when something has succeeded.
pub async fn set_first_failed(conn: &mut Conn, id: i64, since: Option<DateTime<Utc>>) -> DbResult<()> {
    let statement = Query::update()
        .table(Webhooks::Table)
        .value(Webhooks::FirstFailedAt, since)
        .and_where(Expr::col(Webhooks::Id).eq(id))
        .take();
    conn.write(Deliveries::FREE.also::<Webhooks>(), &statement).await?;
    Ok(())
}

/// Makes a delivery; none if the webhook has had this event.
pub async fn insert_delivery(
    conn: &mut Conn,
    webhook_id: i64,
    event: &PublishEvent,
    now: DateTime<Utc>,
) -> DbResult<Option<Delivery>> {
    let statement = Query::insert()
        .into_table(Deliveries::Table)
        .columns([
            Deliveries::WebhookId,
            Deliveries::EventId,
            Deliveries::EventType,
            Deliveries::Object,
            Deliveries::Event,
            Deliveries::Status,
            Deliveries::CreatedAt,
        ])
        .values_panic([
            webhook_id.into(),
            event.id.as_str().into(),
            event.event_type.word().into(),
            event.object.as_str().into(),
            event.body.as_str().into(),
            DeliveryStatus::Pending.word().into(),
            now.into(),
        ])
        .on_conflict(OnConflict::columns([Deliveries::WebhookId, Deliveries::EventId]).do_nothing().to_owned())
        .returning(Query::returning().columns(DELIVERY))
        .take();
    conn.write_maybe(Deliveries::FREE, &statement).await
}

/// A delivery as whoever sends it needs it.
#[derive(FromRow)]
#[expect(missing_docs, reason = "the migration documents them")]
pub struct Outgoing {
    pub id: i64,
    pub webhook_id: i64,
    pub event_id: String,
    pub object: String,
    pub event: String,
    #[sqlx(try_from = "String")]
    pub status: DeliveryStatus,
    pub tried_since: Option<DateTime<Utc>>,
}

/// The delivery with this id; only of this webhook, if one is named.
pub async fn find_outgoing(conn: &mut Conn, webhook_id: Option<i64>, id: i64) -> DbResult<Option<Outgoing>> {
    let statement = Query::select()
        .columns([
            Deliveries::Id,
            Deliveries::WebhookId,
            Deliveries::EventId,
            Deliveries::Object,
            Deliveries::Event,
            Deliveries::Status,
            Deliveries::TriedSince,
        ])
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .and_where_option(webhook_id.map(|id| Expr::col(Deliveries::WebhookId).eq(id)))
        .take();
    conn.maybe(&statement).await
}

/// The delivery with this id, as its answer shows it.
pub async fn find_delivery(conn: &mut Conn, id: i64) -> DbResult<Option<Delivery>> {
    let statement =
        Query::select().columns(DELIVERY).from(Deliveries::Table).and_where(Expr::col(Deliveries::Id).eq(id)).take();
    conn.maybe(&statement).await
}

/// What came of a try.
pub struct Tried<'a> {
    /// What becomes of the delivery.
    pub status: DeliveryStatus,
    /// What the receiver answered.
    pub http_status: Option<u16>,
    /// Why it has not succeeded.
    pub error: Option<&'a str>,
    /// When the first of these tries was made.
    pub since: DateTime<Utc>,
    /// When this one was made.
    pub at: DateTime<Utc>,
}

/// Notes a try, unless the delivery was ended meanwhile.
pub async fn note(conn: &mut Conn, id: i64, tried: Tried<'_>) -> DbResult<()> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, tried.status.word())
        .value(Deliveries::Attempts, Expr::col(Deliveries::Attempts).add(1))
        .value(Deliveries::HttpStatus, tried.http_status.map(i64::from))
        .value(Deliveries::Error, tried.error.map(str::to_owned))
        .value(Deliveries::TriedSince, tried.since)
        .value(Deliveries::LastAttemptAt, tried.at)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .take();
    conn.write(Deliveries::FREE, &statement).await?;
    Ok(())
}

/// Lets a delivery begin again; false if it is still tried.
pub async fn restart(conn: &mut Conn, id: i64) -> DbResult<bool> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, DeliveryStatus::Pending.word())
        .value(Deliveries::TriedSince, Option::<DateTime<Utc>>::None)
        .and_where(Expr::col(Deliveries::Id).eq(id))
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.word()))
        .take();
    Ok(conn.write(Deliveries::FREE, &statement).await? == 1)
}

/// What waits to be sent to a webhook has failed.
pub async fn fail_pending(conn: &mut Conn, webhook_id: i64) -> DbResult<()> {
    let statement = Query::update()
        .table(Deliveries::Table)
        .value(Deliveries::Status, DeliveryStatus::Failed.word())
        .value(Deliveries::Error, DISABLED)
        .and_where(Expr::col(Deliveries::WebhookId).eq(webhook_id))
        .and_where(Expr::col(Deliveries::Status).eq(DeliveryStatus::Pending.word()))
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
        .and_where_option(status.map(|status| Expr::col(Deliveries::Status).eq(status.word())));
    statement
}

/// Deliveries that were made before and are not tried any more, the oldest first.
pub async fn ended(conn: &mut Conn, before: DateTime<Utc>, limit: u64) -> DbResult<Vec<i64>> {
    let statement = Query::select()
        .column(Deliveries::Id)
        .from(Deliveries::Table)
        .and_where(Expr::col(Deliveries::CreatedAt).lt(before))
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.word()))
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
        .and_where(Expr::col(Deliveries::Status).ne(DeliveryStatus::Pending.word()))
        .take();
    conn.write(Deliveries::FREE, &statement).await
}
