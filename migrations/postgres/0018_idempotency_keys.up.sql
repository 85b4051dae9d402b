-- parent: 0017_audit_logins
-- message: Keys of requests that are sent again
-- created: 2026-11-29

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
