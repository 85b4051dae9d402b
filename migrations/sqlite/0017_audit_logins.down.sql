-- parent: 0016_webhook_leases
-- message: Audit logins with client addresses and retention
-- created: 2026-11-29

DROP TRIGGER audit_events_update;
DROP TRIGGER audit_events_delete;
DROP INDEX audit_events_aggregation_key_key;
DROP INDEX audit_events_address_idx;
DROP TABLE audit_retention;
ALTER TABLE audit_events DROP COLUMN address;
ALTER TABLE audit_events DROP COLUMN occurrences;
ALTER TABLE audit_events DROP COLUMN last_at;
ALTER TABLE audit_events DROP COLUMN aggregation_key;
CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit events are never deleted');
END;
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;
