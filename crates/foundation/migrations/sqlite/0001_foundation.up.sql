-- parent: base
-- message: Accounts, sessions, groups, permissions, grants and jobs
-- created: 2026-11-29

-- Accounts.
CREATE TABLE users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    email             TEXT NOT NULL,
    name              TEXT,
    password_hash     TEXT NOT NULL,
    role              TEXT NOT NULL DEFAULT 'active',
    status            TEXT NOT NULL DEFAULT 'active',
    email_verified_at TIMESTAMPTZ,
    token_version     BIGINT NOT NULL DEFAULT 1,
    version           BIGINT NOT NULL DEFAULT 1,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'staff', 'active')),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled'))
);
CREATE INDEX users_role_idx ON users (role, id);

-- Logins.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      BIGINT NOT NULL,
    address      TEXT,
    user_agent   TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    refreshed_at TIMESTAMPTZ,
    expires_at   TIMESTAMPTZ NOT NULL DEFAULT '9999-12-31T00:00:00+00:00',
    revoked_at   TIMESTAMPTZ,
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Accounts by the issuer and subject of an identity provider.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user_id    BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT identities_pkey PRIMARY KEY (issuer, subject),
    CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX identities_user_id_idx ON identities (user_id);

-- Identities whose accounts were deleted.
CREATE TABLE deleted_identities (
    identity_hash TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT deleted_identities_pkey PRIMARY KEY (identity_hash)
);

-- The refresh tokens of each login.
CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL,
    session_id BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);

-- One-time codes of e-mails.
CREATE TABLE one_time_codes (
    user_id    BIGINT NOT NULL,
    purpose    TEXT NOT NULL,
    code_hash  TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT one_time_codes_pkey PRIMARY KEY (user_id, purpose),
    CONSTRAINT one_time_codes_code_hash_key UNIQUE (code_hash),
    CONSTRAINT one_time_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT one_time_codes_purpose_check CHECK (purpose IN ('reset', 'verify'))
);
CREATE INDEX one_time_codes_expires_at_idx ON one_time_codes (expires_at);

-- Creates that clients may send again, and the answers of those that have run.
CREATE TABLE idempotency_keys (
    user_id       BIGINT NOT NULL,
    key_hash      TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    run           TEXT NOT NULL,
    status        BIGINT,
    headers       TEXT,
    body          TEXT,
    claimed_until TIMESTAMPTZ NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key_hash),
    CONSTRAINT idempotency_keys_run_key UNIQUE (run),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- Groups of users, which permissions are granted to.
CREATE TABLE groups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT groups_name_key UNIQUE (name)
);

-- Users in groups.
CREATE TABLE memberships (
    group_id   BIGINT NOT NULL,
    user_id    BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (group_id, user_id),
    CONSTRAINT memberships_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE CASCADE,
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX memberships_user_id_idx ON memberships (user_id, group_id);

-- The catalogue of permissions.
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

-- Permissions of users and groups, on all objects or on one.
CREATE TABLE grants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    BIGINT,
    group_id   BIGINT,
    permission TEXT NOT NULL,
    object_id  BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT grants_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE CASCADE,
    CONSTRAINT grants_permission_fkey FOREIGN KEY (permission) REFERENCES permissions (name) ON DELETE CASCADE,
    CONSTRAINT grants_holder_check CHECK ((user_id IS NULL) <> (group_id IS NULL))
);
CREATE UNIQUE INDEX grants_user_key ON grants (user_id, permission, coalesce(object_id, 0)) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_group_key ON grants (group_id, permission, coalesce(object_id, 0)) WHERE group_id IS NOT NULL;
CREATE INDEX grants_permission_idx ON grants (permission, id);
CREATE INDEX grants_object_id_idx ON grants (object_id, id);

-- Jobs.
CREATE TABLE tasks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    key         TEXT,
    lane        TEXT,
    pool        TEXT NOT NULL DEFAULT 'general',
    state       TEXT NOT NULL,
    run_at      TIMESTAMPTZ NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    worker      TEXT,
    lease_until TIMESTAMPTZ,
    error       TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT tasks_key_key UNIQUE (key),
    CONSTRAINT tasks_state_check CHECK (state IN ('queued', 'running', 'failed'))
);
CREATE INDEX tasks_due_idx ON tasks (pool, state, run_at, id);
CREATE INDEX tasks_lane_idx ON tasks (lane, id) WHERE lane IS NOT NULL;

-- The number of e-mails of each kind to an address in a day.
CREATE TABLE mail_limits (
    address_hash TEXT NOT NULL,
    kind         TEXT NOT NULL,
    number       BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT mail_limits_pkey PRIMARY KEY (address_hash, kind)
);
CREATE INDEX mail_limits_updated_at_idx ON mail_limits (updated_at);
