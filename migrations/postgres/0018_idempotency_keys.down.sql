-- parent: 0017_audit_logins
-- message: Keys of requests that are sent again
-- created: 2026-11-29

DROP TABLE idempotency_keys;
