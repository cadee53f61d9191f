"""The table `sessions`: log-ins of browsers."""

from __future__ import annotations

import datetime

from . import Executor
from .drivers import ForeignKeyViolation
from .rows import ACCOUNT_COLUMNS, Account, TokenRevoked, to_account, to_utc, utc_now
from .token_owners import fetch_token

INSERT_SESSION = """
INSERT INTO sessions (id, user_id, token_version, expires_at)
VALUES (:id, :user_id, :token_version, :expires_at)
"""


async def insert_session(
    db: Executor, session_id: str, user_id: str, token_version: int, expires_at: datetime.datetime
) -> None:
    """Store a session. Raises TokenRevoked if the account was deleted."""
    values = {"id": session_id, "user_id": user_id, "token_version": token_version, "expires_at": expires_at}
    try:
        await db.execute(INSERT_SESSION, values)
    except ForeignKeyViolation:
        raise TokenRevoked from None


FIND_ACCOUNT_BY_SESSION = f"""
SELECT {ACCOUNT_COLUMNS}, expires_at FROM sessions JOIN users
ON users.id = sessions.user_id AND users.token_version = sessions.token_version
WHERE sessions.id = :digest AND sessions.user_id = :user_id AND expires_at > :now
    AND disabled_at IS NULL
"""


async def find_account_by_session(
    db: Executor, session_id: str, user_id: str
) -> tuple[Account, datetime.datetime] | None:
    """Return the account of a session and when it expires; None if it has expired or was revoked."""
    row = await fetch_token(db, FIND_ACCOUNT_BY_SESSION, session_id, user_id, {"now": utc_now()})
    return (to_account(row), to_utc(row["expires_at"])) if row else None


EXTEND_SESSION = "UPDATE sessions SET expires_at = :expires_at WHERE id = :id AND user_id = :user_id"


async def extend_session(db: Executor, session_id: str, user_id: str, expires_at: datetime.datetime) -> None:
    await db.execute(EXTEND_SESSION, {"id": session_id, "user_id": user_id, "expires_at": expires_at})


DELETE_SESSION = "DELETE FROM sessions WHERE id = :id AND user_id = :user_id"


async def delete_session(db: Executor, session_id: str, user_id: str) -> None:
    await db.execute(DELETE_SESSION, {"id": session_id, "user_id": user_id})


DELETE_EXPIRED_SESSIONS = "DELETE FROM sessions WHERE expires_at <= :now"


async def delete_expired_sessions(db: Executor) -> None:
    await db.execute(DELETE_EXPIRED_SESSIONS, {"now": utc_now()})
