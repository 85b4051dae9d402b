-- parent: 0008_tasks
-- message: Webhooks and their deliveries
-- created: 2026-11-21
-- locks: tasks are gone when they are done: the table is small

-- Tasks of one lane run one after the other, in the order of their ids.
ALTER TABLE tasks ADD COLUMN lane TEXT;
-- Whether an earlier one of the lane is still to be done.
CREATE INDEX tasks_lane_idx ON tasks (lane, id) WHERE lane IS NOT NULL;

-- Where events are sent. `version` is what If-Match compares. `event_types` is a JSON list, or null for all.
CREATE TABLE webhooks (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    url              TEXT NOT NULL,
    description      TEXT,
    event_types      TEXT,
    enabled          BOOLEAN NOT NULL DEFAULT TRUE,
    -- Why Accord has disabled it; null if it is enabled, or an admin has disabled it.
    disabled_reason  TEXT,
    secret           TEXT NOT NULL,
    -- Signs beside the present one until then.
    old_secret       TEXT,
    old_secret_until TIMESTAMPTZ,
    -- The first failure since the last success.
    first_failed_at  TIMESTAMPTZ,
    created_by       BIGINT,
    version          BIGINT NOT NULL DEFAULT 1,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT webhooks_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT webhooks_disabled_reason_check CHECK (disabled_reason IN ('failing', 'gone'))
);
-- The deletion of an account asks for what it has made.
CREATE INDEX webhooks_created_by_idx ON webhooks (created_by);

-- One event for one webhook. `event` is what is sent, byte for byte; `object` is what it is about: events of one object
-- arrive in their order.
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
    -- From then on it is tried for as long as the settings say.
    tried_since     TIMESTAMPTZ,
    last_attempt_at TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
    -- An event that is published twice is delivered once.
    CONSTRAINT deliveries_event_key UNIQUE (webhook_id, event_id),
    CONSTRAINT deliveries_status_check CHECK (status IN ('pending', 'succeeded', 'failed'))
);
CREATE INDEX deliveries_webhook_id_idx ON deliveries (webhook_id, id);
CREATE INDEX deliveries_created_at_idx ON deliveries (created_at);
