-- parent: 0004_votes
-- message: Who may call: groups, permissions, grants, and the audit
-- created: 2026-11-21
-- locks: the one index on a table of before, users, is built while an installation has few accounts

-- Who may call. `status` ends an account without deleting it; `version` is what If-Match compares.
ALTER TABLE users ADD COLUMN status TEXT NOT NULL DEFAULT 'active'
    CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled'));
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
-- The admins are counted whenever one of them may go.
CREATE INDEX users_role_idx ON users (role, id);

CREATE TABLE groups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT groups_name_key UNIQUE (name)
);

CREATE TABLE memberships (
    group_id   BIGINT NOT NULL,
    user_id    BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (group_id, user_id),
    CONSTRAINT memberships_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE CASCADE,
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
-- The check asks for the groups of a user.
CREATE INDEX memberships_user_id_idx ON memberships (user_id, group_id);

-- The catalogue. A permission that has no row denies; `target` is the table whose rows it may be granted on.
CREATE TABLE permissions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    target      TEXT,
    description TEXT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT permissions_name_key UNIQUE (name)
);

-- To a user or to a group; without `object_id` for all objects.
CREATE TABLE grants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    BIGINT,
    group_id   BIGINT,
    permission TEXT NOT NULL,
    object_id  BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT grants_holder_check CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    CONSTRAINT grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT grants_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE CASCADE,
    CONSTRAINT grants_permission_fkey FOREIGN KEY (permission) REFERENCES permissions (name) ON DELETE CASCADE
);
-- One grant of a kind. No id is 0, so null takes part as 0. The check asks by the same columns.
CREATE UNIQUE INDEX grants_user_key ON grants (user_id, permission, coalesce(object_id, 0)) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_group_key ON grants (group_id, permission, coalesce(object_id, 0)) WHERE group_id IS NOT NULL;
CREATE INDEX grants_permission_idx ON grants (permission, id);

-- What changed who may do what. No foreign key: the account that acted may be deleted, the event stays.
CREATE TABLE audit_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    actor_id    BIGINT,
    action      TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id   BIGINT,
    before      TEXT,
    after       TEXT,
    request_id  TEXT,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_events_actor_id_idx ON audit_events (actor_id, id);
CREATE INDEX audit_events_object_idx ON audit_events (object_type, object_id, id);
CREATE INDEX audit_events_created_at_idx ON audit_events (created_at);
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;
CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit events are never deleted');
END;

-- What operations demand; src/auth/permission.rs has the same list.
INSERT INTO permissions (name, target, description, created_at, updated_at) VALUES
    ('can_edit_post', 'posts', 'Change the published posts of others', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
    ('can_invite', NULL, 'Invite guests', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
    ('can_view_stats', 'posts', 'Read the statistics of the posts of others', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'));
