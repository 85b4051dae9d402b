-- parent: 0013_post_permissions
-- message: Limit e-mails to one address
-- created: 2026-11-29

DROP TABLE mail_limits;
