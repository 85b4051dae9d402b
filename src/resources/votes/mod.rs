//! Votes: a user votes for a post at most once; the count stands in the post's row.
//!
//! Must never be: a count that differs from the number of rows.

pub mod api;
pub mod fixture;
pub mod model;
pub mod store;
pub mod tables;

use accord_foundation::db::signals::{Context, Hook, Phase, Refused};
use accord_foundation::events;
use accord_foundation::prelude::*;
use accord_foundation::resources::users::model::StoredUser;
use accord_foundation::resources::webhooks::hook::PublishEvents;
use accord_foundation::server::normalise::Note;
use async_trait::async_trait;

use self::model::GivenVote;
use self::store::StoredVote;
use crate::resources::posts::tables::Posts;

/// The chapter of the document.
#[derive(Tags)]
pub enum Tag {
    /// At most one vote of a user for a post.
    Votes,
}

events! {
    /// An event about a vote
    VoteEvent(VoteEventType): GivenVote = "post" |vote| vote.post_id, {
        Added = "vote.added", "A user voted for a post";
        Removed = "vote.removed", "A user took a vote back";
    }
    for StoredVote { Created => Added, Deleted => Removed }
}

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "votes",
    apis: &[Api::of::<api::VotesApi>()],
    notes: &[
        Note { operation: "delete_user", text: ", its votes are taken back" },
        Note { operation: "delete_user_by_id", text: ", its votes are taken back" },
    ],
    tables: tables::declared,
    hooks: |hooks, _| {
        hooks
            .entity::<StoredVote>()
            .also_changes::<StoredVote, Posts>()
            .on::<StoredVote, _>(PublishEvents)
            .on::<StoredUser, _>(UncountVotes)
    },
    events: EVENTS,
    codes: CODES,
    models: &[&fixture::Vote],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

/// Counts down the votes of an account that is deleted.
pub struct UncountVotes;

#[async_trait]
impl Hook<StoredUser> for UncountVotes {
    fn phase(&self) -> Phase {
        Phase::Lock
    }

    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        Ok(store::uncount_of(context.tx, row.user.id).await?)
    }
}

codes! {
    NOT_VOTED = 404 "not_voted", "There is no vote to remove";
    ALREADY_VOTED = 409 "already_voted", "The caller has voted already";
}
