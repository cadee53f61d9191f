-- Split scans into 16 parts by user, when one table has become too large to maintain (PostgreSQL 14 or newer).
-- It copies the table, and blocks writes meanwhile: stop RiskScan, then run
--   psql --single-transaction --set ON_ERROR_STOP=1 --file deploy/partition.sql "$DATABASE_URL"

ALTER TABLE scans RENAME TO scans_before;
ALTER TABLE scans_before RENAME CONSTRAINT scans_pkey TO scans_before_pkey;
ALTER INDEX scans_user_id_created_at RENAME TO scans_before_user_id_created_at;
ALTER INDEX scans_created_at RENAME TO scans_before_created_at;

CREATE TABLE scans (LIKE scans_before INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY HASH (user_id);

DO $$ BEGIN FOR part IN 0..15 LOOP
    EXECUTE format('CREATE TABLE scans_%s PARTITION OF scans FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
END LOOP; END $$;

INSERT INTO scans SELECT * FROM scans_before;
DROP TABLE scans_before;

-- the primary key of a partitioned table must include the partition key
ALTER TABLE scans ADD PRIMARY KEY (user_id, id);
ALTER TABLE scans ADD FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX scans_user_id_created_at ON scans (user_id, created_at DESC, id DESC);
CREATE INDEX scans_created_at ON scans (created_at DESC) WHERE risk_count >= 0;
CREATE INDEX scans_user_id_digest ON scans (user_id, digest, created_at DESC, id DESC) WHERE digest IS NOT NULL;
CREATE INDEX scans_user_id_draft_name ON scans (user_id, draft_name, created_at DESC, id DESC) WHERE draft_name IS NOT NULL;
CREATE INDEX scans_late ON scans (created_at)
    WHERE details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '';
CREATE INDEX scans_to_index ON scans (id)
    WHERE terms_title IS NULL OR terms_title <> coalesce(title, '')
        OR details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '';

CREATE TRIGGER scans_inserted AFTER INSERT ON scans
    REFERENCING NEW TABLE AS changed_scans FOR EACH STATEMENT EXECUTE FUNCTION count_scans('1');
CREATE TRIGGER scans_deleted AFTER DELETE ON scans
    REFERENCING OLD TABLE AS changed_scans FOR EACH STATEMENT EXECUTE FUNCTION count_scans('-1');
CREATE TRIGGER scans_fingerprinted AFTER INSERT ON scans
    FOR EACH ROW WHEN (NEW.details <> '[]') EXECUTE FUNCTION index_fingerprints();
CREATE TRIGGER scans_fingerprinted_later AFTER UPDATE OF details ON scans
    FOR EACH ROW WHEN (OLD.details = '[]') EXECUTE FUNCTION index_fingerprints();
CREATE TRIGGER scans_fingerprints_deleted AFTER DELETE ON scans
    FOR EACH ROW EXECUTE FUNCTION delete_fingerprints();

ANALYZE scans;
