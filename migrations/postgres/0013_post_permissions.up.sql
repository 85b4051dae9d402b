-- parent: 0012_identities
-- message: The four permissions of posts; the statistics are a target of their own
-- created: 2026-11-21
-- destructive: a server that does not know this migration cannot read the target of can_view_stats

-- What admins have put there under these names becomes what operations mean by them.
INSERT INTO permissions (name, target, description, created_at, updated_at) VALUES
    ('can_create_post', 'posts', 'Write posts, as every account may', now(), now()),
    ('can_delete_post', 'posts', 'Delete the published posts of others', now(), now()),
    ('can_read_post', 'posts', 'Read published posts, as every account may', now(), now())
ON CONFLICT (name) DO UPDATE SET
    target = excluded.target, description = excluded.description, updated_at = excluded.updated_at;
UPDATE permissions SET target = 'post_statistics', updated_at = now() WHERE name = 'can_view_stats';
