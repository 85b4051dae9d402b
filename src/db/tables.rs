//! Every table and column, once. Statements name them through these, never as text.

use sea_query::Iden;

use super::permit::Table;

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
    Status,
    EmailVerifiedAt,
    TokenVersion,
    Version,
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
    Address,
    UserAgent,
    CreatedAt,
    RefreshedAt,
    ExpiresAt,
    RevokedAt,
}

/// Whom an identity provider means by what it says.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Identities {
    Table,
    Issuer,
    Subject,
    UserId,
    CreatedAt,
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

/// What letters prove.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum OneTimeCodes {
    Table,
    UserId,
    Purpose,
    CodeHash,
    CreatedAt,
    ExpiresAt,
}

/// Who may come in.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum InvitedGuests {
    Table,
    Id,
    Email,
    Role,
    InviterId,
    UserId,
    CodeHash,
    CreatedAt,
    ExpiresAt,
    AcceptedAt,
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

/// Groups of users, which permissions are granted to.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Groups {
    Table,
    Id,
    Name,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// Who is in a group.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Memberships {
    Table,
    GroupId,
    UserId,
    CreatedAt,
}

/// The catalogue of permissions.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Permissions {
    Table,
    Id,
    Name,
    Target,
    Description,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// Permissions of users and groups, on all objects or on one.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Grants {
    Table,
    Id,
    UserId,
    GroupId,
    Permission,
    ObjectId,
    CreatedAt,
}

/// What changed who may do what; rows are only ever added.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum AuditEvents {
    Table,
    Id,
    ActorId,
    Action,
    ObjectType,
    ObjectId,
    Before,
    After,
    RequestId,
    CreatedAt,
}

/// How often a post was viewed and shared; no row is none of either.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum PostStatistics {
    Table,
    PostId,
    ViewNumber,
    SharedNumber,
    CreatedAt,
    UpdatedAt,
}

/// What is done later.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Tasks {
    Table,
    Id,
    Name,
    Payload,
    Key,
    Lane,
    State,
    RunAt,
    Attempts,
    Worker,
    LeaseUntil,
    Error,
    CreatedAt,
    UpdatedAt,
}

/// Where events are sent.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Webhooks {
    Table,
    Id,
    Url,
    Description,
    EventTypes,
    Enabled,
    DisabledReason,
    Secret,
    OldSecret,
    OldSecretUntil,
    FirstFailedAt,
    CreatedBy,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// Events on their way to webhooks.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "the migrations document the columns")]
pub enum Deliveries {
    Table,
    Id,
    WebhookId,
    EventId,
    EventType,
    Object,
    Event,
    Status,
    Attempts,
    HttpStatus,
    Error,
    TriedSince,
    LastAttemptAt,
    CreatedAt,
}

macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        $(impl Table for $table {
            const TABLE: Self = Self::Table;
        })*
    };
}

tables!(
    AuditEvents,
    Deliveries,
    Grants,
    Groups,
    Identities,
    InvitedGuests,
    Memberships,
    OneTimeCodes,
    Permissions,
    PostStatistics,
    Posts,
    RefreshTokens,
    Sessions,
    Tasks,
    Users,
    Votes,
    Webhooks,
);
