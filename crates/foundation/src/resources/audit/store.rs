//! All SQL for the audit: events are written, counted and read, and deleted when they have expired. Triggers refuse
//! everything else, also by hand.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::Event;
use super::model::{Action, AuditEvent, ObjectType, State};
use crate::db::keyset::newest;
use crate::db::signals::Actor;
use crate::db::{Conn, DbResult, Unsignalled};
use crate::error::Error;
use crate::http::client::ClientAddress;
use crate::resources::audit::tables::{AuditEvents, AuditRetention};

/// Which events a list shows.
#[derive(Default)]
pub struct Filter {
    /// Only of this user.
    pub actor_id: Option<i64>,
    /// Only these.
    pub action: Option<Action>,
    /// Only about objects of this kind.
    pub object_type: Option<ObjectType>,
    /// Only about objects with this id.
    pub object_id: Option<i64>,
    /// Only from this address.
    pub address: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct StoredEvent {
    id: i64,
    actor_id: Option<i64>,
    #[sqlx(try_from = "String")]
    action: Action,
    #[sqlx(try_from = "String")]
    object_type: ObjectType,
    object_id: Option<i64>,
    before: Option<String>,
    after: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
    occurrences: i64,
    last_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Writes an event, or counts it in the row of its hour if strangers can cause as many as they like.
pub async fn insert(conn: &mut Conn, by: Actor<'_>, event: Event, now: DateTime<Utc>) -> DbResult<()> {
    let text = |state: &Option<State>| state.as_ref().map(State::text);
    let aggregation_key = match event.is_aggregated {
        true => Some(aggregation_key(conn, by, &event, now).await?),
        false => None,
    };
    let old = |column: AuditEvents| Expr::col((AuditEvents::Table, column));
    let count = OnConflict::column(AuditEvents::AggregationKey)
        .target_and_where(Expr::col(AuditEvents::AggregationKey).is_not_null())
        .value(AuditEvents::Occurrences, old(AuditEvents::Occurrences).add(1))
        .value(AuditEvents::LastAt, now)
        .to_owned();
    let statement = Query::insert()
        .into_table(AuditEvents::Table)
        .columns([
            AuditEvents::ActorId,
            AuditEvents::Action,
            AuditEvents::ObjectType,
            AuditEvents::ObjectId,
            AuditEvents::Before,
            AuditEvents::After,
            AuditEvents::RequestId,
            AuditEvents::Address,
            AuditEvents::AggregationKey,
            AuditEvents::LastAt,
            AuditEvents::CreatedAt,
        ])
        .values_panic([
            by.user_id.into(),
            event.action.as_str().into(),
            event.action.object_type().as_str().into(),
            event.object_id.into(),
            text(&event.before).into(),
            text(&event.after).into(),
            by.request_id.map(str::to_owned).into(),
            by.address.map(|address| address.to_string()).into(),
            aggregation_key.into(),
            now.into(),
            now.into(),
        ])
        .on_conflict(count)
        .take();
    conn.write(AuditEvents::FREE, &statement).await?;
    Ok(())
}

/// Events of one kind in an hour that have a row each. All others of the hour are counted in one more row.
const ROWS: usize = 10;

/// The key of the row that an event goes into: a new one, or that of the row that counts. Events are of one kind that have
/// the same actor, object, reason, client network and hour. Of IPv6 the network, because a subscriber has all addresses in
/// it.
async fn aggregation_key(conn: &mut Conn, by: Actor<'_>, event: &Event, now: DateTime<Utc>) -> DbResult<String> {
    let id = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    let network = by.address.map(|address| ClientAddress(address).network().to_string()).unwrap_or_default();
    let reason = event.after.as_ref().and_then(State::reason).unwrap_or_default();
    let (hour, actor, object) = (now.format("%Y-%m-%dT%H"), id(by.user_id), id(event.object_id));
    let kind = format!("{hour} {} {object} by {actor} from {network}: {reason}", event.action.as_str());
    // of several at once each gets a row of its own
    conn.lock(&kind).await?;
    let key = |row: usize| format!("{kind} {row}");
    let statement = Query::select()
        .expr(Expr::col(AuditEvents::Id).count())
        .from(AuditEvents::Table)
        .and_where(Expr::col(AuditEvents::AggregationKey).is_in((0..ROWS).map(key)))
        .take();
    let (rows,) = conn.one::<(i64,)>(&statement).await?;
    Ok(key(usize::try_from(rows).unwrap_or(ROWS)))
}

/// Declares every event from before this time expired: only those can be deleted.
pub async fn expire(tx: &mut Conn, before: DateTime<Utc>, now: DateTime<Utc>) -> DbResult<()> {
    let columns =
        [AuditRetention::Id, AuditRetention::ExpiredBefore, AuditRetention::CreatedAt, AuditRetention::UpdatedAt];
    let replace = OnConflict::column(AuditRetention::Id)
        .update_columns([AuditRetention::ExpiredBefore, AuditRetention::UpdatedAt])
        .to_owned();
    let statement = Query::insert()
        .into_table(AuditRetention::Table)
        .columns(columns)
        .values_panic([1.into(), before.into(), now.into(), now.into()])
        .on_conflict(replace)
        .take();
    tx.write(AuditRetention::FREE, &statement).await?;
    Ok(())
}

/// Events from before this time, the oldest first.
pub async fn expired(conn: &mut Conn, before: DateTime<Utc>, limit: u64) -> DbResult<Vec<i64>> {
    let statement = Query::select()
        .column(AuditEvents::Id)
        .from(AuditEvents::Table)
        .and_where(Expr::col(AuditEvents::CreatedAt).lt(before))
        .order_by(AuditEvents::CreatedAt, Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await?.into_iter().map(|(id,)| id).collect())
}

/// Deletes events that were declared expired, and returns how many.
pub async fn delete(tx: &mut Conn, ids: Vec<i64>) -> DbResult<u64> {
    let statement =
        Query::delete().from_table(AuditEvents::Table).and_where(Expr::col(AuditEvents::Id).is_in(ids)).take();
    tx.write(AuditEvents::FREE, &statement).await
}

/// One page, the newest first.
///
/// # Errors
/// 503 when the database is away, 500 when an event cannot be read.
pub async fn list(conn: &mut Conn, filter: &Filter, before: Option<i64>, limit: u64) -> Result<Vec<AuditEvent>, Error> {
    let mut statement = matching(filter);
    statement.columns([
        AuditEvents::Id,
        AuditEvents::ActorId,
        AuditEvents::Action,
        AuditEvents::ObjectType,
        AuditEvents::ObjectId,
        AuditEvents::Before,
        AuditEvents::After,
        AuditEvents::RequestId,
        AuditEvents::Address,
        AuditEvents::Occurrences,
        AuditEvents::LastAt,
        AuditEvents::CreatedAt,
    ]);
    newest(&mut statement, AuditEvents::Id, before, limit);
    conn.all::<StoredEvent>(&statement).await?.into_iter().map(StoredEvent::read).collect()
}

/// How many events match.
pub async fn count(conn: &mut Conn, filter: &Filter) -> DbResult<i64> {
    let statement = matching(filter).expr(Expr::col(AuditEvents::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(filter: &Filter) -> SelectStatement {
    let is = |column: AuditEvents| Expr::col(column);
    let mut statement = Query::select();
    statement
        .from(AuditEvents::Table)
        .and_where_option(filter.actor_id.map(|id| is(AuditEvents::ActorId).eq(id)))
        .and_where_option(filter.action.map(|action| is(AuditEvents::Action).eq(action.as_str())))
        .and_where_option(filter.object_type.map(|kind| is(AuditEvents::ObjectType).eq(kind.as_str())))
        .and_where_option(filter.object_id.map(|id| is(AuditEvents::ObjectId).eq(id)))
        .and_where_option(filter.address.as_deref().map(|address| is(AuditEvents::Address).eq(address)))
        .and_where_option(filter.since.map(|since| is(AuditEvents::CreatedAt).gte(sortable(since))))
        .and_where_option(filter.until.map(|until| is(AuditEvents::CreatedAt).lt(sortable(until))));
    statement
}

/// SQLite compares times as text, and a year of five digits begins with a plus. RFC 3339 reaches it by its offset.
fn sortable(time: DateTime<Utc>) -> DateTime<Utc> {
    let last = DateTime::from_timestamp(253_402_300_799, 0).expect("the last second of 9999");
    if time > last { last } else { time }
}

impl StoredEvent {
    fn read(self) -> Result<AuditEvent, Error> {
        let state = |text: Option<String>| text.map(|text| State::read(&text)).transpose().map_err(Error::internal);
        let (before, after) = (state(self.before)?, state(self.after)?);
        let Self { id, actor_id, action, object_type, object_id, request_id, address, occurrences, .. } = self;
        Ok(AuditEvent {
            id,
            actor_id,
            action,
            object_type,
            object_id,
            before,
            after,
            request_id,
            address,
            occurrences,
            last_at: self.last_at.unwrap_or(self.created_at),
            created_at: self.created_at,
        })
    }
}
