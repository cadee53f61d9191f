-- Spread the tables over the nodes of a Citus cluster (13 or newer), the rows of each user together on one of them.
-- The database has the extension, its coordinator and at least one worker (citus_set_coordinator_host,
-- citus_add_node), RiskScan has made its tables there, and all its processes are stopped. Make a backup; then run
--   psql --set ON_ERROR_STOP=1 --file deploy/citus.sql "$DATABASE_URL"
-- and start RiskScan again: from then on its statements do what triggers did before.

-- earlier versions, which rely on the triggers, refuse to start on this database
INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)
VALUES ('distributed', 'distributed.breaking', now());

DROP TRIGGER scans_inserted ON scans;
DROP TRIGGER scans_deleted ON scans;
DROP TRIGGER scans_fingerprinted ON scans;
DROP TRIGGER scans_fingerprinted_later ON scans;
DROP TRIGGER scans_fingerprints_deleted ON scans;
DROP FUNCTION count_scans, index_fingerprints, delete_fingerprints;

-- what is found before its user is known gets a table of its own
DROP VIEW emails, token_owners;
CREATE TABLE emails (email text PRIMARY KEY, user_id uuid NOT NULL);
INSERT INTO emails SELECT email, id FROM users;
CREATE TABLE token_owners (digest text PRIMARY KEY, user_id uuid NOT NULL);
INSERT INTO token_owners
SELECT id, user_id FROM sessions
UNION ALL SELECT digest, user_id FROM api_tokens
UNION ALL SELECT digest, user_id FROM shares;

-- foreign keys are made again once the tables lie together
ALTER TABLE scans DROP CONSTRAINT scans_user_id_fkey;
ALTER TABLE sessions DROP CONSTRAINT sessions_user_id_fkey;
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_user_id_fkey;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_user_id_fkey;
ALTER TABLE reviews DROP CONSTRAINT reviews_user_id_fkey;
ALTER TABLE shares DROP CONSTRAINT shares_user_id_fkey;
ALTER TABLE daily_usage DROP CONSTRAINT daily_usage_user_id_fkey;

-- a unique key of a distributed table has to begin with what it is distributed by
DROP INDEX users_email;
ALTER TABLE scans DROP CONSTRAINT scans_pkey, ADD PRIMARY KEY (user_id, id);
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD PRIMARY KEY (user_id, id);
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_pkey, ADD PRIMARY KEY (user_id, id),
    DROP CONSTRAINT api_tokens_digest_key, ADD UNIQUE (user_id, digest);
ALTER TABLE shares DROP CONSTRAINT shares_pkey, ADD PRIMARY KEY (user_id, id);
DROP INDEX shares_digest;
CREATE UNIQUE INDEX shares_digest ON shares (user_id, digest);
DROP INDEX sessions_user_id;
DROP INDEX api_tokens_user_id;

SELECT create_distributed_table('users', 'id', colocate_with => 'none');
SELECT create_distributed_table('scans', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('sessions', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('api_tokens', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('idempotency_keys', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('reviews', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('fingerprints', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('shares', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('daily_usage', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('emails', 'email', colocate_with => 'none');
SELECT create_distributed_table('token_owners', 'digest', colocate_with => 'emails');
SELECT create_distributed_table('attempts', 'name', colocate_with => 'emails');
-- by no user: an entry may have none, and outlives its account
SELECT create_distributed_table('audit_log', 'id', colocate_with => 'none');
-- so that RiskScan can also connect to a worker
SELECT create_reference_table('_yoyo_migration');

-- what was copied is still on the coordinator
SELECT truncate_local_data_after_distributing_table('users');
SELECT truncate_local_data_after_distributing_table('scans');
SELECT truncate_local_data_after_distributing_table('sessions');
SELECT truncate_local_data_after_distributing_table('api_tokens');
SELECT truncate_local_data_after_distributing_table('idempotency_keys');
SELECT truncate_local_data_after_distributing_table('reviews');
SELECT truncate_local_data_after_distributing_table('fingerprints');
SELECT truncate_local_data_after_distributing_table('shares');
SELECT truncate_local_data_after_distributing_table('daily_usage');
SELECT truncate_local_data_after_distributing_table('emails');
SELECT truncate_local_data_after_distributing_table('token_owners');
SELECT truncate_local_data_after_distributing_table('attempts');
SELECT truncate_local_data_after_distributing_table('audit_log');

ALTER TABLE scans ADD CONSTRAINT scans_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE sessions ADD CONSTRAINT sessions_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE reviews ADD CONSTRAINT reviews_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE shares ADD CONSTRAINT shares_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE daily_usage ADD CONSTRAINT daily_usage_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
-- in place of the trigger that deletes the fingerprints of a scan
ALTER TABLE fingerprints ADD CONSTRAINT fingerprints_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;

ANALYZE;
