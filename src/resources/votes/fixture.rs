//! The fixture model of votes.

use accord_foundation::db::keyset::whole;
use accord_foundation::db::signals::{self, Actor};
use accord_foundation::fixtures::keys::Keys;
use accord_foundation::fixtures::loader::{Loader, Refusal};
use accord_foundation::fixtures::models::{Loaded, Model, Properties, Schema, read, text, written};
use accord_foundation::prelude::*;
use accord_foundation::resources::users::fixture::User;
use async_trait::async_trait;

use super::store::{self, StoredVote};
use crate::resources::posts::fixture::{Key, Post, key};
use crate::resources::posts::model::PostId;

/// A vote of a user for a post.
pub struct Vote;

#[derive(Serialize, Deserialize)]
struct VoteFields {
    post: Key,
    user: String,
}

#[async_trait(?Send)]
impl Model for Vote {
    fn name(&self) -> &'static str {
        "votes.Vote"
    }

    fn schema(&self) -> Schema {
        Schema::empty().with("post", key()).with("user", text())
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let VoteFields { post, user } = read(properties)?;
        let post_id = PostId(loader.id::<Post>("post", &post).await?);
        let user_id = loader.id::<User>("user", &user).await?;
        let row = (post_id.0, user_id);
        if store::find(loader.tx, post_id, user_id).await?.is_some() {
            return Ok(Loaded::unchanged(row));
        }
        let values = StoredVote { post_id, user_id };
        signals::insert_new::<StoredVote>(loader.tx, Actor::default(), values, accord_foundation::app::now()).await?;
        Ok(Loaded::new(row))
    }

    async fn dump(&self, conn: &mut Conn, keys: &Keys) -> DbResult<Vec<Properties>> {
        let page = async |after, limit| store::list(conn, after, limit).await;
        let rows = whole(page, |row: &StoredVote| (row.post_id, row.user_id)).await?;
        let fields = |row: &StoredVote| {
            Some(VoteFields {
                post: Key::Post(keys.key::<Post, _>(row.post_id.0)?),
                user: keys.text::<User>(row.user_id)?,
            })
        };
        Ok(rows.iter().filter_map(fields).map(|fields| written(&fields)).collect())
    }
}
