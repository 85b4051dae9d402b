-- parent: 0002_sessions
-- message: Posts, and the search in them
-- created: 2026-11-21

-- Posts. `version` counts the changes of the owner's text and is what If-Match compares;
-- `votes` is kept here by the statement that writes a vote; `search_text` is title and content in lower case
-- (Unicode, made by the server, because SQLite's lower() knows ASCII only).
CREATE TABLE posts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id    BIGINT,
    title       TEXT NOT NULL,
    content     TEXT NOT NULL,
    search_text TEXT NOT NULL,
    published   BOOLEAN NOT NULL DEFAULT TRUE,
    rating      BIGINT,
    votes       BIGINT NOT NULL DEFAULT 0,
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT posts_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT posts_rating_check CHECK (rating BETWEEN 1 AND 5)
);
CREATE INDEX posts_owner_id_idx ON posts (owner_id, id);
CREATE INDEX posts_votes_idx ON posts (votes, id);

-- Substring search by trigrams; the triggers keep it equal to posts.search_text.
CREATE VIRTUAL TABLE posts_search USING fts5 (
    search_text, content = 'posts', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);
CREATE TRIGGER posts_search_insert AFTER INSERT ON posts BEGIN
    INSERT INTO posts_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
CREATE TRIGGER posts_search_delete AFTER DELETE ON posts BEGIN
    INSERT INTO posts_search (posts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
END;
CREATE TRIGGER posts_search_update AFTER UPDATE OF search_text ON posts BEGIN
    INSERT INTO posts_search (posts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
    INSERT INTO posts_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
