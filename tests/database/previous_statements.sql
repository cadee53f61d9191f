-- api_tokens.INSERT_API_TOKEN
INSERT INTO api_tokens (id, user_id, digest, name, scopes, version, created_at, expires_at)
SELECT :id, users.id, :digest, :name, :scopes, api_token_version, :created_at, :expires_at FROM users
WHERE users.id = :user_id AND token_version = :token_version AND :limit > (
    SELECT count(*) FROM api_tokens WHERE user_id = :user_id AND version = api_token_version
)
RETURNING id

-- api_tokens.LOCK_USER
SELECT id FROM users WHERE id = :user_id FOR NO KEY UPDATE

-- api_tokens.LIST_API_TOKENS
SELECT api_tokens.id, name, scopes, api_tokens.created_at, last_used_at, expires_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE user_id = :user_id ORDER BY api_tokens.created_at DESC, api_tokens.id DESC

-- api_tokens.FIND_ACCOUNT_BY_API_TOKEN
SELECT users.id, email, password_hash, users.token_version, users.created_at, updated_at, api_tokens.id AS token_id, scopes, last_used_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE digest = :digest AND (expires_at IS NULL OR expires_at > :now)

-- api_tokens.RECORD_API_TOKEN_USE
UPDATE api_tokens SET last_used_at = :now WHERE id = :id

-- api_tokens.DELETE_API_TOKEN
DELETE FROM api_tokens WHERE id = :id AND user_id = :user_id RETURNING id

-- attempts.INCREMENT_ATTEMPTS
INSERT INTO attempts (name, tries, expires_at) VALUES (:name, 1, :expires_at)
ON CONFLICT (name) DO UPDATE SET
    tries = CASE WHEN attempts.expires_at <= :now THEN 1 ELSE attempts.tries + 1 END,
    expires_at = CASE
        WHEN attempts.expires_at <= :now OR attempts.expires_at > excluded.expires_at THEN excluded.expires_at
        ELSE attempts.expires_at
    END
RETURNING tries, expires_at

-- attempts.DECREMENT_ATTEMPTS
UPDATE attempts SET tries = tries - 1 WHERE name = :name AND tries > 0 RETURNING tries, expires_at

-- attempts.DELETE_EXPIRED_ATTEMPTS
DELETE FROM attempts WHERE expires_at <= :now

-- idempotency_keys.LOCK_KEY
INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, kept, held_until)
VALUES (:user_id, :key, :fingerprint, :claim, FALSE, :held_until)
ON CONFLICT (user_id, key) DO UPDATE SET
    claim = CASE
        WHEN idempotency_keys.kept OR idempotency_keys.fingerprint <> excluded.fingerprint THEN excluded.claim
        ELSE idempotency_keys.claim
    END,
    fingerprint = excluded.fingerprint, kept = FALSE, held_until = excluded.held_until
WHERE idempotency_keys.held_until <= :now
RETURNING claim

-- idempotency_keys.FIND_KEY
SELECT fingerprint, claim, kept, held_until FROM idempotency_keys WHERE user_id = :user_id AND key = :key

-- idempotency_keys.FINISH_KEY
UPDATE idempotency_keys SET kept = :completed, held_until = :until
WHERE user_id = :user_id AND key = :key AND held_until = :locked_until

-- idempotency_keys.DELETE_EXPIRED_KEYS
DELETE FROM idempotency_keys WHERE held_until <= :yesterday

-- scan_queries.LIST_NEWEST_SCANS
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT id, filename, source, risk_count, categories, created_at FROM scans
    WHERE user_id = :user_id
    ORDER BY created_at DESC, id DESC LIMIT :limit
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC

-- scan_queries.LIST_SCANS_AFTER_CURSOR
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT id, filename, source, risk_count, categories, created_at FROM scans
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT :limit
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC

-- scan_queries.LIST_SCANS_AT_OFFSET
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, source, risk_count, categories, scans.created_at
    FROM (
        SELECT id FROM scans WHERE user_id = :user_id
        ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC

-- scan_queries.FILTER_SCANS_POSTGRESQL
WITH matches AS MATERIALIZED (
    SELECT id, created_at FROM scans
    WHERE user_id = :user_id AND created_at >= :since AND created_at < :until
        AND (CAST(:words AS tsquery) IS NULL OR words @@ CAST(:words AS tsquery))
        AND (CAST(:category AS tsquery) IS NULL OR words @@ CAST(:category AS tsquery))
        AND (CAST(:source AS text) IS NULL OR source = CAST(:source AS text))
)
SELECT (SELECT count(*) FROM matches) AS scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, source, risk_count, categories, scans.created_at
    FROM (
        SELECT id FROM matches WHERE (created_at, id) < (:created_at, :id)
        ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC

-- scan_queries.FILTER_SCANS_SQLITE
WITH matches AS MATERIALIZED (
    SELECT id, created_at FROM scans
    WHERE user_id = :user_id AND created_at >= :since AND created_at < :until
        AND (:words IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:words) AS word WHERE instr(' ' || words, ' ' || word.value) = 0
        ))
        AND (:category IS NULL OR instr(' ' || words || ' ', ' ' || :category || ' ') > 0)
        AND (:source IS NULL OR source = :source)
)
SELECT (SELECT count(*) FROM matches) AS scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, source, risk_count, categories, scans.created_at
    FROM (
        SELECT id FROM matches WHERE (created_at, id) < (:created_at, :id)
        ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC

-- scan_queries.STATS_POSTGRESQL
WITH matches AS MATERIALIZED (
    SELECT to_char(scans.created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, scans.created_at, categories
    FROM users
    LEFT JOIN scans ON user_id = :user_id AND scans.created_at >= :since AND scans.created_at < :until
        AND (CAST(:words AS tsquery) IS NULL OR words @@ CAST(:words AS tsquery))
        AND (CAST(:category AS tsquery) IS NULL OR words @@ CAST(:category AS tsquery))
        AND (CAST(:source AS text) IS NULL OR source = CAST(:source AS text))
    WHERE users.id = :user_id AND token_version = :token_version
)
SELECT month, NULL AS category, count(created_at) AS number, max(created_at) AS newest
FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL
FROM matches, json_each_text(CAST(categories AS json)) GROUP BY month, key

-- scan_queries.STATS_SQLITE
WITH matches AS MATERIALIZED (
    SELECT substr(scans.created_at, 1, 7) AS month, scans.created_at, categories
    FROM users
    LEFT JOIN scans ON user_id = :user_id AND scans.created_at >= :since AND scans.created_at < :until
        AND (:words IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:words) AS word WHERE instr(' ' || words, ' ' || word.value) = 0
        ))
        AND (:category IS NULL OR instr(' ' || words || ' ', ' ' || :category || ' ') > 0)
        AND (:source IS NULL OR source = :source)
    WHERE users.id = :user_id AND token_version = :token_version
)
SELECT month, NULL AS category, count(created_at) AS number, max(created_at) AS newest
FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL
FROM matches, json_each(categories) GROUP BY month, key

-- scans.INSERT_SCAN
INSERT INTO scans (
    id, user_id, filename, data, digest, risk_count, categories, words, source, notes, created_at
)
VALUES (
    :id, :user_id, :filename, :data, :digest, :risk_count, :categories, :words, :source, :notes, :created_at
)
RETURNING (
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND filename = :filename AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS same_name, (
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND digest = :digest AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS same_bytes

-- scans.FIND_SCAN
SELECT scans.id, filename, data, source, risk_count, notes, scans.created_at FROM users
LEFT JOIN scans ON scans.id = :id AND user_id = :user_id
WHERE users.id = :user_id AND token_version = :token_version

-- scans.FIND_PREVIOUS_SCANS
SELECT 1 AS same_bytes, by_digest.* FROM (
    SELECT id, created_at FROM scans AS previous
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id)
        AND digest = (SELECT digest FROM scans WHERE id = :id AND user_id = :user_id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS by_digest
UNION ALL
SELECT 0 AS same_bytes, by_name.* FROM (
    SELECT id, created_at FROM scans AS previous
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id) AND filename = :filename
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS by_name

-- scans.DELETE_SCAN
DELETE FROM scans WHERE id = :id AND user_id = :user_id RETURNING id

-- scans.DELETE_SCANS_BEFORE
DELETE FROM scans WHERE (user_id, id) IN (
    SELECT user_id, id FROM scans WHERE created_at < :before AND risk_count >= 0 ORDER BY created_at LIMIT 500
)
RETURNING id

-- sessions.INSERT_SESSION
INSERT INTO sessions (id, user_id, token_version, expires_at)
VALUES (:id, :user_id, :token_version, :expires_at)

-- sessions.FIND_ACCOUNT_BY_SESSION
SELECT users.id, email, password_hash, users.token_version, users.created_at, updated_at, expires_at FROM sessions JOIN users
ON users.id = sessions.user_id AND users.token_version = sessions.token_version
WHERE sessions.id = :id AND expires_at > :now

-- sessions.EXTEND_SESSION
UPDATE sessions SET expires_at = :expires_at WHERE id = :id

-- sessions.DELETE_SESSION
DELETE FROM sessions WHERE id = :id

-- sessions.DELETE_EXPIRED_SESSIONS
DELETE FROM sessions WHERE expires_at <= :now

-- users.INSERT_USER
INSERT INTO users (id, email, password_hash, created_at, updated_at)
VALUES (:id, :email, :password_hash, :now, :now)
RETURNING users.id, email, password_hash, users.token_version, users.created_at, updated_at

-- users.FIND_ACCOUNT_BY_EMAIL
SELECT users.id, email, password_hash, users.token_version, users.created_at, updated_at FROM users WHERE email = :email

-- users.FIND_ACCOUNT
SELECT users.id, email, password_hash, users.token_version, users.created_at, updated_at FROM users WHERE id = :user_id AND token_version = :token_version

-- users.UPDATE_PASSWORD
UPDATE users SET password_hash = :password_hash, token_version = token_version + 1,
    api_token_version = api_token_version + :revoke_api_tokens, updated_at = :now
WHERE id = :id AND token_version = :token_version
RETURNING users.id, email, password_hash, users.token_version, users.created_at, updated_at

-- users.RENEW_PASSWORD_HASH
UPDATE users SET password_hash = :renewed WHERE id = :user_id AND password_hash = :password_hash

-- users.DELETE_USER
DELETE FROM users WHERE id = :user_id AND token_version = :token_version RETURNING id
