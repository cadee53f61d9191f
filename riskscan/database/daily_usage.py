"""The table `daily_usage`: what users have scanned on the day that ends at `ends_at`."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from . import Executor
from .drivers import ForeignKeyViolation
from .rows import TokenRevoked, utc_now


class DailyUsage(NamedTuple):
    """The scans of a day, and the bytes of their documents."""

    scans: int = 0
    bytes: int = 0


# one statement, so that scans that begin at once cannot exceed a limit together
ADD_USAGE = """
INSERT INTO daily_usage (user_id, ends_at, scans, bytes) VALUES (:user_id, :ends_at, 1, :bytes)
ON CONFLICT (user_id, ends_at) DO UPDATE SET
    scans = daily_usage.scans + 1, bytes = daily_usage.bytes + excluded.bytes
WHERE daily_usage.scans < :max_scans AND daily_usage.bytes + excluded.bytes <= :max_bytes
RETURNING scans, bytes
"""


async def add_usage(
    db: Executor, user_id: str, ends_at: datetime.datetime, size: int, max_usage: DailyUsage
) -> DailyUsage | None:
    """Count a scan of this many bytes and return the usage with it; None if that were too much.

    The first scan of a day never is. Raises TokenRevoked if the account was deleted.
    """
    values = {"user_id": user_id, "ends_at": ends_at, "bytes": size}
    limits = {"max_scans": max_usage.scans, "max_bytes": max_usage.bytes}
    try:
        row = await db.fetch_one(ADD_USAGE, {**values, **limits})
    except ForeignKeyViolation:
        raise TokenRevoked from None
    return DailyUsage(row["scans"], row["bytes"]) if row else None


FIND_USAGE = "SELECT scans, bytes FROM daily_usage WHERE user_id = :user_id AND ends_at = :ends_at"


async def find_usage(db: Executor, user_id: str, ends_at: datetime.datetime) -> DailyUsage:
    row = await db.fetch_one(FIND_USAGE, {"user_id": user_id, "ends_at": ends_at})
    return DailyUsage(row["scans"], row["bytes"]) if row else DailyUsage()


SUBTRACT_USAGE = """
UPDATE daily_usage SET scans = scans - 1, bytes = bytes - :bytes
WHERE user_id = :user_id AND ends_at = :ends_at
"""


async def subtract_usage(db: Executor, user_id: str, ends_at: datetime.datetime, size: int) -> None:
    """Take back a scan of this many bytes."""
    await db.execute(SUBTRACT_USAGE, {"user_id": user_id, "ends_at": ends_at, "bytes": size})


DELETE_EXPIRED_USAGE = "DELETE FROM daily_usage WHERE ends_at <= :now"


async def delete_expired_usage(db: Executor) -> None:
    await db.execute(DELETE_EXPIRED_USAGE, {"now": utc_now()})
