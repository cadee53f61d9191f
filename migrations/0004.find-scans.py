"""Search scans by the words of their file names and risks, and count their risks by category.

`scans.categories` becomes a JSON object of the number of risks per category; `scans.words` has the search
terms of riskscan/search_terms.py. Existing scans are updated in batches: an interrupted migration continues
where it stopped, and reads are not blocked.
"""

import collections
import json

from yoyo import step

from riskscan.schemas import Risk
from riskscan.search_terms import index_terms

__transactional__ = False  # each batch is a transaction

BATCH = 500
SQLITE = "ALTER TABLE scans ADD COLUMN words text NOT NULL DEFAULT ''"
POSTGRESQL = "ALTER TABLE scans ADD COLUMN IF NOT EXISTS words tsvector NOT NULL DEFAULT ''"
INDEX = "CREATE INDEX IF NOT EXISTS scans_words ON scans USING gin (words)"
NEWEST = "SELECT max(created_at) FROM scans WHERE risk_count >= 0"
# by the index scans_created_at; scans of the version before have a JSON list
OLD = """
SELECT id, user_id, filename, data, created_at FROM scans
WHERE risk_count >= 0 AND created_at <= ? AND substr(categories, 1, 1) = '['
ORDER BY created_at DESC LIMIT ?
"""
UPDATE = "UPDATE scans SET categories = ?, words = ? WHERE id = ? AND user_id = ?"


def apply(connection):
    sqlite = type(connection).__module__ == "sqlite3"
    bind = str if sqlite else lambda sql: sql.replace("?", "%s")
    cursor = connection.cursor()
    if sqlite:
        columns = [name for _, name, *_ in cursor.execute("PRAGMA table_info (scans)")]
        if "words" not in columns:
            cursor.execute(SQLITE)
    else:
        cursor.execute(POSTGRESQL)
    cursor.execute(NEWEST)
    (before,) = cursor.fetchone()
    while rows := cursor.execute(bind(OLD), (before, BATCH)).fetchall():
        cursor.execute("BEGIN")
        cursor.executemany(bind(UPDATE), [to_update_values(*row) for row in rows])
        cursor.execute("COMMIT")
        before = rows[-1][-1]
    if not sqlite:
        cursor.execute(INDEX)


def to_update_values(scan_id, user_id, filename, data, _):
    """Return the values of an UPDATE; PostgreSQL's driver returns JSON already parsed."""
    risks = [Risk(**risk) for risk in (json.loads(data) if isinstance(data, str) else data)]
    categories = collections.Counter(risk.category for risk in risks)
    words, _ = index_terms((filename,), risks)
    return json.dumps(categories, ensure_ascii=False), words, scan_id, user_id


steps = [step(apply)]
