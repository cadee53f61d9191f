"""Compute the fingerprints of existing findings, in batches.

An interrupted migration continues where it stopped, and reads are not blocked. Scans that processes of the
version before insert meanwhile get theirs when their page is opened.
"""

import json

from yoyo import step

from riskscan.fingerprints import compute_fingerprints
from riskscan.schemas import Risk

__transactional__ = False  # each batch is a transaction

BATCH = 500
NEWEST = "SELECT max(created_at) FROM scans WHERE risk_count >= 0"
# by the index scans_created_at
OLD = """
SELECT id, user_id, data, created_at FROM scans
WHERE risk_count > 0 AND created_at <= ? AND details = '[]' ORDER BY created_at DESC LIMIT ?
"""
# if it is still there
UPDATE = "UPDATE scans SET details = ? WHERE id = ? AND user_id = ? AND details = '[]'"


def apply(connection):
    bind = str if type(connection).__module__ == "sqlite3" else lambda sql: sql.replace("?", "%s")
    cursor = connection.cursor()
    cursor.execute(NEWEST)
    (before,) = cursor.fetchone()
    while rows := cursor.execute(bind(OLD), (before, BATCH)).fetchall():
        cursor.execute("BEGIN")
        try:
            cursor.executemany(bind(UPDATE), [to_update_values(*row) for row in rows])
        except connection.DatabaseError as exc:
            cursor.execute("ROLLBACK")
            # with a process of the version before that deletes one of these scans; the batch is read again
            if type(exc).__name__ != "DeadlockDetected":
                raise
            continue
        cursor.execute("COMMIT")
        before = rows[-1][-1]


def to_update_values(scan_id, user_id, data, _):
    """Return the values of an UPDATE; PostgreSQL's driver returns JSON already parsed."""
    risks = [Risk(**risk) for risk in (json.loads(data) if isinstance(data, str) else data)]
    details = [{"fingerprint": fingerprint} for fingerprint in compute_fingerprints(risks)]
    return json.dumps(details), scan_id, user_id


steps = [step(apply)]
