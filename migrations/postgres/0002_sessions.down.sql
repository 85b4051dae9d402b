-- parent: 0001_users
-- message: Sessions and their refresh tokens
-- created: 2026-11-21

DROP TABLE refresh_tokens;
DROP TABLE sessions;
