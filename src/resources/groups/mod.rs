//! Groups: what is granted to a group, each of its members may do.
//!
//! Must never be: two groups of one name; a member who is no account.

pub mod api;
pub mod model;
pub mod store;

use async_trait::async_trait;

use self::model::StoredGroup;
use self::store::Membership;
use crate::db::signals::{self, Context, Hook, Refused};
use crate::resources::audit::model::{Action, State};
use crate::resources::audit::{Audited, Event};
use crate::resources::users::model::StoredUser;

/// Takes a user that goes out of their groups. The members of a group that goes may be very many: they go by the schema,
/// and its own event says so.
pub struct EndMemberships;

#[async_trait]
impl Hook<StoredUser> for EndMemberships {
    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        for membership in store::find_memberships(context.tx, row.user.id).await? {
            signals::delete(context.tx, context.by, &membership, context.now).await?;
        }
        Ok(())
    }
}

impl Audited for StoredGroup {
    fn created(&self) -> Event {
        Event::of(Action::GroupCreated, self.group.id).after(self.state())
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        Some(Event::of(Action::GroupUpdated, self.group.id).before(self.state()).after(new.state()))
    }

    fn deleted(&self) -> Event {
        Event::of(Action::GroupDeleted, self.group.id).before(self.state())
    }
}

impl StoredGroup {
    fn state(&self) -> State {
        State { name: Some(self.group.name.clone()), ..State::default() }
    }
}

impl Audited for Membership {
    fn created(&self) -> Event {
        Event::of(Action::MemberAdded, self.group_id).after(self.state())
    }

    fn deleted(&self) -> Event {
        Event::of(Action::MemberRemoved, self.group_id).before(self.state())
    }
}

impl Membership {
    fn state(&self) -> State {
        State { user_id: Some(self.user_id), ..State::default() }
    }
}
