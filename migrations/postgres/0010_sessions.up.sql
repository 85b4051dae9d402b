-- parent: 0009_webhooks
-- message: What a session shows its owner
-- created: 2026-11-21
-- locks: sessions are few: one a login, for 30 days

-- What a session shows its owner: where it was opened, and until when it can be refreshed.
-- A server of before, which is still running, knows of no end: what it opens is kept.
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
ALTER TABLE sessions ADD COLUMN refreshed_at TIMESTAMPTZ;
ALTER TABLE sessions ADD COLUMN expires_at TIMESTAMPTZ NOT NULL DEFAULT '9999-12-31 00:00:00+00';
UPDATE sessions SET expires_at = token.expires_at, refreshed_at = nullif(token.created_at, sessions.created_at)
FROM (SELECT session_id, max(expires_at) AS expires_at, max(created_at) AS created_at FROM refresh_tokens GROUP BY session_id) AS token
WHERE token.session_id = sessions.id;
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
