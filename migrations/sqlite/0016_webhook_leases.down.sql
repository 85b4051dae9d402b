-- parent: 0015_deleted_identities
-- message: Pools of jobs, leases of webhooks, times of deliveries
-- created: 2026-11-29

DROP INDEX tasks_due_idx;
DROP INDEX deliveries_due_idx;
DROP INDEX deliveries_object_idx;
ALTER TABLE tasks DROP COLUMN pool;
DROP TABLE webhook_leases;
ALTER TABLE deliveries DROP COLUMN next_attempt_at;
CREATE INDEX tasks_due_idx ON tasks (state, run_at, id);
-- Releases before this one send a delivery by a job.
INSERT INTO tasks (name, lane, payload, state, run_at, created_at, updated_at)
    SELECT 'deliver-webhook', 'webhook:' || webhook_id || ' ' || object, '{"delivery_id":' || id || '}', 'queued',
        created_at, created_at, created_at
    FROM deliveries
    WHERE status = 'pending' AND NOT EXISTS (
        SELECT 1 FROM tasks
        WHERE name = 'deliver-webhook' AND payload = '{"delivery_id":' || deliveries.id || '}'
    )
    ORDER BY id;
