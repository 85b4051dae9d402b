-- parents: 1001_catalogue
-- message: Loans
-- created: 2026-11-30

-- Loans of copies.
CREATE TABLE loans (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    book_id     BIGINT NOT NULL,
    copy        BIGINT NOT NULL,
    user_id     BIGINT NOT NULL,
    due_at      TIMESTAMPTZ NOT NULL,
    returned_at TIMESTAMPTZ,
    reminded_at TIMESTAMPTZ,
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT loans_book_id_fkey FOREIGN KEY (book_id) REFERENCES books (id) ON DELETE RESTRICT,
    CONSTRAINT loans_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX loans_open_idx ON loans (book_id, copy) WHERE returned_at IS NULL;
CREATE INDEX loans_book_id_idx ON loans (book_id, id);
CREATE INDEX loans_user_id_idx ON loans (user_id, id);
CREATE INDEX loans_due_at_idx ON loans (due_at, id) WHERE returned_at IS NULL;
