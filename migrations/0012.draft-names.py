"""Find drafts of one document by their names: `scans.draft_name` is what these have in common.

Its index takes the place of that on file names. On PostgreSQL it blocks writes while it is built, some
seconds for a million scans. Scans that processes of the version before insert meanwhile have no draft name:
they are found as drafts by their bytes and sentences.
"""

from yoyo import step

from riskscan.scan_names import draft_name

__transactional__ = False  # each batch is a transaction

COLUMNS = "SELECT name FROM pragma_table_info('scans')"
ADD_COLUMN = "ALTER TABLE scans ADD COLUMN draft_name text"
# all statements on scans queue behind one that waits for its lock: behind a backup it fails, and is retried
LIMIT_WAIT = "SET LOCAL lock_timeout = '1s'"
BATCH = 500
NEWEST = "SELECT max(created_at) FROM scans WHERE risk_count >= 0"
# by the index scans_created_at
OLD = """
SELECT id, user_id, filename, created_at FROM scans
WHERE risk_count >= 0 AND created_at <= ? AND draft_name IS NULL AND filename IS NOT NULL
ORDER BY created_at DESC LIMIT ?
"""
# if it is still there
UPDATE = "UPDATE scans SET draft_name = ? WHERE id = ? AND user_id = ?"
# after the batches: they would have to update it
CREATE_INDEX = """
CREATE INDEX IF NOT EXISTS scans_user_id_draft_name ON scans (user_id, draft_name, created_at DESC, id DESC)
WHERE draft_name IS NOT NULL
"""
DROP_INDEX = "DROP INDEX IF EXISTS scans_user_id_filename"


def apply(connection):
    is_sqlite = type(connection).__module__ == "sqlite3"
    cursor = connection.cursor()
    if not is_sqlite:
        change(cursor, ADD_COLUMN.replace("COLUMN", "COLUMN IF NOT EXISTS"))
    elif ("draft_name",) not in cursor.execute(COLUMNS).fetchall():
        cursor.execute(ADD_COLUMN)
    fill(cursor, str if is_sqlite else lambda sql: sql.replace("?", "%s"))
    cursor.execute(CREATE_INDEX)
    if is_sqlite:
        cursor.execute(DROP_INDEX)
    else:
        change(cursor, DROP_INDEX)


def change(cursor, statement):
    for each in ("BEGIN", LIMIT_WAIT, statement, "COMMIT"):
        cursor.execute(each)


def fill(cursor, bind):
    """Compute the draft names of existing files, in batches."""
    cursor.execute(NEWEST)
    (before,) = cursor.fetchone()
    while rows := cursor.execute(bind(OLD), (before, BATCH)).fetchall():
        cursor.execute("BEGIN")
        values = [(draft_name(name), scan_id, user_id) for scan_id, user_id, name, _ in rows]
        cursor.executemany(bind(UPDATE), values)
        cursor.execute("COMMIT")
        before = rows[-1][-1]


steps = [step(apply)]
