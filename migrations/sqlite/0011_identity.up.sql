-- parent: 0010_sessions
-- message: Proved addresses, codes of letters, invited guests
-- created: 2026-11-21

-- Whose address is proved. Nobody has proved what was there before: an account could be taken for who has its address.
ALTER TABLE users ADD COLUMN email_verified_at TIMESTAMPTZ;

-- What a letter proves: that its reader has the address of the account. Of a purpose an account has one at most; the hash
-- of one that is used is none any more. The code itself is in the letter only.
CREATE TABLE one_time_codes (
    user_id    BIGINT NOT NULL,
    purpose    TEXT NOT NULL,
    code_hash  TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT one_time_codes_pkey PRIMARY KEY (user_id, purpose),
    CONSTRAINT one_time_codes_code_hash_key UNIQUE (code_hash),
    CONSTRAINT one_time_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT one_time_codes_purpose_check CHECK (purpose IN ('reset', 'verify'))
);
CREATE INDEX one_time_codes_expires_at_idx ON one_time_codes (expires_at);

-- Who may come in, with which role. `user_id` is whom it has made.
CREATE TABLE invited_guests (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    email       TEXT NOT NULL,
    role        TEXT NOT NULL,
    inviter_id  BIGINT,
    user_id     BIGINT,
    code_hash   TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    accepted_at TIMESTAMPTZ,
    CONSTRAINT invited_guests_code_hash_key UNIQUE (code_hash),
    CONSTRAINT invited_guests_inviter_id_fkey FOREIGN KEY (inviter_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT invited_guests_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT invited_guests_role_check CHECK (role IN ('admin', 'staff', 'active'))
);
-- One open invitation an address.
CREATE UNIQUE INDEX invited_guests_email_key ON invited_guests (email) WHERE accepted_at IS NULL;
-- Inviters see their own; the deletion of an account asks by both.
CREATE INDEX invited_guests_inviter_id_idx ON invited_guests (inviter_id, id);
CREATE INDEX invited_guests_user_id_idx ON invited_guests (user_id);
CREATE INDEX invited_guests_expires_at_idx ON invited_guests (expires_at) WHERE accepted_at IS NULL;
