//! Posts: what a user writes and others read.
//!
//! Must never be: a draft shown to anyone but its owner and admins; a change that overwrites one the writer has not seen.

pub mod api;
pub mod explain;
pub mod fixture;
pub mod model;
pub mod rules;
pub mod store;
pub mod tables;

use accord_foundation::actions;
use accord_foundation::auth::permission::{Entry, Target};
use accord_foundation::db::signals::{Actor, Context, Hook, Phase, Refused};
use accord_foundation::events;
use accord_foundation::prelude::*;
use accord_foundation::resources::audit::{self, Event};
use accord_foundation::resources::grants::store::Filter;
use accord_foundation::resources::grants::{EndGrants, InGrants, on};
use accord_foundation::resources::webhooks::hook::PublishEvents;
use accord_foundation::server::normalise::Note;
use async_trait::async_trait;
use serde::Serialize;

use self::model::Post;
use self::model::StoredPost;

/// The chapter of the document.
#[derive(Tags)]
pub enum Tag {
    /// What users write and others read. Lists page by cursor; changes need `If-Match`.
    Posts,
}

/// Posts.
pub const POSTS: Target = Target::new("posts", "posts", "id");

/// Statistics of posts, by the id of the post: a post that nobody has viewed has statistics, too.
pub const POST_STATISTICS: Target = Target::new("post_statistics", "posts", "id");

permissions! {
    CanEditPost = "can_edit_post" on Some(POSTS), "Change the published posts of others";
    CanDeletePost = "can_delete_post" on Some(POSTS), "Delete the published posts of others";
}

events! {
    /// An event about a post
    PostEvent(PostEventType): Post = "post" |post| post.id, {
        Created = "post.created", "A post was written";
        Updated = "post.updated", "A post was changed";
        Deleted = "post.deleted", "A post was deleted";
    }
    for StoredPost { Created => Created, Updated => Updated, Deleted => Deleted }
}

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "posts",
    apis: &[Api::of::<api::PostsApi>()],
    things: &[Thing { path: "/api/v1/posts/{id}", name: "Post", variable: "id" }],
    notes: &[
        Note { operation: "delete_user", text: ", its posts stay with `\"owner\": null`" },
        Note { operation: "delete_user_by_id", text: ", its posts stay with `\"owner\": null`" },
        Note { operation: "list_audit_events", text: ", what others than its owner did to a post" },
    ],
    tables: tables::declared,
    hooks: |hooks, _| {
        hooks
            .entity::<StoredPost>()
            .on::<StoredPost, _>(EndGrants)
            .on::<StoredPost, _>(RecordChangesByOthers)
            .on::<StoredPost, _>(PublishEvents)
    },
    permissions: PERMISSIONS,
    open_permissions: &[
        &Entry { name: "can_create_post", target: Some(POSTS), description: "Write posts, as every account may" },
        &Entry {
            name: "can_read_post",
            target: Some(POSTS),
            description: "Read published posts, as every account may",
        },
    ],
    targets: &[POSTS],
    explain: &[(POSTS, explain::explain)],
    actions: ACTIONS,
    events: EVENTS,
    models: &[&fixture::Post],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

actions! { "post":
    POST_UPDATED = "post_updated", "An admin or the holder of a grant changed a post of somebody else";
    POST_DELETED = "post_deleted", "An admin or the holder of a grant deleted a post of somebody else";
}

/// Records in the audit what admins and holders of a grant do to the posts of others. Changes by the owner are no events.
pub struct RecordChangesByOthers;

impl RecordChangesByOthers {
    fn is_by_another(by: Actor<'_>, post: &StoredPost) -> bool {
        by.user_id.is_some() && by.user_id != post.owner_id
    }
}

impl InGrants for StoredPost {
    fn grants(&self) -> Vec<Filter> {
        vec![on(POSTS, self.id.0), on(POST_STATISTICS, self.id.0)]
    }
}

#[async_trait]
impl Hook<StoredPost> for RecordChangesByOthers {
    fn phase(&self) -> Phase {
        Phase::Record
    }

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
        let changed = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
        let event = Event::of(POST_UPDATED, old.id.0);
        let event = event.before(&old.state()).after(&State { changed: Some(changed), ..new.state() });
        Ok(audit::record(context.tx, context.by, event).await?)
    }

    async fn after_delete(&self, context: &mut Context<'_>, row: &StoredPost) -> Result<(), Refused> {
        if !Self::is_by_another(context.by, row) {
            return Ok(());
        }
        let event = Event::of(POST_DELETED, row.id.0).before(&row.state());
        Ok(audit::record(context.tx, context.by, event).await?)
    }
}

/// The state of a post that the audit records: the owner, and no text.
#[derive(Serialize)]
struct State {
    /// The names of changed fields.
    changed: Option<Vec<&'static str>>,
    user_id: Option<i64>,
}

impl StoredPost {
    fn state(&self) -> State {
        State { changed: None, user_id: self.owner_id }
    }
}
