-- parent: 0009_webhooks
-- message: What a session shows its owner
-- created: 2026-11-21

DROP INDEX sessions_expires_at_idx;
ALTER TABLE sessions DROP COLUMN expires_at;
ALTER TABLE sessions DROP COLUMN refreshed_at;
ALTER TABLE sessions DROP COLUMN user_agent;
ALTER TABLE sessions DROP COLUMN address;
