//! One folder a resource, the same rooms in each: `api.rs` (HTTP), `model.rs` (wire types), `rules.rs` (pure), `store.rs` (SQL).

pub mod info;
pub mod posts;
pub mod sessions;
pub mod users;
pub mod votes;

use poem_openapi::Tags;

/// The chapters of the document, in its order.
#[derive(Tags)]
pub enum Tag {
    /// Your own account: register, read, change, delete.
    Account,
    /// Logging in and out. Access tokens live 15 minutes; refresh tokens live 30 days, work once, and give the next pair.
    Session,
    /// What users write and others read. Lists page by cursor; changes need `If-Match`.
    Posts,
    /// At most one vote of a user for a post.
    Votes,
    /// What is running here.
    Info,
}

/// The one list of resources: what is in it is served and documented.
pub type Apis =
    (users::api::AccountApi, sessions::api::SessionApi, posts::api::PostsApi, votes::api::VotesApi, info::api::InfoApi);

/// The list, as values.
pub fn apis() -> Apis {
    (users::api::AccountApi, sessions::api::SessionApi, posts::api::PostsApi, votes::api::VotesApi, info::api::InfoApi)
}

/// An answer without content.
#[derive(poem_openapi::ApiResponse)]
pub enum NoContent {
    /// Done; there is nothing to say
    #[oai(status = 204)]
    Done,
}
