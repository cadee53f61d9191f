"""The table `audit_log`: what was done with accounts and scans, by whom and from where."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import AsyncIterator
from typing import Literal, get_args

import msgspec

from . import Executor, Row
from .rows import to_utc, utc_now

Event = Literal[
    "log-in", "log-in-failed", "wrong-password", "registered", "password-changed", "token-created",
    "token-revoked", "exported", "document-marked", "scan-deleted", "link-created", "link-deleted",
    "account-created", "account-deleted", "account-disabled", "account-enabled", "logged-out",
    "scans-purged",
]  # fmt: skip
EVENTS: tuple[Event, ...] = get_args(Event)
OPERATOR = "operator"  # the address of a command
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
ROWS_PER_QUERY = 1000


class AuditEntry(msgspec.Struct, frozen=True):
    """An event of an account; `email` stays when the account is deleted, `detail` has IDs or a format.

    An event without an account, such as a log-in with an unknown email, has no `user_id` and no `email`.
    """

    created_at: datetime.datetime
    email: str
    event: str
    detail: str
    address: str
    request_id: str
    user_id: str | None
    id: str


def make_entry(
    event: Event,
    user_id: str | None,
    *,
    email: str = "",
    detail: str = "",
    address: str = OPERATOR,
    request_id: str = "",
) -> AuditEntry:
    """Return an entry of now."""
    return AuditEntry(utc_now(), email, event, detail, address, request_id, user_id, str(uuid.uuid4()))


FIND_EMAIL = "SELECT email FROM users WHERE id = :user_id"
INSERT_ENTRY = """
INSERT INTO audit_log (id, created_at, user_id, email, event, detail, address, request_id)
VALUES (:id, :created_at, :user_id, :email, :event, :detail, :address, :request_id)
ON CONFLICT (id) DO NOTHING
"""


async def insert_entry(db: Executor, entry: AuditEntry) -> None:
    """Store an entry, with the email of its account unless it has one; a repeated one is stored once."""
    values = msgspec.structs.asdict(entry)
    if entry.user_id and not entry.email:
        row = await db.fetch_one(FIND_EMAIL, {"user_id": entry.user_id})
        values["email"] = row["email"] if row else ""
    await db.execute(INSERT_ENTRY, values)


LIST_OWN_ENTRIES = """
SELECT * FROM audit_log WHERE user_id = :user_id ORDER BY created_at DESC, id DESC LIMIT :limit
"""


async def list_own_entries(db: Executor, user_id: str, limit: int) -> list[AuditEntry]:
    """Return the newest entries of a user, newest first."""
    return list(map(to_entry, await db.fetch_all(LIST_OWN_ENTRIES, {"user_id": user_id, "limit": limit})))


LIST_ENTRIES = """
SELECT * FROM audit_log
WHERE (:email = '' OR email = :email) AND created_at >= :since AND (created_at, id) < (:before, :before_id)
ORDER BY created_at DESC, id DESC LIMIT :limit
"""


async def list_entries(db: Executor, email: str, since: datetime.datetime) -> AsyncIterator[AuditEntry]:
    """Yield the entries of an account, or of all, newest first."""
    values = {"email": email, "since": since, "before": utc_now(), "before_id": LAST_ID}
    while rows := await db.fetch_all(LIST_ENTRIES, {**values, "limit": ROWS_PER_QUERY}):
        for row in rows:
            yield to_entry(row)
        values |= {"before": to_utc(rows[-1]["created_at"]), "before_id": str(rows[-1]["id"])}


def to_entry(row: Row) -> AuditEntry:
    texts = (row["email"], row["event"], row["detail"], row["address"], row["request_id"])
    user_id = str(row["user_id"]) if row["user_id"] else None
    return AuditEntry(to_utc(row["created_at"]), *texts, user_id, str(row["id"]))


# some at a time: writers wait for SQLite's lock
DELETE_ENTRIES_BEFORE = """
DELETE FROM audit_log WHERE id IN (
    SELECT id FROM audit_log WHERE created_at < :before ORDER BY created_at, id LIMIT :limit
)
RETURNING id
"""


async def delete_entries_before(db: Executor, before: datetime.datetime) -> None:
    while await db.fetch_all(DELETE_ENTRIES_BEFORE, {"before": before, "limit": ROWS_PER_QUERY}):
        pass
