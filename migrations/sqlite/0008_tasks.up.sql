-- parent: 0007_access_indexes
-- message: Tasks that are done later
-- created: 2026-11-21

-- What is done later, outside of any request. A task that has ended is deleted; one that failed too often stays.
CREATE TABLE tasks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    -- Only one task of a key; those that run by themselves have their name.
    key         TEXT,
    state       TEXT NOT NULL,
    run_at      TIMESTAMPTZ NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    -- Whose it is while it runs, and until when: after that anyone may take it.
    worker      TEXT,
    lease_until TIMESTAMPTZ,
    error       TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT tasks_key_key UNIQUE (key),
    CONSTRAINT tasks_state_check CHECK (state IN ('queued', 'running', 'failed'))
);
-- Workers ask for what is due.
CREATE INDEX tasks_due_idx ON tasks (state, run_at, id);
