"""The table `users`."""

from __future__ import annotations

import uuid

import msgspec

from ..errors import ApiError
from . import Database, Executor
from .distributed import DELETE_USER_AND_EMAIL, INSERT_EMAIL
from .drivers import UniqueViolation
from .rows import ACCOUNT_COLUMNS, Account, TokenRevoked, TokenSubject, to_account, utc_now


class EmailTaken(Exception):
    """An account with this email already exists."""


# for `lock` of Database.fetch_all: statements of one user that count rows, or maintain a count, run one after
# another. Triggers on scans lock this row too; in another order they would wait for each other
LOCK_USER = "SELECT id FROM users WHERE id = :user_id FOR NO KEY UPDATE"

INSERT_USER = f"""
INSERT INTO users (id, email, password_hash, created_at, updated_at)
VALUES (:id, :email, :password_hash, :now, :now)
RETURNING {ACCOUNT_COLUMNS}
"""
DISTRIBUTED_IDS = 3  # that are tried where an ID decides the node, one of which may be lost


async def insert_user(db: Database, email: str, password_hash: str) -> Account:
    """Create an account. Raises EmailTaken."""
    values = {"email": email, "password_hash": password_hash, "now": utc_now()}
    sql, first, ids = INSERT_USER, list[str](), 1
    if await db.is_distributed():  # the email last, so that a statement that hangs does not hold it
        sql, first, ids = FIND_ACCOUNT_OF_USER, [INSERT_USER, INSERT_EMAIL], DISTRIBUTED_IDS
    while True:
        values["id"] = values["user_id"] = str(uuid.uuid4())
        ids -= 1
        try:
            (row,) = await db.fetch_all(sql, values, first=first)
            return to_account(row)
        except UniqueViolation:
            raise EmailTaken from None
        except ApiError as exc:
            if exc.code != "database_unavailable" or not ids:
                raise


# in two statements: where emails and users are distributed, a join of them would read all nodes
FIND_EMAIL = "SELECT user_id FROM emails WHERE email = :email"
FIND_ACCOUNT_OF_USER = f"SELECT {ACCOUNT_COLUMNS}, disabled_at FROM users WHERE id = :user_id"


async def find_account_by_email(db: Executor, email: str) -> Account | None:
    found = await db.fetch_one(FIND_EMAIL, {"email": email})
    row = await db.fetch_one(FIND_ACCOUNT_OF_USER, {"user_id": str(found["user_id"])}) if found else None
    return msgspec.structs.replace(to_account(row), disabled=bool(row["disabled_at"])) if row else None


# a process of an earlier version logs in to a disabled account
FIND_ACCOUNT = f"""
SELECT {ACCOUNT_COLUMNS} FROM users
WHERE id = :user_id AND token_version = :token_version AND disabled_at IS NULL
"""


async def find_account(db: Executor, subject: TokenSubject) -> Account:
    """Return the account of a token. Raises TokenRevoked."""
    row = await db.fetch_one(FIND_ACCOUNT, subject._asdict())
    if row is None:
        raise TokenRevoked
    return to_account(row)


UPDATE_PASSWORD = f"""
UPDATE users SET password_hash = :password_hash, token_version = token_version + 1,
    api_token_version = api_token_version + :revoke_api_tokens, updated_at = :now
WHERE id = :id AND token_version = :token_version
RETURNING {ACCOUNT_COLUMNS}
"""


async def update_password(
    db: Executor, account: Account, password_hash: str, *, keep_api_tokens: bool = False
) -> Account:
    """Set the password, which revokes all access tokens and sessions, and API tokens unless kept.

    Raises TokenRevoked if another request was first.
    """
    values = {
        "revoke_api_tokens": 0 if keep_api_tokens else 1,
        "id": account.user.id,
        "token_version": account.token_version,
        "password_hash": password_hash,
        "now": utc_now(),
    }
    row = await db.fetch_one(UPDATE_PASSWORD, values)
    if row is None:
        raise TokenRevoked
    return to_account(row)


RENEW_PASSWORD_HASH = """
UPDATE users SET password_hash = :renewed WHERE id = :user_id AND password_hash = :password_hash
"""


async def renew_password_hash(db: Executor, account: Account, renewed: str) -> None:
    """Replace the hash by another one of the same password, unless the password was changed meanwhile."""
    values = {"user_id": account.user.id, "password_hash": account.password_hash, "renewed": renewed}
    await db.execute(RENEW_PASSWORD_HASH, values)


DELETE_USER = "DELETE FROM users WHERE id = :user_id AND token_version = :token_version RETURNING id"


async def delete_user(db: Executor, account: Account) -> None:
    """Delete the account with its scans, sessions and tokens. Raises TokenRevoked."""
    sql = DELETE_USER_AND_EMAIL if await db.is_distributed() else DELETE_USER
    if not await db.fetch_all(sql, {**account.subject._asdict(), "email": account.user.email}):
        raise TokenRevoked
