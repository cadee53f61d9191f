"""The table `users`."""

from __future__ import annotations

import uuid

from . import Executor
from .drivers import UniqueViolation
from .rows import ACCOUNT_COLUMNS, Account, TokenSubject, to_account, utc_now


class EmailTaken(Exception):
    """There is an account with this address already."""


INSERT_USER = f"""
INSERT INTO users (id, email, password_hash, created_at, updated_at)
VALUES (:id, :email, :password_hash, :now, :now)
RETURNING {ACCOUNT_COLUMNS}
"""


async def insert_user(db: Executor, email: str, password_hash: str) -> Account:
    """Make an account; raise EmailTaken where the address has one."""
    values = {"id": str(uuid.uuid4()), "email": email, "password_hash": password_hash, "now": utc_now()}
    try:
        return to_account(await db.fetch_one(INSERT_USER, values))
    except UniqueViolation:
        raise EmailTaken from None


FIND_ACCOUNT_BY_EMAIL = f"SELECT {ACCOUNT_COLUMNS} FROM users WHERE email = :email"


async def find_account_by_email(db: Executor, email: str) -> Account | None:
    row = await db.fetch_one(FIND_ACCOUNT_BY_EMAIL, {"email": email})
    return to_account(row) if row else None


FIND_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM users WHERE id = :user_id AND token_version = :token_version"


async def find_account(db: Executor, caller: TokenSubject) -> Account | None:
    """Return the account that a token speaks for, unless it is gone or has revoked the token."""
    row = await db.fetch_one(FIND_ACCOUNT, caller._asdict())
    return to_account(row) if row else None


UPDATE_PASSWORD = f"""
UPDATE users SET password_hash = :password_hash, token_version = token_version + 1,
    api_token_version = api_token_version + :api_tokens_end, updated_at = :now
WHERE id = :id AND token_version = :token_version
RETURNING {ACCOUNT_COLUMNS}
"""


async def update_password(
    db: Executor, account: Account, password_hash: str, *, keep_api_tokens: bool = False
) -> Account | None:
    """Set the password and revoke every token and session; None where another request was first."""
    values = {
        "api_tokens_end": 0 if keep_api_tokens else 1,
        "id": account.user.id,
        "token_version": account.token_version,
        "password_hash": password_hash,
        "now": utc_now(),
    }
    row = await db.fetch_one(UPDATE_PASSWORD, values)
    return to_account(row) if row else None


DELETE_USER = "DELETE FROM users WHERE id = :user_id AND token_version = :token_version RETURNING id"


async def delete_user(db: Executor, caller: TokenSubject) -> bool:
    """Delete the account with its scans and sessions; return whether there was one."""
    return await db.fetch_one(DELETE_USER, caller._asdict()) is not None
