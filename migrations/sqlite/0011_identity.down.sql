DROP TABLE invited_guests;
DROP TABLE one_time_codes;
ALTER TABLE users DROP COLUMN email_verified_at;
