//! Every table and column, once. Statements name them through these, never as text.

use sea_query::Iden;

/// Accounts.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Users {
    Table,
    Id,
    Email,
    Name,
    PasswordHash,
    Role,
    TokenVersion,
    CreatedAt,
    UpdatedAt,
}

/// Logins.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Sessions {
    Table,
    Id,
    UserId,
    CreatedAt,
    RevokedAt,
}

/// The refresh tokens of each login.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum RefreshTokens {
    Table,
    TokenHash,
    SessionId,
    CreatedAt,
    ExpiresAt,
    UsedAt,
}

/// Posts.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Posts {
    Table,
    Id,
    OwnerId,
    Title,
    Content,
    SearchText,
    Published,
    Rating,
    Votes,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// SQLite's trigram index over `posts.search_text`.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum PostsSearch {
    Table,
    Rowid,
}

/// One vote of a user for a post.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Votes {
    Table,
    PostId,
    UserId,
    CreatedAt,
}
