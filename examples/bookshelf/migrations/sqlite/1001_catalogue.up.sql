-- parents: 0002_audit
-- message: Authors and books
-- created: 2026-11-29

-- Authors.
CREATE TABLE authors (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT authors_name_key UNIQUE (name)
);

-- Books.
CREATE TABLE books (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    isbn       TEXT NOT NULL,
    title      TEXT NOT NULL,
    author_id  BIGINT NOT NULL,
    copies     BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT books_isbn_key UNIQUE (isbn),
    CONSTRAINT books_author_id_fkey FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE RESTRICT
);
CREATE INDEX books_author_id_idx ON books (author_id, id);

INSERT INTO permissions (name, description, created_at, updated_at) VALUES
    ('can_curate', 'Add, change and delete authors and books', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'));
