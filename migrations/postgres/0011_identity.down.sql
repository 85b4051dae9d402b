-- parent: 0010_sessions
-- message: Proved addresses, codes of letters, invited guests
-- created: 2026-11-21

DROP TABLE invited_guests;
DROP TABLE one_time_codes;
ALTER TABLE users DROP COLUMN email_verified_at;
