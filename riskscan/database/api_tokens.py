"""The table `api_tokens`."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ..schemas import ApiToken
from . import Database, Executor
from .rows import ACCOUNT_COLUMNS, Account, to_account, to_utc, utc_now
from .token_owners import fetch_token
from .users import LOCK_USER, find_account


class ApiTokenRecord(NamedTuple):
    """An API token with its account, scopes, last use and expiry."""

    account: Account
    token_id: str
    scopes: list[str]
    last_used_at: datetime.datetime | None
    expires_at: datetime.datetime | None


INSERT_API_TOKEN = """
INSERT INTO api_tokens (id, user_id, digest, name, scopes, version, created_at, expires_at)
SELECT :id, users.id, :digest, :name, :scopes, api_token_version, :created_at, :expires_at FROM users
WHERE users.id = :user_id AND token_version = :token_version AND :limit > (
    SELECT count(*) FROM api_tokens WHERE user_id = :user_id AND version = api_token_version
)
RETURNING id
"""


async def insert_api_token(db: Database, account: Account, token: ApiToken, digest: str, limit: int) -> bool:
    """Store an API token; return False if the user has `limit` tokens already.

    Raises TokenRevoked if the account was deleted or its password changed meanwhile.
    """
    values = {
        "id": token.id,
        "user_id": account.user.id,
        "token_version": account.token_version,
        "digest": digest,
        "name": token.name,
        "scopes": " ".join(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "limit": limit,
    }
    # so that of several INSERTs at once each counts the tokens of those before it
    if await db.fetch_all(INSERT_API_TOKEN, values, lock=LOCK_USER):
        return True
    await find_account(db, account.subject)
    return False


LIST_API_TOKENS = """
SELECT api_tokens.id, name, scopes, api_tokens.created_at, last_used_at, expires_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE user_id = :user_id ORDER BY api_tokens.created_at DESC, api_tokens.id DESC
"""


async def list_api_tokens(db: Executor, user_id: str) -> list[ApiToken]:
    """Return the user's API tokens, newest first, without those that a password change revoked."""
    return [
        ApiToken(
            id=str(row["id"]),
            name=row["name"],
            scopes=row["scopes"].split(),
            created_at=to_utc(row["created_at"]),
            last_used_at=to_utc(row["last_used_at"]) if row["last_used_at"] else None,
            expires_at=to_utc(row["expires_at"]) if row["expires_at"] else None,
        )
        for row in await db.fetch_all(LIST_API_TOKENS, {"user_id": user_id})
    ]


FIND_ACCOUNT_BY_API_TOKEN = f"""
SELECT {ACCOUNT_COLUMNS}, api_tokens.id AS token_id, scopes, last_used_at, expires_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE digest = :digest AND user_id = :user_id AND disabled_at IS NULL
"""


async def find_account_by_api_token(db: Executor, digest: str, user_id: str) -> ApiTokenRecord | None:
    """Return the API token with this digest, which may have expired; None if it was revoked."""
    row = await fetch_token(db, FIND_ACCOUNT_BY_API_TOKEN, digest, user_id, {})
    if row is None:
        return None
    last_used_at, expires_at = (
        to_utc(row[name]) if row[name] else None for name in ("last_used_at", "expires_at")
    )
    return ApiTokenRecord(
        to_account(row), str(row["token_id"]), row["scopes"].split(), last_used_at, expires_at
    )


RECORD_API_TOKEN_USE = "UPDATE api_tokens SET last_used_at = :now WHERE id = :id AND user_id = :user_id"


async def record_api_token_use(db: Executor, user_id: str, token_id: str) -> None:
    await db.execute(RECORD_API_TOKEN_USE, {"id": token_id, "user_id": user_id, "now": utc_now()})


DELETE_API_TOKEN = "DELETE FROM api_tokens WHERE id = :id AND user_id = :user_id RETURNING id"


async def delete_api_token(db: Executor, user_id: str, token_id: str) -> bool:
    """Delete an API token of the user; return whether it existed."""
    return await db.fetch_one(DELETE_API_TOKEN, {"id": token_id, "user_id": user_id}) is not None
