-- parent: 0002_sessions
-- message: Posts, and the search in them
-- created: 2026-11-21

-- The extension stays: others may use it by now.
DROP TABLE posts;
