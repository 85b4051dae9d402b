//! The audit: who changed what may be done, who logged in and out or failed to, and from where.
//!
//! Each event is written in the transaction of what it tells, so neither is there without the other. Failed logins are
//! aggregated, because strangers cause them: eleven rows at most for each hour, account, client network and reason. Rows go only
//! when they are older than `audit_ttl` (`tasks`).
//! Must never be: a password, hash, token, e-mail address or name of a person in an event; an event that is changed.

pub mod api;
pub mod model;
pub mod store;
pub mod tables;
pub mod tasks;

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use self::model::{Action, State};
use crate::application::Resource;
use crate::config::{A_DAY, A_YEAR, Setting};
use crate::db::migrate::script;
use crate::db::signals::{Actor, Context, Hook, Phase, Refused, Signalled};
use crate::db::{Conn, DbResult};
use crate::declared;
use crate::server::document::Api;
use crate::tasks::Kind;

/// Seconds that events are kept.
pub const AUDIT_TTL: Setting = Setting::number_or_zero("audit_ttl", A_DAY, 10 * A_YEAR, "keep events for ever");

/// The audit.
pub static RESOURCE: Resource = Resource {
    name: "audit",
    apis: &[Api::of::<api::AuditApi>()],
    tables: tables::declared,
    migrations: &[script!("0002_audit")],
    jobs: &[Kind::every::<tasks::PurgeAuditEvents>(|config| match config.number(&AUDIT_TTL) {
        0 => Duration::ZERO,
        _ => Duration::from_secs(config.tasks.purge_interval),
    })],
    settings: &[AUDIT_TTL],
    contract: include_str!("contract.yaml"),
    ..Resource::EMPTY
};

/// What is written down.
#[derive(Debug)]
pub struct Event {
    action: Action,
    object_id: Option<i64>,
    before: Option<State>,
    after: Option<State>,
    by_itself: bool,
    is_aggregated: bool,
}

impl Event {
    /// Something that was done to an object.
    pub fn of(action: Action, object_id: impl Into<Option<i64>>) -> Self {
        Self { action, object_id: object_id.into(), before: None, after: None, by_itself: false, is_aggregated: false }
    }

    /// The state of the object before: a type of its resource. The document describes the fields of all states.
    #[must_use]
    pub fn before(self, state: &impl Serialize) -> Self {
        Self { before: Some(State::new(state)), ..self }
    }

    /// The state of the object after.
    #[must_use]
    pub fn after(self, state: &impl Serialize) -> Self {
        Self { after: Some(State::new(state)), ..self }
    }

    /// An event that strangers can cause as often as they like: most events of an hour are counted in one row.
    #[must_use]
    pub fn aggregated(self) -> Self {
        Self { is_aggregated: true, ..self }
    }

    /// In a request of nobody, the object itself has done it.
    #[must_use]
    pub fn by_itself(self) -> Self {
        Self { by_itself: true, ..self }
    }
}

/// Writes down what is done, in the transaction that does it. An application without the audit records nothing.
///
/// # Errors
/// 503 when the database is away.
pub async fn record(conn: &mut Conn, by: impl Into<Actor<'_>>, event: Event) -> DbResult<()> {
    if !declared::has(RESOURCE.name) {
        return Ok(());
    }
    let mut by = by.into();
    if event.by_itself && by.request_id.is_some() {
        by.user_id = by.user_id.or(event.object_id);
    }
    store::insert(conn, by, event, crate::app::now()).await
}

/// A row whose changes are written down.
pub trait Audited: Signalled {
    /// It is there.
    fn created(&self) -> Event;

    /// It is like `new`; none where rows are not changed.
    fn updated(&self, _new: &Self) -> Option<Event> {
        None
    }

    /// It is gone.
    fn deleted(&self) -> Event;
}

/// Writes down every change of an audited row.
pub struct Audit;

#[async_trait]
impl<R: Audited> Hook<R> for Audit {
    fn phase(&self) -> Phase {
        Phase::Record
    }

    async fn after_insert(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        Ok(record(context.tx, context.by, row.created()).await?)
    }

    async fn after_update(&self, context: &mut Context<'_>, old: &R, new: &R) -> Result<(), Refused> {
        if let Some(event) = old.updated(new) {
            record(context.tx, context.by, event).await?;
        }
        Ok(())
    }

    async fn after_delete(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        Ok(record(context.tx, context.by, row.deleted()).await?)
    }
}
