-- Both databases read this. PostgreSQL has these types; SQLite takes the names and keeps text.

CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    password_hash text NOT NULL,
    token_version integer NOT NULL DEFAULT 0,
    scan_count integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (email);

-- categories: the distinct ones of data as a JSON list, so that a list of scans need not read the findings
CREATE TABLE IF NOT EXISTS scans (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    filename text,
    data jsonb NOT NULL,
    risk_count integer NOT NULL,
    categories text NOT NULL,
    source text NOT NULL CHECK (source IN ('llm', 'model')),
    created_at timestamptz NOT NULL
);

-- one user's newest scans, a page at a time; it serves scans.user_id alone as well
CREATE INDEX IF NOT EXISTS scans_user_id_created_at ON scans (user_id, created_at DESC, id DESC);

-- The condition holds for every row, and keeps PostgreSQL from reading one user's list by this index: it
-- would, for a user who has a good part of all scans, and pass by all that others have scanned since.
CREATE INDEX IF NOT EXISTS scans_created_at ON scans (created_at DESC) WHERE risk_count >= 0;
