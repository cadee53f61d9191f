"""Scans that a process of an earlier version has stored after the migrations, in an upgrade or a rollback."""

from __future__ import annotations

import asyncio
import collections
import logging
from typing import Any

import msgspec

from ..fingerprints import compute_fingerprints
from ..scan_names import draft_name
from ..schemas import Detail, Risk
from ..search_terms import index_terms
from . import Database, Row
from .distributed import COUNT_REVIEWED_FINDINGS, INDEX_FINGERPRINTS
from .rows import to_utc
from .scan_queries import EARLIEST
from .users import LOCK_USER

BEFORE_ALL = {"created_at": EARLIEST, "id": "00000000-0000-0000-0000-000000000000"}
log = logging.getLogger(__name__)

decode_risks = msgspec.json.Decoder(list[Risk]).decode

# the condition is that of the index scans_late, which has these scans alone
FIND_LATE_SCANS = """
SELECT id, user_id, filename, title, first_words, data, created_at FROM scans
WHERE (details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '')
    AND (created_at, id) > (:created_at, :id)
ORDER BY created_at, id LIMIT 50
"""
# unless another process was first, or the user has renamed the scan since it was read, whose words are of its
# title: it is read again the next time; details that are stored already say more
FILL_LATE_SCAN = """
UPDATE scans SET details = CASE WHEN details = '[]' THEN :details ELSE details END,
    categories = :categories, words = :words, draft_name = :draft_name
WHERE id = :id AND user_id = :user_id AND (details = '[]' OR draft_name IS NULL)
    AND coalesce(title, '') = :title
RETURNING id
"""
# what FILL_LATE_SCAN returns, after other statements
FIND_FILLED_SCAN = """
SELECT id FROM scans WHERE id = :id AND user_id = :user_id AND coalesce(title, '') = :title
"""


async def fill_late_scans(db: Database) -> int:
    """Store search terms, categories, fingerprints and draft names of late scans; return their number."""
    filled = 0
    after: dict[str, Any] = BEFORE_ALL
    # by position, so that a scan which cannot be filled is tried once
    while rows := await db.fetch_all(FIND_LATE_SCANS, after):
        for row in rows:
            filled += await fill_late_scan(db, row)
        after = {"created_at": to_utc(rows[-1]["created_at"]), "id": str(rows[-1]["id"])}
    return filled


async def fill_late_scan(db: Database, row: Row) -> bool:
    """Fill a late scan; return False if it was renamed or filled meanwhile, or cannot be read."""
    try:
        values = await asyncio.to_thread(to_fill_values, row)
    except msgspec.MsgspecError as exc:
        log.warning("scan %s cannot be indexed: %s", row["id"], exc)
        return False
    if await db.is_distributed():
        first = [FILL_LATE_SCAN, INDEX_FINGERPRINTS, COUNT_REVIEWED_FINDINGS]
        return bool(await db.fetch_all(FIND_FILLED_SCAN, values, lock=LOCK_USER, first=first))
    return bool(await db.fetch_all(FILL_LATE_SCAN, values, lock=LOCK_USER))


def to_fill_values(row: Row) -> dict[str, Any]:
    """Return what `insert_scan` would have stored."""
    risks = decode_risks(row["data"])
    names = (row["title"], row["filename"], row["first_words"])
    return {
        "id": str(row["id"]),
        "user_id": str(row["user_id"]),
        "details": msgspec.json.encode(list(map(Detail, compute_fingerprints(risks)))).decode(),
        "categories": msgspec.json.encode(collections.Counter(risk.category for risk in risks)).decode(),
        "title": row["title"] or "",
        "words": index_terms(names, risks),
        "draft_name": draft_name(row["filename"], row["first_words"]),
    }
