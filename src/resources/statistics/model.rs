//! What goes over the wire for the statistics of a post.

use accord_foundation::prelude::*;
use poem_openapi::types::Example;

/// How a post is received
#[derive(Debug, Object, Serialize, FromRow)]
#[oai(example)]
pub struct PostStatistics {
    /// How often others than its owner have read it
    #[oai(validator(minimum(value = "0")))]
    pub view_number: i64,
    /// How often it was shared
    #[oai(validator(minimum(value = "0")))]
    pub shared_number: i64,
    /// How many users voted for it
    #[oai(validator(minimum(value = "0")))]
    pub votes: i64,
}

impl Example for PostStatistics {
    fn example() -> Self {
        Self { view_number: 42, shared_number: 7, votes: 3 }
    }
}
