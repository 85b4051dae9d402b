//! `/api/v1/authors`

use accord_foundation::prelude::*;

use super::model::{Author, AuthorCreate, AuthorId, AuthorPage, AuthorUpdate};
use super::{CanCurate, Tag};

/// The operations.
#[derive(Default)]
pub struct AuthorsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Authors")]
impl AuthorsApi {
    /// List authors
    ///
    /// Page by page, the newest first.
    #[oai(path = "/authors", method = "get", operation_id = "list_authors")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// authors
        paging: Paging,
        with_total: WithTotal,
    ) -> Result<Listed<AuthorPage>, Fail<()>> {
        Ok(crud::list::<Author, _>(&mut caller, &app, paging.newest("authors")?, &with_total, Condition::all()).await?)
    }

    /// Add an author
    ///
    /// Admins and who was granted `can_curate` may do it.
    #[oai(path = "/authors", method = "post", operation_id = "create_author")]
    async fn create(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<AuthorCreate>,
    ) -> Result<Keyed<Created<Author>>, CreateFail> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        let author = change.insert::<Author>(body.0).await?;
        Ok(key.commit(change, crud::created(author)).await?)
    }

    /// Read an author
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content.
    #[oai(path = "/authors/:id", method = "get", operation_id = "get_author")]
    async fn get(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// The author's identifier
        id: Path<AuthorId>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Author>, Fail<(NotFound,)>> {
        Ok(crud::read::<Author>(&mut caller, &app, id.0, &if_none_match).await?)
    }

    /// Change an author
    ///
    /// `If-Match` must name the version you have read: without it 428, with another version 412.
    #[oai(path = "/authors/:id", method = "patch", operation_id = "update_author")]
    async fn update(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The author's identifier
        id: Path<AuthorId>,
        if_match: IfMatch,
        body: JsonIn<AuthorUpdate>,
    ) -> Result<Changed<Author>, ChangeFail> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        let author = change.find::<Author>(id.0, &if_match).await?;
        let name = body.0.name.unwrap_or_else(|| author.name.clone());
        Ok(change.updated(&author, AuthorCreate { name }).await?)
    }

    /// Delete an author
    ///
    /// An author with books stays: 409 `vetoed`. `If-Match` works as in changing an author.
    #[oai(path = "/authors/:id", method = "delete", operation_id = "delete_author")]
    async fn delete(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The author's identifier
        id: Path<AuthorId>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let mut curator = curator.require(&app.db).await?;
        let mut change = curator.change(&app).await?;
        let author = change.find::<Author>(id.0, &if_match).await?;
        Ok(change.deleted(&author).await?)
    }
}
