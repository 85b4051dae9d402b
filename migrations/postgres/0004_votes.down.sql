-- parent: 0003_posts
-- message: Votes
-- created: 2026-11-21

DROP TABLE votes;
