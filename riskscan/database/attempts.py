"""The table `attempts`: log-ins, registrations and scans, counted in fixed windows."""

from __future__ import annotations

import datetime
import secrets

from . import Database, Executor
from .rows import to_utc, utc_now

# a window that has expired starts again; one that would end too late, as the clock was set back, starts now
INCREMENT_ATTEMPTS = """
INSERT INTO attempts (name, tries, expires_at) VALUES (:name, 1, :expires_at)
ON CONFLICT (name) DO UPDATE SET
    tries = CASE WHEN attempts.expires_at <= :now THEN 1 ELSE attempts.tries + 1 END,
    expires_at = CASE
        WHEN attempts.expires_at <= :now OR attempts.expires_at > excluded.expires_at THEN excluded.expires_at
        ELSE attempts.expires_at
    END
RETURNING tries, expires_at
"""


async def increment_attempts(db: Executor, name: str, seconds: int) -> tuple[int, datetime.datetime]:
    """Count an attempt; return the number of attempts in the window and its end."""
    now = utc_now()
    values = {"name": name, "now": now, "expires_at": now + datetime.timedelta(seconds=seconds)}
    row = await db.fetch_one(INCREMENT_ATTEMPTS, values)
    assert row is not None  # RETURNING returns a row for an INSERT and for an UPDATE
    return row["tries"], to_utc(row["expires_at"])


async def check_write(db: Database) -> None:
    """Store a row that expires at once. Raises 503 `database_unavailable`."""
    # new and of 2 KB: a few bytes could find room on a full disk
    await increment_attempts(db, f"check {secrets.token_hex(1000)}", 0)
    db.write_error = ""


DECREMENT_ATTEMPTS = """
UPDATE attempts SET tries = tries - 1 WHERE name = :name AND tries > 0 RETURNING tries, expires_at
"""


async def decrement_attempts(db: Executor, name: str) -> tuple[int, datetime.datetime] | None:
    """Subtract an attempt; return the number left and the end of the window, None if there were none."""
    row = await db.fetch_one(DECREMENT_ATTEMPTS, {"name": name})
    return (row["tries"], to_utc(row["expires_at"])) if row else None


DELETE_EXPIRED_ATTEMPTS = "DELETE FROM attempts WHERE expires_at <= :now"


async def delete_expired_attempts(db: Executor) -> None:
    await db.execute(DELETE_EXPIRED_ATTEMPTS, {"now": utc_now()})
