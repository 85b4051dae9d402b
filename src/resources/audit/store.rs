//! All SQL for the audit: it is written and read, never changed; a trigger refuses that also by hand.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sqlx::FromRow;

use super::Event;
use super::model::{Action, AuditEvent, ObjectType, State};
use crate::db::keyset::newest;
use crate::db::signals::Actor;
use crate::db::tables::AuditEvents;
use crate::db::{Conn, DbResult, Unsignalled};
use crate::error::Error;

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
    created_at: DateTime<Utc>,
}

/// Writes an event.
pub async fn insert(conn: &mut Conn, by: Actor<'_>, event: Event, now: DateTime<Utc>) -> DbResult<()> {
    let text = |state: Option<State>| state.map(|state| serde_json::to_string(&state).expect("plain data"));
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
            AuditEvents::CreatedAt,
        ])
        .values_panic([
            by.user_id.into(),
            event.action.word().into(),
            event.action.object_type().word().into(),
            event.object_id.into(),
            text(event.before).into(),
            text(event.after).into(),
            by.request_id.map(str::to_owned).into(),
            now.into(),
        ])
        .take();
    conn.write(AuditEvents::FREE, &statement).await?;
    Ok(())
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
        .and_where_option(filter.action.map(|action| is(AuditEvents::Action).eq(action.word())))
        .and_where_option(filter.object_type.map(|kind| is(AuditEvents::ObjectType).eq(kind.word())))
        .and_where_option(filter.object_id.map(|id| is(AuditEvents::ObjectId).eq(id)))
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
        let state =
            |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose().map_err(Error::internal);
        let (before, after) = (state(self.before)?, state(self.after)?);
        let Self { id, actor_id, action, object_type, object_id, request_id, created_at, .. } = self;
        Ok(AuditEvent { id, actor_id, action, object_type, object_id, before, after, request_id, created_at })
    }
}
