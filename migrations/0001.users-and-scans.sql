-- For both databases. PostgreSQL has these types; SQLite accepts their names and stores text.

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

-- categories: the distinct categories in data as a JSON list, so that listing scans need not read the findings
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

-- for a page of a user's scans; also the index of the foreign key user_id
CREATE INDEX IF NOT EXISTS scans_user_id_created_at ON scans (user_id, created_at DESC, id DESC);

-- The condition always holds. It stops PostgreSQL from using this index for the list of a user with a large part
-- of all scans, where it would read all newer scans of other users.
CREATE INDEX IF NOT EXISTS scans_created_at ON scans (created_at DESC) WHERE risk_count >= 0;
