"""The table `idempotency_keys`."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from . import Executor
from .drivers import ForeignKeyViolation
from .rows import TokenRevoked, to_utc, utc_now


class IdempotencyRecord(NamedTuple):
    """An Idempotency-Key in use: the digest of its input, its scan, and whether that is stored."""

    fingerprint: str
    scan_id: str
    completed: bool
    locked_until: datetime.datetime


# the same input gets the same scan ID until the scan is stored
LOCK_KEY = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, kept, held_until)
VALUES (:user_id, :key, :fingerprint, :claim, FALSE, :held_until)
ON CONFLICT (user_id, key) DO UPDATE SET
    claim = CASE
        WHEN idempotency_keys.kept OR idempotency_keys.fingerprint <> excluded.fingerprint THEN excluded.claim
        ELSE idempotency_keys.claim
    END,
    fingerprint = excluded.fingerprint, kept = FALSE, held_until = excluded.held_until
WHERE idempotency_keys.held_until <= :now
RETURNING claim
"""


async def lock_key(
    db: Executor, user_id: str, key: str, fingerprint: str, scan_id: str, until: datetime.datetime
) -> str | None:
    """Lock a key; return the ID for its scan, which an expired lock may have set; None if it is in use.

    Raises TokenRevoked if the account was deleted.
    """
    values = {"user_id": user_id, "key": key, "fingerprint": fingerprint, "claim": scan_id}
    try:
        row = await db.fetch_one(LOCK_KEY, {**values, "held_until": until, "now": utc_now()})
    except ForeignKeyViolation:
        raise TokenRevoked from None
    return str(row["claim"]) if row else None


FIND_KEY = """
SELECT fingerprint, claim, kept, held_until FROM idempotency_keys WHERE user_id = :user_id AND key = :key
"""


async def find_key(db: Executor, user_id: str, key: str) -> IdempotencyRecord | None:
    row = await db.fetch_one(FIND_KEY, {"user_id": user_id, "key": key})
    if row is None:
        return None
    return IdempotencyRecord(
        row["fingerprint"], str(row["claim"]), bool(row["kept"]), to_utc(row["held_until"])
    )


FINISH_KEY = """
UPDATE idempotency_keys SET kept = :completed, held_until = :until
WHERE user_id = :user_id AND key = :key AND held_until = :locked_until
"""


async def finish_key(
    db: Executor,
    user_id: str,
    key: str,
    locked_until: datetime.datetime,
    *,
    completed: bool,
    until: datetime.datetime,
) -> None:
    """Store whether the scan is completed and until when the key is in use, unless another took the lock."""
    values = {"user_id": user_id, "key": key, "locked_until": locked_until, "completed": completed}
    await db.execute(FINISH_KEY, {**values, "until": until})


DELETE_EXPIRED_KEYS = "DELETE FROM idempotency_keys WHERE held_until <= :yesterday"


async def delete_expired_keys(db: Executor) -> None:
    """Delete the keys that expired a day ago: a slow request may still finish under its scan ID."""
    await db.execute(DELETE_EXPIRED_KEYS, {"yesterday": utc_now() - datetime.timedelta(days=1)})
