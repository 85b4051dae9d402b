//! The hook that tells webhooks what has changed, and how each kind of row is told.

use async_trait::async_trait;

use super::events::{
    Event, GivenVote, GrantEventType, GroupEventType, MemberEventType, Membership as Member, PermissionEventType,
    PostEventType, UserEventType, VoteEventType,
};
use super::{announce, store};
use crate::db::signals::{Context, Hook, Refused, Signalled};
use crate::resources::grants::model::Grant;
use crate::resources::groups::model::{Group, StoredGroup};
use crate::resources::groups::store::Membership;
use crate::resources::permissions::model::{Permission, StoredPermission};
use crate::resources::posts::model::{Post, StoredPost};
use crate::resources::users::model::{Account, StoredUser};
use crate::resources::votes::store::StoredVote;

/// Tells webhooks every change of a row that has a shape for them.
pub struct Announce;

/// What has become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is there.
    Created,
    /// It is another.
    Updated,
    /// It is gone.
    Deleted,
}

/// A row that webhooks are told of.
pub trait Told: Signalled {
    /// The resource as the API shows it.
    type Data: From<Self> + Send + Sync;

    /// The event; none where rows of the kind are not changed.
    fn event(change: Change, data: &Self::Data) -> Option<Event<'_>>;
}

async fn tell<R: Told>(context: &mut Context<'_>, change: Change, row: &R) -> Result<(), Refused> {
    // before the row is copied
    if store::is_any_enabled(context.tx).await? {
        let data = R::Data::from(row.clone());
        if let Some(event) = R::event(change, &data) {
            announce(context.tx, &event, context.now).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl<R: Told> Hook<R> for Announce {
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

/// Says of each row what it is told as: its data, its kind of event, and the event of each change.
macro_rules! told {
    ($($row:ty as $data:ty => $kind:ident($types:ident) { $($change:ident = $one:ident),* })*) => {
        $(impl Told for $row {
            type Data = $data;

            fn event(change: Change, data: &$data) -> Option<Event<'_>> {
                match change {
                    $(Change::$change => Some(Event::$kind($types::$one, data)),)*
                    #[allow(unreachable_patterns, reason = "rows of some kinds are also changed")]
                    _ => None,
                }
            }
        })*
    };
}

told! {
    StoredUser as Account => User(UserEventType) { Created = Created, Updated = Updated, Deleted = Deleted }
    StoredGroup as Group => Group(GroupEventType) { Created = Created, Updated = Updated, Deleted = Deleted }
    Membership as Member => Member(MemberEventType) { Created = Added, Deleted = Removed }
    StoredPermission as Permission => Permission(PermissionEventType) { Created = Created, Updated = Updated, Deleted = Deleted }
    Grant as Grant => Grant(GrantEventType) { Created = Created, Deleted = Deleted }
    StoredPost as Post => Post(PostEventType) { Created = Created, Updated = Updated, Deleted = Deleted }
    StoredVote as GivenVote => Vote(VoteEventType) { Created = Added, Deleted = Removed }
}

impl From<StoredUser> for Account {
    fn from(row: StoredUser) -> Self {
        Self { user: row.user }
    }
}

impl From<StoredGroup> for Group {
    fn from(row: StoredGroup) -> Self {
        row.group
    }
}

impl From<Membership> for Member {
    fn from(row: Membership) -> Self {
        Self { group_id: row.group_id, user_id: row.user_id }
    }
}

impl From<StoredVote> for GivenVote {
    fn from(row: StoredVote) -> Self {
        Self { post_id: row.post_id, user_id: row.user_id }
    }
}
