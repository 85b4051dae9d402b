//! What goes over the wire for posts, and the row it is made from.

use accord_foundation::crud::Represented;
use accord_foundation::prelude::*;
use accord_foundation::text_enum;
use poem_openapi::types::MaybeUndefined;

use super::store::PostValues;

id_type! {
    /// The identifier of a post.
    PostId
}

/// A post
#[derive(Debug, Clone, Object, Serialize)]
#[oai(example)]
pub struct Post {
    /// Identifier
    pub id: PostId,
    /// Who wrote it; null when the account was deleted
    #[oai(nullable)]
    pub owner: Option<Owner>,
    /// What a list shows of it
    pub title: String,
    /// Text
    pub content: String,
    /// False for a draft, which only its owner and admins see
    pub published: bool,
    /// 1 to 5, or null
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "5")))]
    pub rating: Option<i64>,
    /// How many users voted for it
    #[oai(validator(minimum(value = "0")))]
    pub votes: i64,
    /// When it was created
    pub created_at: DateTime<Utc>,
    /// When its text was last changed
    pub updated_at: DateTime<Utc>,
}

/// The owner of a post
#[derive(Debug, Clone, Object, Serialize)]
#[oai(example)]
pub struct Owner {
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The user's public name, or null
    #[oai(nullable)]
    pub name: Option<String>,
}

/// A new post
#[derive(Debug, Object)]
#[oai(example)]
pub struct PostCreate {
    /// What a list shows of it
    #[oai(validator(min_length = 1, max_length = 200))]
    pub title: String,
    /// Text
    #[oai(validator(min_length = 1, max_length = 20000))]
    pub content: String,
    /// False keeps it a draft
    #[oai(default = "published_by_default")]
    pub published: bool,
    /// 1 to 5; null or left out for none
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "5")))]
    pub rating: Option<i64>,
}

fn published_by_default() -> bool {
    true
}

impl PostCreate {
    /// The post of this owner; without one, as those whose account was deleted.
    pub fn by(self, owner_id: Option<i64>) -> PostValues {
        let Self { title, content, published, rating } = self;
        PostValues { owner_id, title, content, published, rating }
    }
}

/// The whole new text of a post: every field is required
#[derive(Debug, Object)]
#[oai(example)]
pub struct PostReplace {
    /// What a list shows of it
    #[oai(validator(min_length = 1, max_length = 200))]
    pub title: String,
    /// Text
    #[oai(validator(min_length = 1, max_length = 20000))]
    pub content: String,
    /// False makes it a draft
    pub published: bool,
    /// 1 to 5, or null for none
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "5")))]
    pub rating: MaybeUndefined<i64>,
}

/// A change to a post: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct PostUpdate {
    /// What a list shows of it
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 200))]
    pub title: Option<String>,
    /// Text
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 20000))]
    pub content: Option<String>,
    /// False makes it a draft
    #[oai(skip_serializing_if_is_none)]
    pub published: Option<bool>,
    /// 1 to 5; null removes it
    #[oai(
        nullable,
        skip_serializing_if = "MaybeUndefined::is_undefined",
        validator(minimum(value = "1"), maximum(value = "5"))
    )]
    pub rating: MaybeUndefined<i64>,
}

impl PostUpdate {
    /// The post with this change.
    pub fn of(self, post: &StoredPost) -> PostValues {
        PostValues {
            owner_id: post.owner_id,
            title: self.title.unwrap_or_else(|| post.title.clone()),
            content: self.content.unwrap_or_else(|| post.content.clone()),
            published: self.published.unwrap_or(post.published),
            rating: match self.rating {
                MaybeUndefined::Undefined => post.rating,
                MaybeUndefined::Null => None,
                MaybeUndefined::Value(rating) => Some(rating),
            },
        }
    }
}

examples! {
    Owner { id: 1, name: Some("Ann".into()) }
    Post {
        id: PostId(1),
        owner: Some(Owner::example()),
        title: "Hello".into(),
        content: "The first post.".into(),
        published: true,
        rating: Some(5),
        votes: 3,
        created_at: examples::time(),
        updated_at: examples::time(),
    }
    PostCreate { title: "Hello".into(), content: "The first post.".into(), published: true, rating: Some(5) }
    PostReplace {
        title: "Hello again".into(),
        content: "The first post, rewritten.".into(),
        published: true,
        rating: MaybeUndefined::Null,
    }
    PostUpdate { title: Some("Hello, world".into()), content: None, published: None, rating: MaybeUndefined::Undefined }
}

page! {
    /// A page of posts
    PostPage, Post, "-created_at"
}

text_enum! {
    /// Order of a list; a minus means descending
    #[derive(Default)]
    pub enum Sort {
        /// The newest first
        #[default]
        Newest = "-created_at",
        /// The oldest first
        Oldest = "created_at",
        /// The most votes first, of equal ones the newest
        MostVotes = "-votes",
    }
}

/// A post with what its answer does not show.
#[derive(Debug, Clone, FromRow)]
#[expect(missing_docs, reason = "model::Post documents them")]
pub struct StoredPost {
    pub id: PostId,
    pub owner_id: Option<i64>,
    pub owner_name: Option<String>,
    pub title: String,
    pub content: String,
    pub published: bool,
    pub rating: Option<i64>,
    pub votes: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Represented for StoredPost {
    type Object = Post;
    const NAME: &'static str = "Post";
    const PATH: &'static str = "/api/v1/posts";

    fn object(self) -> Post {
        self.into()
    }
}

impl From<StoredPost> for Post {
    fn from(row: StoredPost) -> Self {
        let owner_name = row.owner_name;
        Self {
            id: row.id,
            owner: row.owner_id.map(|id| Owner { id, name: owner_name }),
            title: row.title,
            content: row.content,
            published: row.published,
            rating: row.rating,
            votes: row.votes,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[cfg(test)]
impl StoredPost {
    /// A published post for the tests of the rules.
    pub fn for_tests(owner_id: Option<i64>) -> Self {
        let at = DateTime::UNIX_EPOCH;
        let (title, content) = ("Hello".into(), "…".into());
        Self {
            id: PostId(9),
            owner_id,
            owner_name: None,
            title,
            content,
            published: true,
            rating: None,
            votes: 0,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }
}
