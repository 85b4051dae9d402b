-- parent: base
-- message: Accounts
-- created: 2026-11-21

DROP TABLE users;
