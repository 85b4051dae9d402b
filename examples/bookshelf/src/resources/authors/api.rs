//! `/api/v1/authors`

use accord_foundation::app::App;
use accord_foundation::auth::access::Held;
use accord_foundation::auth::{Caller, Needs};
use accord_foundation::db::signals::{self, Refused};
use accord_foundation::error::{Code, Error};
use accord_foundation::http::answer::{Changed, Created, Found, Listed};
use accord_foundation::http::etag::IfMatch;
use accord_foundation::http::fail::{
    Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable,
};
use accord_foundation::http::parameters::{IfNoneMatch, Paging, WithTotal};
use accord_foundation::http::payload::{JsonIn, JsonOut};
use accord_foundation::resources::NoContent;
use accord_foundation::resources::idempotency::{Idempotent, Keyed};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::model::{Author, AuthorCreate, AuthorId, AuthorPage, AuthorUpdate, StoredAuthor};
use super::{CanCurate, Tag, store};

/// The operations.
#[derive(Default)]
pub struct AuthorsApi;

/// The errors of a change.
type ChangeFail = Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>;

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
        let page = paging.newest("authors")?;
        let mut conn = caller.read(&app.db).await?;
        let mut rows = store::list(&mut conn, page.before, page.rows()).await?;
        let next = page.cut(&mut rows, |row| row.author.id.0);
        let total = if with_total.0 { Some(store::count(&mut conn).await?) } else { None };
        let items = rows.into_iter().map(|row| row.author).collect();
        Ok(Listed::Page(JsonOut(AuthorPage { items, next, total })))
    }

    /// Add an author
    ///
    /// Admins and who was granted `can_curate` may do it.
    #[oai(path = "/authors", method = "post", operation_id = "create_author")]
    async fn create(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// Makes it safe to send the request again: with the same key it is done once within 24 hours, and answered the same
        #[oai(name = "Idempotency-Key")]
        key: Idempotent,
        body: JsonIn<AuthorCreate>,
    ) -> Result<Keyed<Created<Author>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        let row = signals::insert_new::<StoredAuthor>(&mut tx, &caller, body.0.name, app.now()).await;
        let (author, tag) = row.map_err(name_in_use)?.tagged();
        let location = format!("/api/v1/authors/{}", author.id);
        Ok(key.commit(tx, Created::Created(JsonOut(author), location, tag)).await?)
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
        let mut conn = caller.read(&app.db).await?;
        let row = store::find(&mut conn, id.0).await?.ok_or_else(|| not_found(id.0))?;
        Ok(Found::unless_current(row.tagged(), if_none_match.0.as_deref()))
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
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| not_found(id.0))?;
        if_match.allows(before.version)?;
        let name = body.0.name.unwrap_or_else(|| before.author.name.clone());
        let row = signals::update_unchanged(&mut tx, &caller, &before, name, app.now()).await.map_err(name_in_use)?;
        tx.commit().await?;
        let (author, tag) = row.tagged();
        Ok(Changed::Changed(JsonOut(author), tag))
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
        let mut caller = curator_of(curator.ask(&app.db, None).await?)?;
        let mut tx = caller.begin(&app.db).await?;
        let before = store::find_to_change(&mut tx, id.0).await?.ok_or_else(|| not_found(id.0))?;
        if_match.allows(before.version)?;
        signals::delete_unchanged(&mut tx, &caller, &before, app.now()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// The caller, if they hold `can_curate`.
///
/// # Errors
/// 403.
pub fn curator_of((caller, held): (Caller, Held)) -> Result<Caller, Error> {
    if held.0 {
        Ok(caller)
    } else {
        Err(Error::new(Code::FORBIDDEN, "Only admins and who was granted can_curate do this."))
    }
}

/// The author does not exist.
pub fn not_found(id: AuthorId) -> Error {
    Error::not_found("Author", id)
}

fn name_in_use(refused: Refused) -> Error {
    match refused.violates(store::NAME_KEY) {
        true => Error::new(Code::NAME_IN_USE, "Another author has this name."),
        false => refused.into(),
    }
}
