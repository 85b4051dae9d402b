-- parent: 0004_votes
-- message: Who may call: groups, permissions, grants, and the audit
-- created: 2026-11-21

DROP TABLE audit_events;
DROP FUNCTION audit_events_refuse;
DROP TABLE grants;
DROP TABLE permissions;
DROP TABLE memberships;
DROP TABLE groups;
DROP INDEX users_role_idx;
ALTER TABLE users DROP COLUMN version;
ALTER TABLE users DROP COLUMN status;
