-- parent: 0001_foundation
-- message: Webhooks and their deliveries
-- created: 2026-11-29

-- Webhooks.
CREATE TABLE webhooks (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    url              TEXT NOT NULL,
    description      TEXT,
    event_types      TEXT,
    enabled          BOOLEAN NOT NULL DEFAULT TRUE,
    disabled_reason  TEXT,
    secret           TEXT NOT NULL,
    old_secret       TEXT,
    old_secret_until TIMESTAMPTZ,
    first_failed_at  TIMESTAMPTZ,
    created_by       BIGINT,
    version          BIGINT NOT NULL DEFAULT 1,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT webhooks_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT webhooks_disabled_reason_check CHECK (disabled_reason IN ('failing', 'gone'))
);
CREATE INDEX webhooks_created_by_idx ON webhooks (created_by);

-- Leases: the process that sends to a webhook, and its pauses.
CREATE TABLE webhook_leases (
    webhook_id   BIGINT NOT NULL,
    worker       TEXT NOT NULL,
    lease_until  TIMESTAMPTZ,
    paused_until TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT webhook_leases_pkey PRIMARY KEY (webhook_id),
    CONSTRAINT webhook_leases_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);

-- Events on their way to webhooks.
CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id      BIGINT NOT NULL,
    event_id        TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    object          TEXT NOT NULL,
    event           TEXT NOT NULL,
    status          TEXT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    http_status     BIGINT,
    error           TEXT,
    tried_since     TIMESTAMPTZ,
    last_attempt_at TIMESTAMPTZ,
    next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01T00:00:00+00:00',
    created_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT deliveries_event_key UNIQUE (webhook_id, event_id),
    CONSTRAINT deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
    CONSTRAINT deliveries_status_check CHECK (status IN ('pending', 'succeeded', 'failed'))
);
CREATE INDEX deliveries_due_idx ON deliveries (webhook_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_object_idx ON deliveries (webhook_id, object, id) WHERE status = 'pending';
CREATE INDEX deliveries_webhook_id_idx ON deliveries (webhook_id, id);
CREATE INDEX deliveries_created_at_idx ON deliveries (created_at);
