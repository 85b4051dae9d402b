-- parent: 0013_post_permissions
-- message: Identities whose accounts were deleted
-- created: 2026-11-29

DROP TABLE deleted_identities;
