//! The reasons that `accord permission explain` gives for a post.

use accord_foundation::cli::permission::Says;
use accord_foundation::db::versioned;
use accord_foundation::prelude::*;
use accord_foundation::resources::users::model::User;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::model::{PostId, StoredPost};
use super::rules::{Reader, visible};

/// Says what the rules of posts say, which operations ask before and beside the grants.
pub fn explain<'a>(
    conn: &'a mut Conn,
    user: &'a User,
    id: i64,
    is_demanded: bool,
) -> BoxFuture<'a, DbResult<(Says, &'static str)>> {
    async move {
        let post = versioned::find::<StoredPost>(conn, PostId(id)).await?;
        let is_owner = post.as_ref().is_some_and(|post| post.owner_id == Some(user.id));
        let is_there = post.is_some();
        let is_visible = visible(post, PostId(id), Reader { id: user.id, role: user.role }).is_ok();
        Ok(match (is_there, is_visible, is_owner && is_demanded) {
            (false, ..) => (Says::Denies, "there is no such post"),
            (true, false, _) => (Says::Denies, "it is a draft, which is there for its owner and admins only"),
            (true, true, true) => (Says::Allows, "the user owns it, and needs no grant"),
            (true, true, false) => (Says::Neither, "it is there, and the user may read it"),
        })
    }
    .boxed()
}
