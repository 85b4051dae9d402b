-- parents: 0002_audit
-- message: Authors and books
-- created: 2026-11-29

DROP TABLE books;
DROP TABLE authors;
DELETE FROM permissions WHERE name = 'can_curate';
