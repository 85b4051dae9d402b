//! `/api/v1/posts/{id}/statistics` and `/api/v1/posts/{id}/share`

use accord_foundation::db::versioned;
use accord_foundation::http::payload::JsonOut;
use accord_foundation::prelude::*;
use poem_openapi::ApiResponse;

use super::CanViewStats;
use super::model::PostStatistics;
use super::store::{self, Count};
use super::tasks;
use crate::resources::posts::Tag;
use crate::resources::posts::model::PostId;
use crate::resources::posts::rules::{self, Reader};

/// The operations.
#[derive(Default)]
pub struct StatisticsApi;

/// The answer of `get_post_statistics`.
#[derive(ApiResponse)]
pub enum StatisticsResponse {
    /// The statistics
    #[oai(status = 200)]
    Found(JsonOut<PostStatistics>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Posts")]
impl StatisticsApi {
    /// Read the statistics of a post
    ///
    /// How often it was viewed and shared, and its votes: for its owner, admins, and who was granted `can_view_stats`,
    /// on all posts or on this one. Reading a post with 200 is a view, unless its owner reads it; 304, HEAD and lists
    /// are none. Views are written every few seconds: a server that crashes loses those since, and one does not show
    /// at once what another has counted.
    #[oai(path = "/posts/:id/statistics", method = "get", operation_id = "get_post_statistics")]
    async fn get(
        &self,
        viewer: Needs<CanViewStats>,
        app: Data<&App>,
        /// The post's identifier
        id: Path<PostId>,
    ) -> Result<StatisticsResponse, Fail<(Forbidden, NotFound)>> {
        let (mut caller, viewer) = viewer.ask(&app.db, Some(id.0.0)).await?;
        let mut conn = caller.read(&app.db).await?;
        let post = rules::visible(versioned::find(&mut conn, id.0).await?, id.0, reader(&caller))?;
        rules::measurable(&post, reader(&caller), viewer)?;
        // the task takes a connection of its own, and a request never holds two
        drop(conn);
        tasks::flush(&app).await?;
        let mut conn = app.db.read().await?;
        let statistics = store::find(&mut conn, id.0).await?.ok_or_else(|| not_found(id.0))?;
        Ok(StatisticsResponse::Found(JsonOut(statistics)))
    }

    /// Share a post
    ///
    /// Counts one more share in the statistics of the post, each time. A post that you may not see is not found.
    #[oai(path = "/posts/:id/share", method = "post", operation_id = "share_post")]
    async fn share(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The post's identifier
        id: Path<PostId>,
    ) -> Result<NoContent, Fail<(NotFound,)>> {
        let mut tx = caller.begin(&app.db).await?;
        rules::visible(versioned::find(&mut tx, id.0).await?, id.0, reader(&caller))?;
        if store::add(&mut tx, Count::Shares, &[(id.0, 1)], app.now()).await? == 0 {
            return Err(not_found(id.0).into());
        }
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

fn reader(caller: &Caller) -> Reader {
    Reader { id: caller.id, role: caller.role }
}

/// The post was deleted between the look and the statement.
fn not_found(id: PostId) -> Error {
    Error::not_found("Post", id)
}
