//! `/api/v1/posts`

use accord_foundation::crud::Change;
use accord_foundation::db::versioned;
use accord_foundation::http::page::{self, Cursor};
use accord_foundation::http::payload::JsonOut;
use accord_foundation::http::sent::Sent;
use accord_foundation::prelude::*;

use super::model::{Post, PostCreate, PostId, PostPage, PostReplace, PostUpdate, Sort, StoredPost};
use super::rules::{self, Reader};
use super::store::{self, Filter};
use super::{CanDeletePost, CanEditPost, Tag};
use crate::resources::statistics::views::Views;

/// The operations.
#[derive(Default)]
pub struct PostsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Posts")]
impl PostsApi {
    /// List posts
    ///
    /// Published posts and your own drafts, page by page; admins see all drafts. Follow `next` as `cursor` and keep
    /// the other parameters: posts that are written meanwhile shift nothing.
    #[oai(path = "/posts", method = "get", operation_id = "list_posts")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// posts
        paging: Paging,
        /// How many posts to leave out; the cost grows with the number, use `cursor`
        #[oai(deprecated, default, validator(minimum(value = "0"), maximum(value = "10000")))]
        skip: Query<i64>,
        /// Text to find in title or content, in upper or lower case; `%` and `_` stand for themselves
        #[oai(validator(min_length = 1, max_length = 100))]
        search: Query<Option<String>>,
        /// Order
        #[oai(default)]
        sort: Query<Sort>,
        /// Only posts of this user
        #[oai(validator(minimum(value = "1")))]
        owner_id: Query<Option<i64>>,
        /// Only published posts, or only drafts
        published: Query<Option<bool>>,
        with_total: WithTotal,
    ) -> Result<Listed<PostPage>, Fail<()>> {
        let filter = Filter {
            reader: reader(&caller),
            search: search.0,
            owner_id: owner_id.0,
            published: published.0,
            sort: sort.0,
        };
        let (sort, limit) = (filter.sort, paging.limit);
        let cursor = paging.cursor(sort.as_str())?;
        let mut conn = caller.read(&app.db).await?;
        let mut rows = store::list(&mut conn, &filter, cursor, skip.0 as u64, limit as u64 + 1).await?;
        let next = page::cut(&mut rows, limit, sort.as_str(), |row| position(sort, row));
        let total = if with_total.0 { Some(store::count(&mut conn, &filter).await?) } else { None };
        let items = rows.into_iter().map(Post::from).collect();
        Ok(Listed::Page(JsonOut(PostPage { items, next, total })))
    }

    /// Create a post
    ///
    /// You become its owner. Without `published` it is published at once.
    #[oai(path = "/posts", method = "post", operation_id = "create_post")]
    async fn create(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<PostCreate>,
    ) -> Result<Keyed<Created<Post>>, Fail<(Conflict, Unprocessable)>> {
        let owner_id = Some(caller.id);
        let mut change = caller.change(&app).await?;
        let post = change.insert::<StoredPost>(body.0.by(owner_id)).await?;
        Ok(key.commit(change, crud::created(post)).await?)
    }

    /// Read a post
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content. A draft of somebody else is
    /// not found. An answer of 200 counts as a view in the post's statistics, unless you own it.
    #[oai(path = "/posts/:id", method = "get", operation_id = "get_post")]
    async fn get(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        sent: Data<&Sent>,
        /// The post's identifier
        id: Path<PostId>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Post>, Fail<(NotFound,)>> {
        let mut conn = caller.read(&app.db).await?;
        let post = rules::visible(versioned::find(&mut conn, id.0).await?, id.0, reader(&caller))?;
        let viewed = (sent.wants_content() && rules::is_view(&post, reader(&caller))).then_some(post.id);
        let found = crud::found(post, &if_none_match);
        if let (Found::Found(..), Some(id)) = (&found, viewed) {
            app.state::<Views>().count(id);
        }
        Ok(found)
    }

    /// Replace a post
    ///
    /// Sets the whole text. Its owner, admins and who was granted `can_edit_post` may do it. `If-Match` must name the version you have read, so that no change of another is
    /// overwritten: without it 428, with another version 412. A vote is no new version.
    #[oai(path = "/posts/:id", method = "put", operation_id = "replace_post")]
    async fn replace(
        &self,
        editor: Needs<CanEditPost>,
        app: Data<&App>,
        /// The post's identifier
        id: Path<PostId>,
        if_match: IfMatch,
        body: JsonIn<PostReplace>,
    ) -> Result<Changed<Post>, ChangeFail> {
        let PostReplace { title, content, published, rating } = body.0;
        let change = PostUpdate { title: Some(title), content: Some(content), published: Some(published), rating };
        change_post(editor, &app, id.0, &if_match, change).await
    }

    /// Change a post
    ///
    /// Changes only the fields that are sent; `"rating": null` removes the rating. `If-Match` works as in
    /// replacing a post, and the same people may do it.
    #[oai(path = "/posts/:id", method = "patch", operation_id = "update_post")]
    async fn update(
        &self,
        editor: Needs<CanEditPost>,
        app: Data<&App>,
        /// The post's identifier
        id: Path<PostId>,
        if_match: IfMatch,
        body: JsonIn<PostUpdate>,
    ) -> Result<Changed<Post>, ChangeFail> {
        change_post(editor, &app, id.0, &if_match, body.0).await
    }

    /// Delete a post
    ///
    /// Deletes the post for good, with its votes and what was granted on it. Its owner, admins and who was granted
    /// `can_delete_post` may do it. `If-Match` works as in replacing a post.
    #[oai(path = "/posts/:id", method = "delete", operation_id = "delete_post")]
    async fn delete(
        &self,
        deleter: Needs<CanDeletePost>,
        app: Data<&App>,
        /// The post's identifier
        id: Path<PostId>,
        if_match: IfMatch,
    ) -> Result<NoContent, ChangeFail> {
        let (mut caller, held) = deleter.ask(&app.db, Some(id.0.0)).await?;
        let reader = reader(&caller);
        let mut change = caller.change(&app).await?;
        let post = open(&mut change, id.0, &if_match, reader, |post| rules::deletable(post, reader, held)).await?;
        Ok(change.deleted(&post).await?)
    }
}

fn reader(caller: &Caller) -> Reader {
    Reader { id: caller.id, role: caller.role }
}

/// The cursor behind a row: ids grow with `created_at`, so they are the whole position there.
fn position(sort: Sort, row: &StoredPost) -> Cursor {
    let key = if sort == Sort::MostVotes { row.votes } else { 0 };
    Cursor { key, id: row.id.0 }
}

/// The post in a version that `If-Match` allows, if it is visible and the rule allows the change.
async fn open(
    change: &mut Change<'_>,
    id: PostId,
    if_match: &IfMatch,
    reader: Reader,
    rule: impl FnOnce(&StoredPost) -> Result<(), Error>,
) -> Result<StoredPost, Error> {
    let post = rules::visible(versioned::find_to_change(&mut change.tx, id).await?, id, reader)?;
    rule(&post)?;
    if_match.allows(post.version)?;
    Ok(post)
}

async fn change_post(
    editor: Needs<CanEditPost>,
    app: &App,
    id: PostId,
    if_match: &IfMatch,
    update: PostUpdate,
) -> Result<Changed<Post>, ChangeFail> {
    let (mut caller, held) = editor.ask(&app.db, Some(id.0)).await?;
    let reader = reader(&caller);
    let mut change = caller.change(app).await?;
    let post = open(&mut change, id, if_match, reader, |post| rules::editable(post, reader, held)).await?;
    Ok(change.updated(&post, update.of(&post)).await?)
}
