//! Posts: what a user writes and others read.
//!
//! Must never be: a draft shown to anyone but its owner and admins; a change that overwrites one the writer has not seen.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;

use async_trait::async_trait;

use self::model::StoredPost;
use crate::db::signals::{Actor, Context, Hook, Refused};
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{self, Event};

/// Records in the audit what admins and holders of a grant do to the posts of others. Changes by the owner are no events.
pub struct RecordChangesByOthers;

impl RecordChangesByOthers {
    fn is_by_another(by: Actor<'_>, post: &StoredPost) -> bool {
        by.user_id.is_some() && by.user_id != post.owner_id
    }
}

#[async_trait]
impl Hook<StoredPost> for RecordChangesByOthers {
    async fn after_update(&self, context: &mut Context<'_>, old: &StoredPost, new: &StoredPost) -> Result<(), Refused> {
        if !Self::is_by_another(context.by, old) {
            return Ok(());
        }
        let fields = [
            ("title", old.title != new.title),
            ("content", old.content != new.content),
            ("published", old.published != new.published),
            ("rating", old.rating != new.rating),
        ];
        let changed = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field.to_owned()).collect();
        let event = Event::of(Action::PostUpdated, old.id);
        let event = event.before(old.state()).after(State { changed: Some(changed), ..new.state() });
        Ok(audit::record(context.tx, context.by, event).await?)
    }

    async fn after_delete(&self, context: &mut Context<'_>, row: &StoredPost) -> Result<(), Refused> {
        if !Self::is_by_another(context.by, row) {
            return Ok(());
        }
        let event = Event::of(Action::PostDeleted, row.id).before(row.state());
        Ok(audit::record(context.tx, context.by, event).await?)
    }
}

impl StoredPost {
    /// The state that the audit stores: the owner, and no text.
    fn state(&self) -> State {
        State { user_id: self.owner_id, ..State::default() }
    }
}
