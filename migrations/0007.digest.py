"""Store the SHA-256 of the input, and find a user's previous scans of the same bytes or file name.

`scans.digest` is hexadecimal: of the file's bytes, or of a text in UTF-8. Scans from before have none.
"""

from yoyo import step

COLUMNS = "SELECT name FROM pragma_table_info('scans')"
ADD_COLUMN = "ALTER TABLE scans ADD COLUMN digest text"
INDEXES = (
    """
    CREATE INDEX IF NOT EXISTS scans_user_id_digest ON scans (user_id, digest, created_at DESC, id DESC)
    WHERE digest IS NOT NULL
    """,
    """
    CREATE INDEX IF NOT EXISTS scans_user_id_filename ON scans (user_id, filename, created_at DESC, id DESC)
    WHERE filename IS NOT NULL
    """,
)


def apply(connection):
    if type(connection).__module__ != "sqlite3":
        connection.execute(ADD_COLUMN.replace("COLUMN", "COLUMN IF NOT EXISTS"))
    elif ("digest",) not in connection.execute(COLUMNS).fetchall():
        connection.execute(ADD_COLUMN)
    for index in INDEXES:
        connection.execute(index)


steps = [step(apply)]
