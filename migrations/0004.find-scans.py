"""Let scans be found by the words of their names and risks, and their risks be counted by category.

`scans.categories` becomes a JSON object of the number of risks of each; `scans.words` is what
riskscan/words.py makes of a scan. What is there already is brought up to date some hundred scans at a time:
a start that was cut off goes on where it was, and nobody who reads is held up.
"""

import collections
import json

from yoyo import step

from riskscan.schemas import Risk
from riskscan.search_terms import index_terms

__transactional__ = False  # each batch is one of its own

BATCH = 500
SQLITE = "ALTER TABLE scans ADD COLUMN words text NOT NULL DEFAULT ''"
POSTGRESQL = "ALTER TABLE scans ADD COLUMN IF NOT EXISTS words tsvector NOT NULL DEFAULT ''"
INDEX = "CREATE INDEX IF NOT EXISTS scans_words ON scans USING gin (words)"
NEWEST = "SELECT max(created_at) FROM scans WHERE risk_count >= 0"
# by the index scans_created_at; a list is what the version before has kept
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
        cursor.executemany(bind(UPDATE), [updated(*row) for row in rows])
        cursor.execute("COMMIT")
        before = rows[-1][-1]
    if not sqlite:
        cursor.execute(INDEX)


def updated(scan_id, user_id, filename, data, _):
    """Return the values of an update; PostgreSQL's driver answers JSON that is read already."""
    risks = [Risk(**risk) for risk in (json.loads(data) if isinstance(data, str) else data)]
    categories = collections.Counter(risk.category for risk in risks)
    return json.dumps(categories, ensure_ascii=False), index_terms(filename, risks), scan_id, user_id


steps = [step(apply)]
