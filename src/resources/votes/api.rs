//! `POST /api/v1/vote`

use accord_foundation::db::signals::{self, Refused};
use accord_foundation::db::versioned;
use accord_foundation::http::payload::JsonOut;
use accord_foundation::prelude::*;
use poem_openapi::ApiResponse;

use super::Tag;
use super::model::{Vote, VoteResult};
use super::store::{self, StoredVote};
use super::{ALREADY_VOTED, NOT_VOTED};
use crate::resources::posts::model::PostId;
use crate::resources::posts::rules::{Reader, visible};

/// The operations.
#[derive(Default)]
pub struct VotesApi;

/// The answer of `vote`.
#[derive(ApiResponse)]
pub enum VoteResponse {
    /// The vote was taken back
    #[oai(status = 200)]
    Removed(JsonOut<VoteResult>),
    /// The vote was added
    #[oai(status = 201)]
    Added(JsonOut<VoteResult>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Votes")]
impl VotesApi {
    /// Vote for a post
    ///
    /// `"vote_dir": 1` adds your vote: 409 if you have voted already. `"vote_dir": 0` takes it back: 404
    /// `not_voted` if there is none. A post that you may not see is not found.
    #[oai(path = "/vote", method = "post", operation_id = "vote")]
    async fn vote(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        body: JsonIn<Vote>,
    ) -> Result<VoteResponse, Fail<(NotFound, Conflict)>> {
        let Vote { post_id, vote_dir } = body.0;
        let mut tx = caller.begin(&app.db).await?;
        let reader = Reader { id: caller.id, role: caller.role };
        let post = if vote_dir == 1 {
            versioned::find(&mut tx, post_id).await?
        } else {
            store::hold(&mut tx, caller.id).await?;
            versioned::find_to_change(&mut tx, post_id).await?
        };
        visible(post, post_id, reader)?;
        let now = app.now();
        if vote_dir == 1 {
            let vote = StoredVote { post_id, user_id: caller.id };
            let added = signals::insert::<StoredVote>(&mut tx, &caller, vote, now).await;
            added.map_err(|refused| gone(refused, post_id))?.ok_or_else(already_voted)?;
        } else {
            let vote = store::find(&mut tx, post_id, caller.id).await?.ok_or_else(not_voted)?;
            if !signals::delete(&mut tx, &caller, &vote, now).await? {
                return Err(not_voted().into());
            }
        }
        let votes = store::count_of(&mut tx, post_id).await?;
        tx.commit().await?;
        Ok(match vote_dir {
            1 => VoteResponse::Added(result("successfully added vote", post_id, votes)),
            _ => VoteResponse::Removed(result("successfully deleted vote", post_id, votes)),
        })
    }
}

fn result(message: &str, post_id: PostId, votes: i64) -> JsonOut<VoteResult> {
    JsonOut(VoteResult { message: message.into(), post_id, votes })
}

fn already_voted() -> Error {
    Error::new(ALREADY_VOTED, "A post takes one vote of a user; vote_dir 0 takes it back.")
}

fn not_voted() -> Error {
    Error::new(NOT_VOTED, "You have not voted for this post.")
}

/// The post was deleted between the look and the vote.
fn gone(refused: Refused, post_id: PostId) -> Error {
    if refused.violates(store::POST) {
        return Error::not_found("Post", post_id);
    }
    refused.into()
}
