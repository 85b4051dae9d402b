-- parent: 0014_mail_limits
-- message: Identities whose accounts were deleted
-- created: 2026-11-29

DROP TABLE deleted_identities;
