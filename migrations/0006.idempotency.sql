-- What a user has sent under an Idempotency-Key. claim is the id of the scan that comes of it, which is kept or
-- still being made; a key whose held_until has passed is free. No reference to scans: they may be partitioned.
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
