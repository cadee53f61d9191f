"""Search the sentences of scans too, and phrases: `scans.terms` has the search terms in their order.

`scans.terms_title` is the title of which `terms` and `words` have the terms. Both columns are NULL in scans
whose sentences are not indexed yet. riskscan/database/late_scans.py does that while the server runs; until
then a search finds them by their names and the titles of their risks. On PostgreSQL the index blocks writes
while the table is read once. Earlier versions use the index scans_late.
"""

from yoyo import step

from riskscan.database import FIND_EMAILS_TABLE

__transactional__ = False  # while the index is built, reads go on

COLUMNS = "SELECT name FROM pragma_table_info('scans')"
ADD_COLUMNS = "ALTER TABLE scans ADD COLUMN terms_title text", "ALTER TABLE scans ADD COLUMN terms text"
# PostgreSQL moves the largest values out of a row of more than 2 KB: not what lists and searches read of each
# scan, which took twice as long then; Citus refuses it
KEEP_IN_ROW = """
ALTER TABLE scans ALTER COLUMN words SET STORAGE MAIN, ALTER COLUMN filename SET STORAGE MAIN,
    ALTER COLUMN title SET STORAGE MAIN, ALTER COLUMN first_words SET STORAGE MAIN,
    ALTER COLUMN categories SET STORAGE MAIN
"""
# all statements on scans queue behind one that waits for its lock: behind a backup it fails, and is retried
LIMIT_WAIT = "SET LOCAL lock_timeout = '1s'"
CREATE_INDEX = """
CREATE INDEX IF NOT EXISTS scans_to_index ON scans (id)
WHERE terms_title IS NULL OR terms_title <> coalesce(title, '')
    OR details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> ''
"""


def apply(connection):
    cursor = connection.cursor()
    if type(connection).__module__ != "sqlite3":
        changes = [statement.replace("COLUMN", "COLUMN IF NOT EXISTS") for statement in ADD_COLUMNS]
        if not cursor.execute(FIND_EMAILS_TABLE).fetchone():
            changes.append(KEEP_IN_ROW)
        for statement in ("BEGIN", LIMIT_WAIT, *changes, "COMMIT"):
            cursor.execute(statement)
    else:
        columns = cursor.execute(COLUMNS).fetchall()
        for statement in ADD_COLUMNS:
            if (statement.split()[-2],) not in columns:
                cursor.execute(statement)
    cursor.execute(CREATE_INDEX)


steps = [step(apply)]
