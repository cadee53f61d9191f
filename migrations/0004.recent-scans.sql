-- The condition holds for every row, and keeps PostgreSQL from reading one user's list by this index: it
-- would, for a user who has a good part of all scans, and pass by all that others have scanned since.
DROP INDEX IF EXISTS scans_created_at;

CREATE INDEX IF NOT EXISTS scans_created_at ON scans (created_at DESC) WHERE risk_count >= 0;
