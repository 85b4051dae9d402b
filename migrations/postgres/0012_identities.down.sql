-- parent: 0011_identity
-- message: Whom an identity provider means
-- created: 2026-11-21

DROP TABLE identities;
