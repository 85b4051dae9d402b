-- parent: 0016_webhook_leases
-- message: Audit logins with client addresses and retention
-- created: 2026-11-29
-- locks: both indexes are partial and begin empty, and the audit has few writers

DROP TRIGGER audit_events_delete;
DROP TRIGGER audit_events_update;
CREATE TABLE audit_retention (
    id             BIGINT NOT NULL,
    expired_before TIMESTAMPTZ NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT audit_retention_pkey PRIMARY KEY (id),
    CONSTRAINT audit_retention_id_check CHECK (id = 1)
);
ALTER TABLE audit_events ADD COLUMN address TEXT;
ALTER TABLE audit_events ADD COLUMN occurrences BIGINT NOT NULL DEFAULT 1;
ALTER TABLE audit_events ADD COLUMN last_at TIMESTAMPTZ;
ALTER TABLE audit_events ADD COLUMN aggregation_key TEXT;
CREATE UNIQUE INDEX audit_events_aggregation_key_key ON audit_events (aggregation_key) WHERE aggregation_key IS NOT NULL;
CREATE INDEX audit_events_address_idx ON audit_events (address, id) WHERE address IS NOT NULL;
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
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
END;
CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events
    WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE OLD.created_at < expired_before) BEGIN
    SELECT RAISE(ABORT, 'audit events are never deleted before they expire');
END;
