//! Groups: what is granted to a group, each of its members may do.
//!
//! Must never be: two groups of one name; a member who is no account.

pub mod api;
pub mod fixture;
pub mod model;
pub mod store;

use async_trait::async_trait;
use serde::Serialize;

use self::model::Group;
use self::model::Membership as Member;
use self::store::Membership;
use crate::actions;
use crate::application::Resource;
use crate::auth::permission::Target;
use crate::db::signals::{self, Context, Hook, Phase, Refused};
use crate::events;
use crate::resources::audit::Audit;
use crate::resources::audit::{Audited, Event};
use crate::resources::users::model::StoredUser;
use crate::resources::webhooks::hook::PublishEvents;
use crate::server::document::Api;
use crate::server::normalise::Thing;

events! {
    /// An event about a group
    GroupEvent(GroupEventType): Group = "group" |group| group.id, {
        Created = "group.created", "A group was made";
        Updated = "group.updated", "A group was renamed";
        Deleted = "group.deleted", "A group was deleted, and nobody is a member any more";
    }
    for Group { Created => Created, Updated => Updated, Deleted => Deleted }

    /// An event about a member of a group
    MemberEvent(MemberEventType): Member = "group" |member| member.group_id, {
        Added = "member.added", "A user came into a group";
        Removed = "member.removed", "A user was taken out of a group";
    }
    for Membership { Created => Added, Deleted => Removed }
}

/// Groups of users.
pub static RESOURCE: Resource = Resource {
    name: "groups",
    apis: &[Api::of::<api::GroupsApi>()],
    things: &[Thing { path: "/api/v1/groups/{id}", name: "Group", variable: "id" }],
    hooks: |hooks, _| {
        hooks
            .entity::<Group>()
            .on::<Group, _>(Audit)
            .on::<Group, _>(PublishEvents)
            .entity::<Membership>()
            .on::<Membership, _>(Audit)
            .on::<Membership, _>(PublishEvents)
            .on::<StoredUser, _>(EndMemberships)
    },
    targets: &[Target::GROUPS],
    actions: ACTIONS,
    events: EVENTS,
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    models: &[&fixture::Group::MODEL, &fixture::Membership],
    ..Resource::EMPTY
};

actions! { "group":
    GROUP_CREATED = "group_created", "A group was made";
    GROUP_UPDATED = "group_updated", "A group was renamed";
    GROUP_DELETED = "group_deleted", "A group was deleted, with its memberships and grants";
    MEMBER_ADDED = "member_added", "A user came into a group";
    MEMBER_REMOVED = "member_removed", "A user was taken out of a group";
}

/// Takes a user that goes out of their groups. The members of a group that goes may be very many: they go by the schema,
/// and its own event says so.
pub struct EndMemberships;

#[async_trait]
impl Hook<StoredUser> for EndMemberships {
    fn phase(&self) -> Phase {
        Phase::End
    }

    fn ends(&self) -> &'static [&'static str] {
        &["memberships"]
    }

    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        for membership in store::find_memberships(context.tx, row.user.id).await? {
            signals::delete(context.tx, context.by, &membership, context.now).await?;
        }
        Ok(())
    }
}

impl Audited for Group {
    fn created(&self) -> Event {
        Event::of(GROUP_CREATED, self.id).after(&self.state())
    }

    fn updated(&self, new: &Self) -> Option<Event> {
        Some(Event::of(GROUP_UPDATED, self.id).before(&self.state()).after(&new.state()))
    }

    fn deleted(&self) -> Event {
        Event::of(GROUP_DELETED, self.id).before(&self.state())
    }
}

/// The state of a group that the audit records.
#[derive(Serialize)]
struct State<'a> {
    name: &'a str,
}

impl Group {
    fn state(&self) -> State<'_> {
        State { name: &self.name }
    }
}

impl Audited for Membership {
    fn created(&self) -> Event {
        Event::of(MEMBER_ADDED, self.group_id).after(&self.state())
    }

    fn deleted(&self) -> Event {
        Event::of(MEMBER_REMOVED, self.group_id).before(&self.state())
    }
}

/// The member of a group, as the audit records it.
#[derive(Serialize)]
struct MemberState {
    user_id: i64,
}

impl Membership {
    fn state(&self) -> MemberState {
        MemberState { user_id: self.user_id }
    }
}
