-- parent: 0001_foundation
-- message: Invited guests
-- created: 2026-11-29

DROP TABLE invited_guests;
DELETE FROM permissions WHERE name = 'can_invite';
