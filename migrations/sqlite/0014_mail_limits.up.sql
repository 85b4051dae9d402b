-- parent: 0013_post_permissions
-- message: Limit e-mails to one address
-- created: 2026-11-29

CREATE TABLE mail_limits (
    address_hash TEXT NOT NULL,
    kind         TEXT NOT NULL,
    number       BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT mail_limits_pkey PRIMARY KEY (address_hash, kind)
);
CREATE INDEX mail_limits_updated_at_idx ON mail_limits (updated_at);
