-- Idempotency-Keys of users. claim is the ID of the scan, which is stored (kept) or still running; a key is free
-- once held_until has passed. There is no foreign key to scans, because they may be partitioned.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL,
    fingerprint text NOT NULL,
    claim uuid NOT NULL,
    kept boolean NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX IF NOT EXISTS idempotency_keys_held_until ON idempotency_keys (held_until);
