//! The table of posts.

use accord_foundation::prelude::*;
use sea_query::Iden;

use accord_foundation::auth::tables::Users;
use accord_foundation::db::DerivedColumn;
use accord_foundation::db::tables::declare::{bigint, boolean, index, key, postgres, sqlite, text, timestamp};
use accord_foundation::db::tables::table::Action::SetNull;

tables! {
    /// Posts.
    Posts versioned by Version {
        Id: key(),
        OwnerId: bigint().null().references(Users::Id, SetNull),
        Title: text(),
        Content: text(),
        SearchText: text(),
        Published: boolean().default("TRUE"),
        Rating: bigint().null().check("rating BETWEEN 1 AND 5"),
        Votes: bigint().default("0"),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("posts_owner_id_idx", [OwnerId, Id]),
        index("posts_votes_idx", [Votes, Id]),
        index("posts_search_idx", ["search_text gin_trgm_ops"]).postgres("gin"),
        postgres("CREATE EXTENSION IF NOT EXISTS pg_trgm"),
        sqlite("CREATE VIRTUAL TABLE posts_search USING fts5 (
    search_text, content = 'posts', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
)"),
        sqlite("CREATE TRIGGER posts_search_insert AFTER INSERT ON posts BEGIN
    INSERT INTO posts_search (rowid, search_text) VALUES (new.id, new.search_text);
END"),
        sqlite("CREATE TRIGGER posts_search_delete AFTER DELETE ON posts BEGIN
    INSERT INTO posts_search (posts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
END"),
        sqlite("CREATE TRIGGER posts_search_update AFTER UPDATE OF search_text ON posts BEGIN
    INSERT INTO posts_search (posts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
    INSERT INTO posts_search (rowid, search_text) VALUES (new.id, new.search_text);
END"),
    ]
}

/// SQLite's trigram index over `posts.search_text`.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "it has what posts have")]
pub enum PostsSearch {
    Table,
    Rowid,
}

/// The number of votes, which changes of votes set.
pub const VOTES: DerivedColumn<Posts> = DerivedColumn(Posts::Votes);
