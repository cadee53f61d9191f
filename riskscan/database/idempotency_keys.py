"""The table `idempotency_keys`."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from . import Executor
from .drivers import ForeignKeyViolation
from .rows import TokenRevoked, to_utc, utc_now


class IdempotencyRecord(NamedTuple):
    """An Idempotency-Key in use: for which input, the id of its scan, if that is kept, and until when."""

    fingerprint: str
    scan_id: str
    completed: bool
    locked_until: datetime.datetime


# the same input gets the same id until its scan is kept
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
    db: Executor, user_id: str, key: str, fingerprint: str, claim: str, until: datetime.datetime
) -> str | None:
    """Hold the user's key for an input; return the id that its scan is to have, None where the key is held.

    Raises TokenRevoked if the account was deleted.
    """
    values = {"user_id": user_id, "key": key, "fingerprint": fingerprint, "claim": claim}
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
UPDATE idempotency_keys SET kept = :kept, held_until = :until
WHERE user_id = :user_id AND key = :key AND held_until = :lease
"""


async def finish_key(
    db: Executor,
    user_id: str,
    key: str,
    lease: datetime.datetime,
    *,
    kept: bool,
    until: datetime.datetime,
) -> None:
    """Say what came of a key that was held until `lease`; one that another has taken over stays theirs."""
    values = {"user_id": user_id, "key": key, "lease": lease, "kept": kept, "until": until}
    await db.fetch_all(FINISH_KEY, values)
