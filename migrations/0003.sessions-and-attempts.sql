-- Sessions of browsers; id is the SHA-256 of the session ID in the cookie.
CREATE TABLE IF NOT EXISTS sessions (
    id text PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_version integer NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS sessions_user_id ON sessions (user_id);

CREATE INDEX IF NOT EXISTS sessions_expires_at ON sessions (expires_at);

-- Attempts in the window that ends at expires_at; name has the kind of limit and the digest of account or address.
CREATE TABLE IF NOT EXISTS attempts (
    name text PRIMARY KEY,
    tries integer NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS attempts_expires_at ON attempts (expires_at);
