"""Store the AI service's notes with a scan: `scans.notes` is a JSON list of sentences.

Neither database rewrites the table. Existing rows have the default, and so do those that processes of the
version before insert.
"""

from yoyo import step

COLUMNS = "SELECT name FROM pragma_table_info('scans')"
ADD_COLUMN = "ALTER TABLE scans ADD COLUMN notes text NOT NULL DEFAULT '[]'"
# all statements on scans queue behind one that waits for its lock: behind a backup it fails, and is retried
LIMIT_WAIT = "SET LOCAL lock_timeout = '1s'"


def apply(connection):
    if type(connection).__module__ != "sqlite3":
        connection.execute(LIMIT_WAIT)
        connection.execute(ADD_COLUMN.replace("COLUMN", "COLUMN IF NOT EXISTS"))
    elif ("notes",) not in connection.execute(COLUMNS).fetchall():
        connection.execute(ADD_COLUMN)


steps = [step(apply)]
