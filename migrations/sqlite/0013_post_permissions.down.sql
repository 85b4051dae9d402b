-- parent: 0012_identities
-- message: The four permissions of posts; the statistics are a target of their own
-- created: 2026-11-21

DELETE FROM grants WHERE permission IN ('can_create_post', 'can_delete_post', 'can_read_post');
DELETE FROM permissions WHERE name IN ('can_create_post', 'can_delete_post', 'can_read_post');
UPDATE permissions SET target = 'posts', updated_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now') WHERE name = 'can_view_stats';
