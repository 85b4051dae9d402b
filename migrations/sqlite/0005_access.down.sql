DROP TABLE audit_events;
DROP TABLE grants;
DROP TABLE permissions;
DROP TABLE memberships;
DROP TABLE groups;
DROP INDEX users_role_idx;
ALTER TABLE users DROP COLUMN version;
ALTER TABLE users DROP COLUMN status;
