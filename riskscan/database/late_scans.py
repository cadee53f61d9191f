"""Scans that an earlier version has stored: before 0017.search-sentences, or in an upgrade or a rollback."""

from __future__ import annotations

import asyncio
import collections
import logging
import uuid
from typing import Any

import msgspec

from ..fingerprints import compute_fingerprints
from ..scan_names import draft_name
from ..schemas import Detail, Risk
from ..search_terms import index_terms
from . import Database, Row
from .distributed import COUNT_REVIEWED_FINDINGS, INDEX_FINGERPRINTS
from .users import LOCK_USER

FIRST_ID = "00000000-0000-0000-0000-000000000000"
log = logging.getLogger(__name__)

decode_risks = msgspec.json.Decoder(list[Risk]).decode

# the condition is that of the index scans_to_index, which has these scans alone; terms_title is the title of
# which they have the terms: a process of an earlier version renames a scan without its sentences
FIND_LATE_SCANS = """
SELECT id, user_id, filename, title, first_words, data FROM scans
WHERE (terms_title IS NULL OR terms_title <> coalesce(title, '')
        OR details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '')
    AND id > :id
ORDER BY id LIMIT 50
"""
# unless another process was first, or the user has renamed the scan since it was read, whose words are of its
# title: it is read again the next time; details that are stored already say more
FILL_LATE_SCAN = """
UPDATE scans SET details = CASE WHEN details = '[]' THEN :details ELSE details END,
    categories = :categories, words = :words, terms = :terms, terms_title = :title,
    draft_name = :draft_name
WHERE id = :id AND user_id = :user_id AND coalesce(title, '') = :title
    AND (terms_title IS NULL OR terms_title <> coalesce(title, '')
        OR details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '')
RETURNING id
"""
# what FILL_LATE_SCAN returns, after other statements
FIND_FILLED_SCAN = """
SELECT id FROM scans WHERE id = :id AND user_id = :user_id AND coalesce(title, '') = :title
"""


async def fill_late_scans(db: Database, stopping: asyncio.Event | None = None) -> int:
    """Store search terms, categories, fingerprints and draft names of late scans; return their number.

    It ends early once `stopping` is set: after a migration all scans may be late.
    """
    filled = 0
    # begins anywhere, so that processes which do this at once share the scans
    for after in (str(uuid.uuid4()), FIRST_ID):
        # by position, so that a scan which cannot be filled is not tried for ever
        while rows := await db.fetch_all(FIND_LATE_SCANS, {"id": after}):
            for row in rows:
                if stopping and stopping.is_set():
                    return filled
                filled += await fill_late_scan(db, row)
            after = str(rows[-1]["id"])
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
        **index_terms(names, risks)._asdict(),
        "draft_name": draft_name(row["filename"], row["first_words"]),
    }
