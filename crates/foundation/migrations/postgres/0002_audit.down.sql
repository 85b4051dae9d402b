-- parent: 0001_foundation
-- message: The audit
-- created: 2026-11-29

DROP TABLE audit_events;
DROP TABLE audit_retention;
DROP FUNCTION audit_events_refuse;
