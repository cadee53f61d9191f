"""Likely drafts of the document of a scan, among the user's other scans."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ..scan_names import display_name
from . import Executor, Row
from .rows import to_utc
from .scan_queries import BEFORE_ALL_SCANS, CursorPosition

MAX_DRAFTS = 20


class Draft(NamedTuple):
    """A scan that is likely of another draft of a document, and why: the same bytes, the same draft name
    (scan_names.py), or how many findings are in both, where they are a third of each."""

    scan_id: str
    name: str
    created_at: datetime.datetime
    risk_count: int
    same_bytes: bool
    same_name: bool
    in_common: int


# of fingerprints in thousands of scans the first 10,000 rows are read, which bounds the time
FIND_DRAFTS = """
WITH this AS (
    SELECT digest, draft_name FROM scans WHERE id = :id AND user_id = :user_id
), sentences AS (
    SELECT fingerprint FROM fingerprints WHERE user_id = :user_id AND scan_id = :id
), matches AS (
    SELECT others.scan_id FROM sentences
    JOIN fingerprints AS others
        ON others.user_id = :user_id AND others.fingerprint = sentences.fingerprint AND others.scan_id <> :id
    LIMIT 10000
), counts AS (
    SELECT scan_id, count(*) AS in_common FROM matches
    GROUP BY scan_id HAVING count(*) * 3 >= (SELECT count(*) FROM sentences)
), likely AS (
    SELECT id, 1 AS same_bytes, 0 AS same_name, 0 AS in_common FROM (
        SELECT id FROM scans
        WHERE user_id = :user_id AND digest = (SELECT digest FROM this)
            AND (created_at, id) < (:created_at, :before_id)
        ORDER BY created_at DESC, id DESC LIMIT :limit
    ) AS by_bytes
    UNION ALL
    SELECT id, 0, 1, 0 FROM (
        SELECT id FROM scans
        WHERE user_id = :user_id AND draft_name = (SELECT draft_name FROM this)
            AND (created_at, id) < (:created_at, :before_id)
        ORDER BY created_at DESC, id DESC LIMIT :limit
    ) AS by_name
    UNION ALL
    SELECT scan_id, 0, 0, in_common FROM counts
    WHERE in_common * 3 >= (
        SELECT count(*) FROM fingerprints AS others
        WHERE others.user_id = :user_id AND others.scan_id = counts.scan_id
    )
)
SELECT scans.id, title, filename, first_words, risk_count, scans.created_at, same_bytes, same_name, in_common
FROM (
    SELECT id, max(same_bytes) AS same_bytes, max(same_name) AS same_name, max(in_common) AS in_common
    FROM likely WHERE id <> :id GROUP BY id
) AS found
JOIN scans ON scans.id = found.id AND scans.user_id = :user_id
WHERE (scans.created_at, scans.id) < (:created_at, :before_id)
ORDER BY scans.created_at DESC, scans.id DESC LIMIT :limit
"""


async def find_drafts(
    db: Executor, user_id: str, scan_id: str, before: CursorPosition = BEFORE_ALL_SCANS
) -> list[Draft]:
    """Return at most 20 likely drafts of the document of a scan, before a position, newest first."""
    values = {
        "id": scan_id,
        "user_id": user_id,
        "created_at": before.created_at,
        "before_id": before.scan_id,
        "limit": MAX_DRAFTS,
    }
    return [to_draft(row) for row in await db.fetch_all(FIND_DRAFTS, values)]


def to_draft(row: Row) -> Draft:
    return Draft(
        scan_id=str(row["id"]),
        name=display_name(row["title"], row["filename"], row["first_words"]),
        created_at=to_utc(row["created_at"]),
        risk_count=row["risk_count"],
        same_bytes=bool(row["same_bytes"]),
        same_name=bool(row["same_name"]),
        in_common=row["in_common"],
    )
