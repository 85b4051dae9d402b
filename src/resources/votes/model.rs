//! What goes over the wire for votes.

use accord_foundation::prelude::*;
use poem_openapi::types::Example;

use super::store::StoredVote;
use crate::resources::posts::model::PostId;

/// A vote to add or to take back
#[derive(Debug, Object)]
#[oai(example)]
pub struct Vote {
    /// The post's identifier
    pub post_id: PostId,
    /// 1 adds your vote, 0 takes it back
    #[oai(validator(minimum(value = "0"), maximum(value = "1")))]
    pub vote_dir: i32,
}

impl Example for Vote {
    fn example() -> Self {
        Self { post_id: PostId(1), vote_dir: 1 }
    }
}

/// What became of a vote
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct VoteResult {
    /// One sentence for a person
    pub message: String,
    /// The post's identifier
    pub post_id: PostId,
    /// How many users have voted for the post now
    #[oai(validator(minimum(value = "0")))]
    pub votes: i64,
}

impl Example for VoteResult {
    fn example() -> Self {
        Self { message: "successfully added vote".into(), post_id: PostId(1), votes: 4 }
    }
}

/// A user's vote for a post
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct GivenVote {
    /// The post's identifier
    pub post_id: PostId,
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub user_id: i64,
}

impl Example for GivenVote {
    fn example() -> Self {
        Self { post_id: PostId(1), user_id: 2 }
    }
}

impl From<StoredVote> for GivenVote {
    fn from(row: StoredVote) -> Self {
        Self { post_id: row.post_id, user_id: row.user_id }
    }
}
