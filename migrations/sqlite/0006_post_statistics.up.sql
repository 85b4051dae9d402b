-- parent: 0005_access
-- message: Views and shares of posts
-- created: 2026-11-21

-- How often a post was viewed and shared; no row is none of either.
CREATE TABLE post_statistics (
    post_id       BIGINT NOT NULL,
    view_number   BIGINT NOT NULL,
    shared_number BIGINT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT post_statistics_pkey PRIMARY KEY (post_id),
    CONSTRAINT post_statistics_post_id_fkey FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
);
