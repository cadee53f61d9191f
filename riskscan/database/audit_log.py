"""The table `audit_log`: what was done with accounts and scans, by whom and from where."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Literal, get_args

import msgspec

from . import Executor, Row
from .drivers import to_sqlite_timestamp
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


# the databases differ in how they read a JSON list
INSERT_ENTRIES_POSTGRESQL = """
INSERT INTO audit_log (id, created_at, user_id, email, event, detail, address, request_id)
SELECT id, created_at, user_id, email, event, detail, address, request_id
FROM json_to_recordset(CAST(:entries AS json)) AS entry (
    id uuid, created_at timestamptz, user_id uuid, email text, event text, detail text, address text,
    request_id text
)
ON CONFLICT (id) DO NOTHING
"""
INSERT_ENTRIES_SQLITE = """
INSERT INTO audit_log (id, created_at, user_id, email, event, detail, address, request_id)
SELECT value ->> 'id', value ->> 'created_at', value ->> 'user_id', value ->> 'email', value ->> 'event',
    value ->> 'detail', value ->> 'address', value ->> 'request_id'
FROM json_each(:entries)
WHERE TRUE
ON CONFLICT (id) DO NOTHING
"""


async def insert_entries(db: Executor, entries: Sequence[AuditEntry]) -> None:
    """Store entries, with the email of their account unless they have one; repeated ones are stored once."""
    emails = {entry.user_id: entry.email for entry in entries if entry.user_id and entry.email}
    for entry in entries:
        if entry.user_id and entry.user_id not in emails:
            emails[entry.user_id] = await find_email(db, entry.user_id)
    values = [
        {
            **msgspec.structs.asdict(entry),
            "email": emails.get(entry.user_id or "", ""),
            "created_at": to_sqlite_timestamp(entry.created_at),
        }
        for entry in entries
    ]
    sql = INSERT_ENTRIES_SQLITE if db.sqlite else INSERT_ENTRIES_POSTGRESQL
    await db.execute(sql, {"entries": msgspec.json.encode(values).decode()})


async def insert_entry(db: Executor, entry: AuditEntry) -> None:
    """Store an entry as `insert_entries` does."""
    await insert_entries(db, [entry])


FIND_EMAIL = "SELECT email FROM users WHERE id = :user_id"
# of an account that was deleted before the entry could be stored
FIND_EMAIL_OF_ENTRIES = """
SELECT email FROM audit_log WHERE user_id = :user_id AND email <> '' ORDER BY created_at DESC, id DESC LIMIT 1
"""


async def find_email(db: Executor, user_id: str) -> str:
    """Return the email of an account, from its entries if it is deleted; empty if nothing is known of it."""
    for sql in (FIND_EMAIL, FIND_EMAIL_OF_ENTRIES):
        if row := await db.fetch_one(sql, {"user_id": user_id}):
            return str(row["email"])
    return ""


# failed log-ins, which anybody can cause, must not push out the others
LIST_OWN_ENTRIES = """
SELECT * FROM audit_log WHERE user_id = :user_id AND event <> 'log-in-failed'
ORDER BY created_at DESC, id DESC LIMIT :limit
"""


async def list_own_entries(db: Executor, user_id: str, limit: int) -> list[AuditEntry]:
    """Return the newest entries of a user but failed log-ins, newest first."""
    return list(map(to_entry, await db.fetch_all(LIST_OWN_ENTRIES, {"user_id": user_id, "limit": limit})))


LIST_FAILED_LOG_INS = """
SELECT * FROM audit_log WHERE user_id = :user_id AND event = 'log-in-failed'
ORDER BY created_at DESC, id DESC LIMIT :limit
"""


async def list_failed_log_ins(db: Executor, user_id: str, limit: int) -> list[AuditEntry]:
    """Return the newest failed log-ins of a user, newest first."""
    return list(map(to_entry, await db.fetch_all(LIST_FAILED_LOG_INS, {"user_id": user_id, "limit": limit})))


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
