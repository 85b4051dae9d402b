-- parent: 0014_mail_limits
-- message: Identities whose accounts were deleted
-- created: 2026-11-29

CREATE TABLE deleted_identities (
    identity_hash TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT deleted_identities_pkey PRIMARY KEY (identity_hash)
);
