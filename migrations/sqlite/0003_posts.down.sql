-- parent: 0002_sessions
-- message: Posts, and the search in them
-- created: 2026-11-21

DROP TABLE posts_search;
DROP TABLE posts;
