-- parent: 0001_foundation
-- message: Invited guests
-- created: 2026-11-29

-- Invitations of guests.
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
CREATE UNIQUE INDEX invited_guests_email_key ON invited_guests (email) WHERE accepted_at IS NULL;
CREATE INDEX invited_guests_inviter_id_idx ON invited_guests (inviter_id, id);
CREATE INDEX invited_guests_user_id_idx ON invited_guests (user_id);
CREATE INDEX invited_guests_expires_at_idx ON invited_guests (expires_at) WHERE accepted_at IS NULL;

INSERT INTO permissions (name, description, created_at, updated_at) VALUES
    ('can_invite', 'Invite guests', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'));
