"""Types and conversions shared by several tables: accounts, token subjects, times."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import msgspec

from ..schemas import User
from . import Row


class TokenRevoked(Exception):
    """The account was deleted, or its password changed since the token or session was issued: 401."""


class Account(msgspec.Struct, frozen=True):
    """A user with the columns that no response shows."""

    user: User
    password_hash: str
    token_version: int
    disabled: bool = False  # known only where an account is found by its email

    @property
    def subject(self) -> TokenSubject:
        return TokenSubject(self.user.id, self.token_version)


class TokenSubject(NamedTuple):
    """The user and token version that a token claims; statements verify it and raise TokenRevoked."""

    user_id: str
    token_version: int


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def to_utc(value: Any) -> datetime.datetime:
    """Return a stored time, aware and in UTC; SQLite returns text."""
    moment: datetime.datetime = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)


def to_account(row: Row) -> Account:
    user = User(
        id=str(row["id"]),
        email=row["email"],
        created_at=to_utc(row["created_at"]),
        updated_at=to_utc(row["updated_at"]),
    )
    return Account(user, row["password_hash"], row["token_version"])


ACCOUNT_COLUMNS = "users.id, email, password_hash, users.token_version, users.created_at, updated_at"
