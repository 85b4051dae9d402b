//! The hook that sends the changes of rows to webhooks.

use async_trait::async_trait;

use super::events::{Change, EventType, OutgoingEvent, Published};
use super::{is_served, publish, store};
use crate::db::signals::{Context, Hook, Phase, Refused};

/// Inserts the event of each change, once a webhook wants events.
pub struct PublishEvents;

async fn tell<R: Published>(context: &mut Context<'_>, change: Change, row: &R) -> Result<(), Refused> {
    let Some(event_type) = R::event_type(change).filter(|_| is_served()) else { return Ok(()) };
    // before the row is copied
    if store::is_any_enabled(context.tx).await? {
        let event = OutgoingEvent::new(event_type, &R::Data::from(row.clone()), context.now);
        publish(context.tx, &event, context.now).await?;
    }
    Ok(())
}

#[async_trait]
impl<R: Published> Hook<R> for PublishEvents {
    fn events(&self) -> Vec<&'static str> {
        let changes = [Change::Created, Change::Updated, Change::Deleted];
        changes.into_iter().filter_map(R::event_type).map(EventType::as_str).collect()
    }

    fn phase(&self) -> Phase {
        Phase::Publish
    }

    async fn after_insert(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        tell(context, Change::Created, row).await
    }

    async fn after_update(&self, context: &mut Context<'_>, _: &R, new: &R) -> Result<(), Refused> {
        tell(context, Change::Updated, new).await
    }

    async fn after_delete(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        tell(context, Change::Deleted, row).await
    }
}
