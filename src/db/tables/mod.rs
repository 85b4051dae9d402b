//! Every table, once: its columns by the names that statements use, and all that the schema says of them.
//!
//! The migrations are what a database gets; `cargo xtask migrate check` holds them to this list, and
//! `cargo xtask migrate new NAME --auto` writes what is missing in them.

pub mod create;
pub mod declare;
pub mod table;

use sea_query::Iden;

use self::declare::{
    bigint, boolean, check, index, key, postgres, primary_key, sqlite, text, timestamp, unique, unique_index,
};
use self::table::Action::{Cascade, SetNull};
pub use self::table::Table;
use super::permit;

/// SQLite's trigram index over `posts.search_text`.
#[derive(Iden, Clone, Copy)]
#[expect(missing_docs, reason = "it has what posts have")]
pub enum PostsSearch {
    Table,
    Rowid,
}

/// Of each table an enum of its names, and its entry in [`declared`]: what a column is, and `with` what else there is.
/// Constraints of a column are named by the column: `<table>_<column>_key`, `_fkey`, `_check`.
macro_rules! tables {
    ($(
        $(#[doc = $about:literal])+
        $table:ident { $($column:ident: $declared:expr,)+ } $(with [ $($part:expr,)+ ])?
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Iden, Clone, Copy)]
            #[expect(missing_docs, reason = "the declaration and the migrations say what each is")]
            pub enum $table {
                Table,
                $($column),+
            }

            impl permit::Table for $table {
                const TABLE: Self = Self::Table;
            }
        )+

        /// Every table as the code needs it, each after those that it refers to.
        pub fn declared() -> Vec<Table> {
            vec![$({
                #[allow(unused_imports, reason = "a table may be nothing but its columns")]
                use $table::*;
                table::Table::new($table::Table.unquoted(), concat!($($about),+))
                    $(.column($table::$column.unquoted(), $declared))+
                    $($(.with($part))+)?
            }),+]
        }
    };
}

tables! {
    /// Accounts.
    Users {
        Id: key(),
        Email: text().unique(),
        Name: text().null(),
        PasswordHash: text(),
        Role: text().default("'active'").words(&["admin", "staff", "active"]),
        Status: text().default("'active'").words(&["active", "disabled"]),
        EmailVerifiedAt: timestamp().null(),
        TokenVersion: bigint().default("1"),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("users_role_idx", [Role, Id]),
    ]

    /// Logins.
    Sessions {
        Id: key(),
        UserId: bigint().references(Users::Id, Cascade),
        Address: text().null(),
        UserAgent: text().null(),
        CreatedAt: timestamp(),
        RefreshedAt: timestamp().null(),
        ExpiresAt: timestamp().default("'9999-12-31T00:00:00+00:00'"),
        RevokedAt: timestamp().null(),
    } with [
        index("sessions_user_id_idx", [UserId]),
        index("sessions_expires_at_idx", [ExpiresAt]),
    ]

    /// Whom an identity provider means by what it says.
    Identities {
        Issuer: text(),
        Subject: text(),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        primary_key([Issuer, Subject]),
        index("identities_user_id_idx", [UserId]),
    ]

    /// Identities whose accounts were deleted.
    DeletedIdentities {
        IdentityHash: text(),
        CreatedAt: timestamp(),
    } with [
        primary_key([IdentityHash]),
    ]

    /// Creates that clients may send again, and the answers of those that have run.
    IdempotencyKeys {
        UserId: bigint().references(Users::Id, Cascade),
        KeyHash: text(),
        RequestHash: text(),
        Run: text().unique(),
        Status: bigint().null(),
        Headers: text().null(),
        Body: text().null(),
        ClaimedUntil: timestamp(),
        CreatedAt: timestamp(),
    } with [
        primary_key([UserId, KeyHash]),
        index("idempotency_keys_created_at_idx", [CreatedAt]),
    ]

    /// The refresh tokens of each login.
    RefreshTokens {
        TokenHash: text(),
        SessionId: bigint().references(Sessions::Id, Cascade),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
        UsedAt: timestamp().null(),
    } with [
        primary_key([TokenHash]),
        index("refresh_tokens_session_id_idx", [SessionId]),
    ]

    /// What letters prove.
    OneTimeCodes {
        UserId: bigint().references(Users::Id, Cascade),
        Purpose: text().words(&["reset", "verify"]),
        CodeHash: text().unique(),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
    } with [
        primary_key([UserId, Purpose]),
        index("one_time_codes_expires_at_idx", [ExpiresAt]),
    ]

    /// The number of e-mails of each kind to an address in a day.
    MailLimits {
        AddressHash: text(),
        Kind: text(),
        Number: bigint(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([AddressHash, Kind]),
        index("mail_limits_updated_at_idx", [UpdatedAt]),
    ]

    /// Who may come in.
    InvitedGuests {
        Id: key(),
        Email: text(),
        Role: text().words(&["admin", "staff", "active"]),
        InviterId: bigint().null().references(Users::Id, SetNull),
        UserId: bigint().null().references(Users::Id, SetNull),
        CodeHash: text().unique(),
        CreatedAt: timestamp(),
        ExpiresAt: timestamp(),
        AcceptedAt: timestamp().null(),
    } with [
        unique_index("invited_guests_email_key", [Email]).only_where("accepted_at IS NULL"),
        index("invited_guests_inviter_id_idx", [InviterId, Id]),
        index("invited_guests_user_id_idx", [UserId]),
        index("invited_guests_expires_at_idx", [ExpiresAt]).only_where("accepted_at IS NULL"),
    ]

    /// Posts.
    Posts {
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

    /// One vote of a user for a post.
    Votes {
        PostId: bigint().references(Posts::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        primary_key([PostId, UserId]),
        index("votes_user_id_idx", [UserId]),
    ]

    /// Groups of users, which permissions are granted to.
    Groups {
        Id: key(),
        Name: text().unique(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// Who is in a group.
    Memberships {
        GroupId: bigint().references(Groups::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        primary_key([GroupId, UserId]),
        index("memberships_user_id_idx", [UserId, GroupId]),
    ]

    /// The catalogue of permissions.
    Permissions {
        Id: key(),
        Name: text().unique(),
        Target: text().null(),
        Description: text(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// Permissions of users and groups, on all objects or on one.
    Grants {
        Id: key(),
        UserId: bigint().null().references(Users::Id, Cascade),
        GroupId: bigint().null().references(Groups::Id, Cascade),
        Permission: text().references(Permissions::Name, Cascade),
        ObjectId: bigint().null(),
        CreatedAt: timestamp(),
    } with [
        check("grants_holder_check", "(user_id IS NULL) <> (group_id IS NULL)"),
        unique_index("grants_user_key", ["user_id", "permission", "coalesce(object_id, 0)"])
            .only_where("user_id IS NOT NULL"),
        unique_index("grants_group_key", ["group_id", "permission", "coalesce(object_id, 0)"])
            .only_where("group_id IS NOT NULL"),
        index("grants_permission_idx", [Permission, Id]),
        index("grants_object_id_idx", [ObjectId, Id]),
    ]

    /// From when on audit events are kept: one row. Those from before have expired and can be deleted.
    AuditRetention {
        Id: bigint().check("id = 1"),
        ExpiredBefore: timestamp(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([Id]),
    ]

    /// The audit: changes of accounts and access, and logins. Rows are added; many failed logins are counted in one row,
    /// and expired rows are deleted. Triggers refuse everything else.
    AuditEvents {
        Id: key(),
        ActorId: bigint().null(),
        Action: text(),
        ObjectType: text(),
        ObjectId: bigint().null(),
        Before: text().null(),
        After: text().null(),
        RequestId: text().null(),
        CreatedAt: timestamp(),
        Address: text().null(),
        Occurrences: bigint().default("1"),
        LastAt: timestamp().null(),
        AggregationKey: text().null(),
    } with [
        unique_index("audit_events_aggregation_key_key", [AggregationKey]).only_where("aggregation_key IS NOT NULL"),
        index("audit_events_address_idx", [Address, Id]).only_where("address IS NOT NULL"),
        index("audit_events_actor_id_idx", [ActorId, Id]),
        index("audit_events_created_at_idx", [CreatedAt]),
        index("audit_events_action_idx", [Action, Id]),
        index("audit_events_object_type_idx", [ObjectType, Id]),
        index("audit_events_object_id_idx", [ObjectId, ObjectType, Id]),
        sqlite("CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
    WHEN NOT (OLD.aggregation_key IS NOT NULL AND NEW.occurrences = OLD.occurrences + 1
        AND NEW.id IS OLD.id
        AND NEW.actor_id IS OLD.actor_id
        AND NEW.action IS OLD.action
        AND NEW.object_type IS OLD.object_type
        AND NEW.object_id IS OLD.object_id
        AND NEW.before IS OLD.before
        AND NEW.after IS OLD.after
        AND NEW.request_id IS OLD.request_id
        AND NEW.created_at IS OLD.created_at
        AND NEW.address IS OLD.address
        AND NEW.aggregation_key IS OLD.aggregation_key) BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END"),
        sqlite("CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events
    WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE OLD.created_at < expired_before) BEGIN
    SELECT RAISE(ABORT, 'audit events are never deleted before they expire');
END"),
        postgres("CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.aggregation_key IS NOT NULL AND NEW.occurrences = OLD.occurrences + 1
            AND to_jsonb(NEW) - 'occurrences' - 'last_at' = to_jsonb(OLD) - 'occurrences' - 'last_at' THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.created_at < (SELECT max(expired_before) FROM audit_retention) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit events are never changed, and never deleted before they expire';
END $$"),
        postgres("CREATE TRIGGER audit_events_update BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse()"),
        postgres("CREATE TRIGGER audit_events_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse()"),
    ]

    /// How often a post was viewed and shared; no row is none of either.
    PostStatistics {
        PostId: bigint().references(Posts::Id, Cascade),
        ViewNumber: bigint(),
        SharedNumber: bigint(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([PostId]),
    ]

    /// What is done later.
    Tasks {
        Id: key(),
        Name: text(),
        Payload: text(),
        Key: text().null().unique(),
        // written by releases before 0.4, whose workers may still run
        Lane: text().null(),
        Pool: text().default("'general'"),
        State: text().words(&["queued", "running", "failed"]),
        RunAt: timestamp(),
        Attempts: bigint().default("0"),
        Worker: text().null(),
        LeaseUntil: timestamp().null(),
        Error: text().null(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("tasks_due_idx", [Pool, State, RunAt, Id]),
        index("tasks_lane_idx", [Lane, Id]).only_where("lane IS NOT NULL"),
    ]

    /// Where events are sent.
    Webhooks {
        Id: key(),
        Url: text(),
        Description: text().null(),
        EventTypes: text().null(),
        Enabled: boolean().default("TRUE"),
        DisabledReason: text().null().words(&["failing", "gone"]),
        Secret: text(),
        OldSecret: text().null(),
        OldSecretUntil: timestamp().null(),
        FirstFailedAt: timestamp().null(),
        CreatedBy: bigint().null().references(Users::Id, SetNull),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("webhooks_created_by_idx", [CreatedBy]),
    ]

    /// Which process sends to a webhook, and when.
    WebhookLeases {
        WebhookId: bigint().references(Webhooks::Id, Cascade),
        Worker: text(),
        LeaseUntil: timestamp().null(),
        PausedUntil: timestamp().null(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([WebhookId]),
    ]

    /// Events on their way to webhooks.
    Deliveries {
        Id: key(),
        WebhookId: bigint().references(Webhooks::Id, Cascade),
        EventId: text(),
        EventType: text(),
        Object: text(),
        Event: text(),
        Status: text().words(&["pending", "succeeded", "failed"]),
        Attempts: bigint().default("0"),
        HttpStatus: bigint().null(),
        Error: text().null(),
        TriedSince: timestamp().null(),
        LastAttemptAt: timestamp().null(),
        NextAttemptAt: timestamp().default("'1970-01-01T00:00:00+00:00'"),
        CreatedAt: timestamp(),
    } with [
        unique("deliveries_event_key", [WebhookId, EventId]),
        index("deliveries_due_idx", [WebhookId, NextAttemptAt, Id]).only_where("status = 'pending'"),
        index("deliveries_object_idx", [WebhookId, Object, Id]).only_where("status = 'pending'"),
        index("deliveries_webhook_id_idx", [WebhookId, Id]),
        index("deliveries_created_at_idx", [CreatedAt]),
    ]
}

/// The words that the check of a column allows.
///
/// # Panics
/// There is no such column, or it allows whatever fits.
#[cfg(test)]
pub fn words<T: permit::Table>(column: T) -> Vec<String> {
    let (table, column) = (T::TABLE.unquoted().to_owned(), column.unquoted().to_owned());
    let tables = declared();
    let table = tables.iter().find(|declared| declared.name == table).expect("a declared table");
    let begin = format!("{column} IN (");
    let list = table.checks.iter().find_map(|check| check.expression.strip_prefix(&begin)?.strip_suffix(')'));
    list.expect("a column with words").split(", ").map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Dialect;

    /// Tables whose rows say otherwise when they changed, or never do.
    const NEVER_UPDATED: &[(&str, &str)] = &[
        ("audit_events", "counted at `last_at`, else never changed"),
        ("deleted_identities", "added, never changed"),
        ("deliveries", "`last_attempt_at` and the event of its end"),
        ("grants", "given and taken, never changed"),
        ("idempotency_keys", "replaced whole, or changed once, when the answer is stored"),
        ("identities", "linked and unlinked, never changed"),
        ("invited_guests", "changed once, at `accepted_at`"),
        ("memberships", "joined and left, never changed"),
        ("one_time_codes", "replaced whole, with a new `created_at`"),
        ("refresh_tokens", "changed once, at `used_at`"),
        ("sessions", "`refreshed_at` and `revoked_at`"),
        ("votes", "given and taken, never changed"),
    ];

    #[test]
    fn every_table_says_when_its_rows_were_made_and_changed() {
        for table in declared() {
            let has = |name: &str| {
                let column = table.columns.iter().find(|column| column.name == name);
                column.is_some_and(|column| column.kind == "TIMESTAMPTZ" && !column.null)
            };
            assert!(has("created_at"), "{} has no `created_at: timestamp()`", table.name);
            let excepted = NEVER_UPDATED.iter().any(|(name, _)| *name == table.name);
            assert!(has("updated_at") != excepted, "{}: `updated_at: timestamp()`, or a reason here", table.name);
        }
    }

    #[test]
    fn every_table_stands_after_those_that_it_refers_to() {
        let tables = declared();
        for (index, table) in tables.iter().enumerate() {
            for key in &table.foreign_keys {
                let referred = tables[..index].iter().find(|other| other.name == key.table);
                let referred = referred.unwrap_or_else(|| panic!("{}: {} comes later", table.name, key.table));
                let keys = referred.primary_key.iter().chain(&referred.uniques);
                assert!(keys.map(|key| &key.columns).any(|columns| *columns == key.referred), "{}", key.name);
            }
        }
    }

    /// The statement of a migration that makes its first table.
    fn written(file: &str) -> &str {
        let begin = file.find("CREATE TABLE").expect("a table");
        &file[begin..begin + file[begin..].find("\n);").expect("its end") + 3]
    }

    #[test]
    fn a_table_is_created_as_the_migrations_write_it() {
        let posts = declared().into_iter().find(|table| table.name == "posts").expect("posts");
        let sqlite = include_str!("../../../migrations/sqlite/0003_posts.up.sql");
        let postgres = include_str!("../../../migrations/postgres/0003_posts.up.sql");
        assert_eq!(create::create_table(&posts, Dialect::Sqlite), written(sqlite));
        assert_eq!(create::create_table(&posts, Dialect::Postgres), written(postgres));
        for (dialect, file) in [(Dialect::Sqlite, sqlite), (Dialect::Postgres, postgres)] {
            for statement in create::create(&posts, dialect) {
                assert!(file.contains(&statement), "{statement}");
            }
        }
    }
}
