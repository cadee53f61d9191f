"""Attempts counted in windows: log-ins, registrations, scans."""

from __future__ import annotations

import datetime

from . import Executor
from .rows import to_utc, utc_now

# a window that has ended starts again
INCREMENT_ATTEMPTS = """
INSERT INTO attempts (name, tries, expires_at) VALUES (:name, 1, :expires_at)
ON CONFLICT (name) DO UPDATE SET
    tries = CASE WHEN attempts.expires_at <= :now THEN 1 ELSE attempts.tries + 1 END,
    expires_at = CASE WHEN attempts.expires_at <= :now THEN excluded.expires_at ELSE attempts.expires_at END
RETURNING tries, expires_at
"""


async def increment_attempts(db: Executor, name: str, seconds: int) -> tuple[int, datetime.datetime]:
    """Count one more try under this name; return how many there were in this window, and when it ends."""
    moment = utc_now()
    values = {"name": name, "now": moment, "expires_at": moment + datetime.timedelta(seconds=seconds)}
    row = await db.fetch_one(INCREMENT_ATTEMPTS, values)
    assert row is not None  # RETURNING answers a row for an insert and for an update
    return row["tries"], to_utc(row["expires_at"])


DECREMENT_ATTEMPTS = """
UPDATE attempts SET tries = tries - 1 WHERE name = :name AND tries > 0 RETURNING tries, expires_at
"""


async def decrement_attempts(db: Executor, name: str) -> tuple[int, datetime.datetime] | None:
    """Count one try less under this name; return how many there are now, and when the window ends."""
    row = await db.fetch_one(DECREMENT_ATTEMPTS, {"name": name})
    return (row["tries"], to_utc(row["expires_at"])) if row else None


DELETE_EXPIRED = (
    "DELETE FROM sessions WHERE expires_at <= :now",
    "DELETE FROM attempts WHERE expires_at <= :now",
    # not at once: whoever is late with a scan must not meet a key that has forgotten its id
    "DELETE FROM idempotency_keys WHERE held_until <= :yesterday",
)


async def delete_expired(db: Executor) -> None:
    """Drop the sessions, counters and keys whose time is over."""
    moment = utc_now()
    for statement in DELETE_EXPIRED:
        await db.fetch_all(statement, {"now": moment, "yesterday": moment - datetime.timedelta(days=1)})
