"""Differences between asyncpg and sqlite3: connection options, bound values and exceptions."""

from __future__ import annotations

import datetime
import functools
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

import asyncpg
from databases.core import Connection

from ..errors import ApiError, unavailable
from ..settings import SQLITE, Settings, is_sqlite, sqlite_path

Values = Mapping[str, Any]

# together under 5 s, in which a statement returns or fails whatever the database does
WAIT_SECONDS = 2.5  # for a connection
STATEMENT_SECONDS = 2.4
SQLITE_CONNECTIONS = 4
BIND = re.compile(r"(?<!:):([a-z_]+)")
# 08 connection exception, 53 insufficient resources, 57 operator intervention, 58 system error, 28 invalid
# authorization, 3D invalid catalog name, 25006 read-only transaction: a replica
CONNECTION_SQLSTATES = ("08", "53", "57", "58", "28", "3D", "25006")
CONNECTION_SQLITE_ERRORS = ("BUSY", "LOCKED", "IOERR", "CANTOPEN", "FULL", "READONLY", "CORRUPT", "NOTADB")
# of these, the ones of a write to a database that may still be read: read-only, disk full, I/O error
STORAGE_SQLSTATES = ("25006", "53100", "58030")
STORAGE_SQLITE_ERRORS = ("READONLY", "FULL", "IOERR", "CANTOPEN")
SQLITE_UNIQUE = ("CONSTRAINT_UNIQUE", "CONSTRAINT_PRIMARYKEY")
SQLITE_FOREIGN_KEY = ("CONSTRAINT_FOREIGNKEY",)


class UniqueViolation(Exception):
    """A statement broke a unique constraint."""


class ForeignKeyViolation(Exception):
    """A statement referred to a row that does not exist."""


class SqliteConnection(sqlite3.Connection):
    """A connection with the PRAGMAs that SQLite does not store in the file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row_factory = sqlite3.Row
        self.execute("PRAGMA foreign_keys = ON")
        # SQLite's own knows ASCII alone
        self.create_function("lower", 1, fold_case, deterministic=True)


def fold_case(text: str) -> str:
    """Return a text in lower case, letter by letter as PostgreSQL's collation pg_c_utf8 does."""
    return text.replace("\u0130", "i").replace("Σ", "σ").lower()


def backend_options(settings: Settings) -> tuple[str, dict[str, Any]]:
    """Return the URL and the options with which `databases` opens connections."""
    url = settings.database_url
    if is_sqlite(url):
        return f"{SQLITE}{sqlite_path(url)}", {"timeout": STATEMENT_SECONDS, "factory": SqliteConnection}
    return "postgresql:///", {
        # asyncpg parses the URL itself: `databases` would ignore its sslmode
        "dsn": url,
        "database": None,
        "min_size": 0,
        "max_size": settings.database_pool_size,
        "timeout": WAIT_SECONDS,
        "statement_cache_size": settings.database_statement_cache,
    }


@functools.cache
def to_positional_binds(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with PostgreSQL's `$1` for each `:name`, and the names in their order."""
    names = tuple(dict.fromkeys(BIND.findall(sql)))
    return BIND.sub(lambda bind: f"${names.index(bind[1]) + 1}", sql), names


def to_sqlite_values(values: Values) -> Values:
    # not by sqlite3.register_adapter(): yoyo registers its own, for the whole process
    return {
        name: to_sqlite_timestamp(value) if isinstance(value, datetime.datetime) else value
        for name, value in values.items()
    }


def to_sqlite_timestamp(moment: datetime.datetime) -> str:
    """Return a time as SQLite stores it: text in UTC to the microsecond, which sorts as the times do."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def translate_error(exc: Exception) -> Exception | None:
    """Translate a driver's exception; None for a bug, such as invalid SQL."""
    if is_connection_error(exc):
        return database_unavailable()
    if isinstance(exc, asyncpg.UniqueViolationError) or is_sqlite_error(exc, SQLITE_UNIQUE):
        return UniqueViolation()
    if isinstance(exc, asyncpg.ForeignKeyViolationError) or is_sqlite_error(exc, SQLITE_FOREIGN_KEY):
        return ForeignKeyViolation()
    return None


def is_connection_error(exc: BaseException) -> bool:
    """Return whether the database is unreachable or temporarily unable to work."""
    if isinstance(exc, asyncpg.PostgresError):
        return (exc.sqlstate or "").startswith(CONNECTION_SQLSTATES)
    if isinstance(exc, asyncpg.ClientConfigurationError):  # such as a certificate file that is missing
        return True
    if isinstance(exc, asyncpg.InterfaceError):
        return "closed" in str(exc)
    if isinstance(exc, asyncpg.InternalClientError):  # the server shut down while the connection was idle
        return True
    if isinstance(exc, sqlite3.Error):
        return is_sqlite_error(exc, CONNECTION_SQLITE_ERRORS)
    return isinstance(exc, OSError)  # includes TimeoutError, connection refused and unknown hosts


def is_storage_error(exc: BaseException) -> bool:
    """Return whether the database could not write, because of its disk or because it is read-only."""
    if isinstance(exc, asyncpg.PostgresError):
        return exc.sqlstate in STORAGE_SQLSTATES
    return is_sqlite_error(exc, STORAGE_SQLITE_ERRORS)


def error_name(exc: BaseException) -> str:
    """Return the name of an error, such as SQLITE_FULL, but not its message, which may quote data."""
    name: str = getattr(exc, "sqlite_errorname", "") or type(exc).__name__
    return f"{name} {exc.sqlstate}" if isinstance(exc, asyncpg.PostgresError) else name


def is_sqlite_error(exc: BaseException, names: tuple[str, ...]) -> bool:
    """Return whether the SQLite error name, without SQLITE_, starts with one of `names`."""
    return getattr(exc, "sqlite_errorname", "").removeprefix("SQLITE_").startswith(names)


def is_open(connection: Connection) -> bool:
    """Return whether a PostgreSQL connection is open."""
    raw: Any = connection.raw_connection
    try:
        return not raw.is_closed()
    except asyncpg.InterfaceError:  # asyncpg's pool has reclaimed a lost connection
        return False


def database_unavailable() -> ApiError:
    """503: the database can't be reached."""
    return unavailable("database_unavailable", "The database cannot be reached right now.", retry_seconds=2)
