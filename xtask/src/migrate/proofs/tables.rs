//! The tables of the proofs and of the recipes. They resemble those of the application, but do not change with them.

use accord_foundation::tables;
use accord_migrate::Dialect;
use accord_migrate::tables::create::create;
use accord_migrate::tables::declare::{
    bigint, boolean, check, index, key, postgres, primary_key, sqlite, text, timestamp, unique_index,
};
use accord_migrate::tables::table::Action::{Cascade, SetNull};

tables! {
    /// Accounts.
    Users {
        Id: key(),
        Email: text().unique(),
        Name: text().null(),
        PasswordHash: text(),
        Role: text().default("'active'").words(&["admin", "staff", "active"]),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("users_role_idx", [Role, Id]),
    ]

    /// Groups of users.
    Groups {
        Id: key(),
        Name: text().unique(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// The members of groups.
    Memberships {
        GroupId: bigint().references(Groups::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        primary_key([GroupId, UserId]),
        index("memberships_user_id_idx", [UserId, GroupId]),
    ]

    /// Permissions.
    Permissions {
        Id: key(),
        Name: text().unique(),
        Target: text().null(),
        Description: text(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// Permissions of users and groups.
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

    /// Jobs.
    Tasks {
        Id: key(),
        Name: text(),
        Lane: text().null(),
        State: text().words(&["queued", "running", "failed"]),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("tasks_due_idx", [State, Id]),
        index("tasks_lane_idx", [Lane, Id]).only_where("lane IS NOT NULL"),
    ]

    /// Events that triggers protect from changes.
    AuditEvents {
        Id: key(),
        ActorId: bigint().null(),
        Action: text(),
        ObjectType: text(),
        CreatedAt: timestamp(),
    } with [
        index("audit_events_actor_id_idx", [ActorId, Id]),
        sqlite("CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END"),
        postgres("CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed';
END $$"),
        postgres("CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse()"),
    ]

    /// Texts with a search index.
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

    /// Votes of users for posts.
    Votes {
        PostId: bigint().references(Posts::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        primary_key([PostId, UserId]),
        index("votes_user_id_idx", [UserId]),
    ]

    /// Numbers of views.
    PostStatistics {
        PostId: bigint().references(Posts::Id, Cascade),
        ViewNumber: bigint(),
        SharedNumber: bigint(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([PostId]),
    ]
}

/// The statements that create all tables.
pub fn create_all(dialect: Dialect) -> String {
    // a statement for one database has no end of its own
    let statements = declared().iter().flat_map(|table| create(table, dialect)).collect::<Vec<_>>();
    statements.iter().map(|statement| statement.trim_end_matches(';').to_owned() + ";\n").collect()
}
