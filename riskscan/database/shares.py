"""The table `shares`: links by which anyone can read a scan until they expire."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ..scan_names import display_name
from ..schemas import Scan, Share
from . import Database, Executor
from .drivers import ForeignKeyViolation
from .rows import TokenRevoked, to_utc, utc_now
from .scans import to_scan
from .token_owners import fetch_token
from .users import LOCK_USER


class SharedScan(NamedTuple):
    """A scan that a link leads to, with the ID of its owner and what it is called."""

    owner_id: str
    scan: Scan
    name: str
    expires_at: datetime.datetime


INSERT_SHARE = """
INSERT INTO shares (id, user_id, scan_id, digest, created_at, expires_at)
SELECT :id, scans.user_id, scans.id, :digest, :created_at, :expires_at FROM scans
WHERE scans.id = :scan_id AND scans.user_id = :user_id AND :limit > (
    SELECT count(*) FROM shares WHERE user_id = :user_id AND scan_id = :scan_id AND expires_at > :created_at
)
RETURNING id
"""


async def insert_share(
    db: Database, user_id: str, scan_id: str, share: Share, digest: str, limit: int
) -> bool:
    """Store a link to a scan of the user; return False if the scan has `limit` links already."""
    values = {
        "id": share.id,
        "user_id": user_id,
        "scan_id": scan_id,
        "digest": digest,
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "limit": limit,
    }
    try:
        return bool(await db.fetch_all(INSERT_SHARE, values, lock=LOCK_USER))
    except ForeignKeyViolation:
        raise TokenRevoked from None


LIST_SHARES = """
SELECT id, created_at, expires_at FROM shares
WHERE user_id = :user_id AND scan_id = :scan_id AND expires_at > :now ORDER BY created_at DESC, id DESC
"""


async def list_shares(db: Executor, user_id: str, scan_id: str) -> list[Share]:
    """Return the links to a scan of the user that have not expired, newest first."""
    rows = await db.fetch_all(LIST_SHARES, {"user_id": user_id, "scan_id": scan_id, "now": utc_now()})
    return [Share(str(row["id"]), to_utc(row["created_at"]), to_utc(row["expires_at"])) for row in rows]


FIND_SHARED_SCAN = """
SELECT scans.id, scans.user_id, filename, data, source, risk_count, reviewed_count, notes, title,
    scans.created_at, first_words, expires_at
FROM shares
JOIN scans ON scans.id = shares.scan_id AND scans.user_id = shares.user_id
WHERE shares.digest = :digest AND shares.user_id = :user_id AND expires_at > :now
"""


async def find_shared_scan(db: Executor, digest: str, user_id: str) -> SharedScan | None:
    """Return the scan that the link with this digest leads to; None if it has expired or was revoked."""
    row = await fetch_token(db, FIND_SHARED_SCAN, digest, user_id, {"now": utc_now()})
    if row is None:
        return None
    return SharedScan(
        str(row["user_id"]),
        to_scan(row),
        display_name(row["title"], row["filename"], row["first_words"]),
        to_utc(row["expires_at"]),
    )


DELETE_SHARE = """
DELETE FROM shares WHERE id = :id AND user_id = :user_id AND scan_id = :scan_id RETURNING id
"""


async def delete_share(db: Executor, user_id: str, scan_id: str, share_id: str) -> bool:
    """Delete a link of the user; return whether it existed."""
    values = {"id": share_id, "user_id": user_id, "scan_id": scan_id}
    return await db.fetch_one(DELETE_SHARE, values) is not None


DELETE_EXPIRED_SHARES = "DELETE FROM shares WHERE expires_at <= :now"


async def delete_expired_shares(db: Executor) -> None:
    await db.execute(DELETE_EXPIRED_SHARES, {"now": utc_now()})
