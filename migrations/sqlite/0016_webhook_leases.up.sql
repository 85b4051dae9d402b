-- parent: 0015_deleted_identities
-- message: Pools of jobs, leases of webhooks, times of deliveries
-- created: 2026-11-29
-- locks: each index is built by one read of its table, and those of deliveries hold pending rows only

-- Workers claim the due jobs of their pool in the order of this index.
DROP INDEX tasks_due_idx;
ALTER TABLE tasks ADD COLUMN pool TEXT NOT NULL DEFAULT 'general';
CREATE INDEX tasks_due_idx ON tasks (pool, state, run_at, id);
-- Which process sends to a webhook: until `lease_until` no other one does. A receiver that has timed out is paused.
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
-- A pending delivery is due then.
ALTER TABLE deliveries ADD COLUMN next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01T00:00:00+00:00';
CREATE INDEX deliveries_due_idx ON deliveries (webhook_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_object_idx ON deliveries (webhook_id, object, id) WHERE status = 'pending';
