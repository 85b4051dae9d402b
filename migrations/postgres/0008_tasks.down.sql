-- parent: 0007_access_indexes
-- message: Tasks that are done later
-- created: 2026-11-21

DROP TABLE tasks;
