-- parent: 0005_access
-- message: Views and shares of posts
-- created: 2026-11-21

DROP TABLE post_statistics;
