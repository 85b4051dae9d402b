-- parent: base
-- message: Accounts, sessions, groups, permissions, grants and jobs
-- created: 2026-11-29

DROP TABLE mail_limits;
DROP TABLE tasks;
DROP TABLE grants;
DROP TABLE permissions;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE idempotency_keys;
DROP TABLE one_time_codes;
DROP TABLE refresh_tokens;
DROP TABLE deleted_identities;
DROP TABLE identities;
DROP TABLE sessions;
DROP TABLE users;
