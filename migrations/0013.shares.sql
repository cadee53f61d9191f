-- Links by which anyone can read a scan until they end. Of their tokens only the SHA-256 is stored. There is no
-- foreign key to scans, whose primary key may be (user_id, id): a link of a deleted scan leads nowhere.
CREATE TABLE IF NOT EXISTS shares (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    scan_id uuid NOT NULL,
    digest text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS shares_digest ON shares (digest);

CREATE INDEX IF NOT EXISTS shares_user_id_scan_id ON shares (user_id, scan_id);
