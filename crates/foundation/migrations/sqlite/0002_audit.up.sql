-- parent: 0001_foundation
-- message: The audit
-- created: 2026-11-29

-- From when on audit events are kept: one row. Those from before have expired and can be deleted.
CREATE TABLE audit_retention (
    id             BIGINT NOT NULL,
    expired_before TIMESTAMPTZ NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT audit_retention_pkey PRIMARY KEY (id),
    CONSTRAINT audit_retention_id_check CHECK (id = 1)
);

-- The audit: changes of accounts and access, and logins. Rows are added; many failed logins are counted in one row, and expired rows are deleted. Triggers refuse everything else.
CREATE TABLE audit_events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    actor_id        BIGINT,
    action          TEXT NOT NULL,
    object_type     TEXT NOT NULL,
    object_id       BIGINT,
    before          TEXT,
    after           TEXT,
    request_id      TEXT,
    created_at      TIMESTAMPTZ NOT NULL,
    address         TEXT,
    occurrences     BIGINT NOT NULL DEFAULT 1,
    last_at         TIMESTAMPTZ,
    aggregation_key TEXT
);
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
CREATE UNIQUE INDEX audit_events_aggregation_key_key ON audit_events (aggregation_key) WHERE aggregation_key IS NOT NULL;
CREATE INDEX audit_events_address_idx ON audit_events (address, id) WHERE address IS NOT NULL;
CREATE INDEX audit_events_actor_id_idx ON audit_events (actor_id, id);
CREATE INDEX audit_events_created_at_idx ON audit_events (created_at);
CREATE INDEX audit_events_action_idx ON audit_events (action, id);
CREATE INDEX audit_events_object_type_idx ON audit_events (object_type, id);
CREATE INDEX audit_events_object_id_idx ON audit_events (object_id, object_type, id);
