"""What the operator's commands read and change, of any account."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from . import Executor
from .rows import to_utc, utc_now

ROWS_PER_QUERY = 1000
NO_ID = "00000000-0000-0000-0000-000000000000"  # sorts before all others


class AccountRow(msgspec.Struct, frozen=True):
    """An account in a list of accounts; `disabled_at` is None if it is in use."""

    id: str
    email: str
    created_at: datetime.datetime
    scans: int
    api_tokens: int
    disabled_at: datetime.datetime | None


class TokenRow(msgspec.Struct, frozen=True):
    """An API token in a list of the tokens of all accounts."""

    id: str
    email: str
    name: str
    scopes: list[str]
    created_at: datetime.datetime
    last_used_at: datetime.datetime | None
    expires_at: datetime.datetime | None


LIST_ACCOUNTS = """
SELECT id, email, created_at, scan_count, disabled_at, (
    SELECT count(*) FROM api_tokens WHERE user_id = users.id AND version = api_token_version
) AS api_tokens
FROM users WHERE email > :after ORDER BY email LIMIT :limit
"""


async def list_accounts(db: Executor) -> AsyncIterator[AccountRow]:
    """Yield all accounts, by email."""
    after = ""
    while rows := await db.fetch_all(LIST_ACCOUNTS, {"after": after, "limit": ROWS_PER_QUERY}):
        for row in rows:
            created_at, disabled_at = to_utc(row["created_at"]), to_optional_utc(row["disabled_at"])
            yield AccountRow(
                str(row["id"]), row["email"], created_at, row["scan_count"], row["api_tokens"], disabled_at
            )
        after = rows[-1]["email"]


def to_optional_utc(value: Any) -> datetime.datetime | None:
    return to_utc(value) if value else None


DISABLE_ACCOUNT = """
UPDATE users SET disabled_at = :now, token_version = token_version + 1,
    api_token_version = api_token_version + 1
WHERE id = :user_id
"""


async def disable_account(db: Executor, user_id: str) -> None:
    """Refuse further log-ins, and revoke all sessions, access tokens and API tokens."""
    await db.execute(DISABLE_ACCOUNT, {"user_id": user_id, "now": utc_now()})


ENABLE_ACCOUNT = "UPDATE users SET disabled_at = NULL WHERE id = :user_id"


async def enable_account(db: Executor, user_id: str) -> None:
    """Allow log-ins again; what was revoked stays so."""
    await db.execute(ENABLE_ACCOUNT, {"user_id": user_id})


LOG_OUT = "UPDATE users SET token_version = token_version + 1 WHERE id = :user_id"


async def log_out(db: Executor, user_id: str) -> None:
    """Revoke all sessions and access tokens."""
    await db.execute(LOG_OUT, {"user_id": user_id})


LIST_ALL_TOKENS = """
SELECT api_tokens.id, email, name, scopes, api_tokens.created_at, last_used_at, expires_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE (:email = '' OR email = :email) AND (email, api_tokens.id) > (:after_email, :after_id)
ORDER BY email, api_tokens.id LIMIT :limit
"""


async def list_all_tokens(db: Executor, email: str = "") -> AsyncIterator[TokenRow]:
    """Yield the API tokens of all accounts, or of one, without those that have been revoked."""
    values = {"email": email, "after_email": "", "after_id": NO_ID, "limit": ROWS_PER_QUERY}
    while rows := await db.fetch_all(LIST_ALL_TOKENS, values):
        for row in rows:
            yield TokenRow(
                str(row["id"]),
                row["email"],
                row["name"],
                row["scopes"].split(),
                to_utc(row["created_at"]),
                to_optional_utc(row["last_used_at"]),
                to_optional_utc(row["expires_at"]),
            )
        values |= {"after_email": rows[-1]["email"], "after_id": str(rows[-1]["id"])}


REVOKE_TOKEN = "DELETE FROM api_tokens WHERE id = :id RETURNING user_id"


async def revoke_token(db: Executor, token_id: str) -> str | None:
    """Delete an API token; return the ID of its user, None if there is no such token."""
    row = await db.fetch_one(REVOKE_TOKEN, {"id": token_id})
    return str(row["user_id"]) if row else None
