"""Bring a database's tables up to date with `migrations/` (yoyo)."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from .. import PACKAGE
from ..errors import ApiError
from ..settings import is_sqlite, sqlite_path
from . import Database
from .drivers import is_sqlite_error

ADVISORY_LOCK = 7_475_752_701  # any number, the same in every process
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
APPLIED = "SELECT migration_id FROM _yoyo_migration"
CONNECT_SECONDS = 5
TRY_AGAIN_SECONDS = 0.1

log = logging.getLogger("riskscan.migrate")


class DatabaseUnavailable(Exception):
    """The database can't be reached, or has no room; its text says why."""


def migrations_folder() -> Path:
    """Return the folder of the migrations: in the installed package, or at the top level of a checkout."""
    installed = PACKAGE / "migrations"
    return installed if installed.is_dir() else PACKAGE.parent / "migrations"


def migrate(database_url: str) -> int:
    """Apply the migrations that are missing; return how many there were. Blocks.

    Safe when several processes start at once, and after a process was killed while it migrated.
    Raises DatabaseAway where the database can't be reached, or goes away meanwhile.
    """
    import yoyo  # here, because few starts need it and it is slow to load

    # yoyo asks for the user's name, and a container may have none for its uid
    os.environ.setdefault("LOGNAME", "riskscan")
    try:
        with locked(database_url), open_backend(database_url) as backend:
            backend.break_lock()  # a killed process leaves its row; ours is the lock that counts
            missing = backend.to_apply(yoyo.read_migrations(str(migrations_folder())))
            backend.apply_migrations(missing)
    except Exception as exc:
        if is_connection_error(exc):
            raise DatabaseUnavailable(str(exc).partition("\n")[0]) from exc
        raise
    for migration in missing:
        log.info("applied migration %s", migration.id)
    return len(missing)


async def is_current(pool: Database) -> bool:
    """Tell whether there is nothing to do for `migrate`, without yoyo, which is slow to load."""
    try:
        rows = await pool.fetch_all(APPLIED, {}, before_migration=True)
        mode = await pool.fetch_all("PRAGMA journal_mode", {}, before_migration=True) if pool.sqlite else []
    except (ApiError, asyncpg.UndefinedTableError, sqlite3.OperationalError):
        return False
    applied = {row["migration_id"] for row in rows}
    wanted = {file.stem for file in migrations_folder().iterdir() if file.suffix in (".py", ".sql")}
    return applied >= wanted and all(row["journal_mode"] == "wal" for row in mode)


def is_connection_error(exc: Exception) -> bool:
    """Tell whether a try can succeed later; a wrong migration or a file that is no database cannot."""
    if isinstance(exc, sqlite3.Error):
        return is_sqlite_error(exc, ("BUSY", "LOCKED", "IOERR", "FULL"))
    import psycopg

    # the latter: a replica, which may take over
    return isinstance(exc, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction)


def open_backend(database_url: str) -> Any:
    """Return yoyo's connection to the database."""
    import yoyo

    if is_sqlite(database_url):
        return yoyo.get_backend(f"sqlite:///{sqlite_path(database_url)}")
    from yoyo.backends import PostgresqlPsycopgBackend
    from yoyo.connections import default_migration_table, parse_uri

    uri = parse_uri(database_url)
    # for psycopg.connect(); behind pgbouncer a statement is not prepared on the connection that runs it next
    uri.args.update(connect_timeout=CONNECT_SECONDS, prepare_threshold=None)
    backend = PostgresqlPsycopgBackend(uri, default_migration_table)
    backend.init_database()
    return backend


@contextlib.contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Hold the one lock of all processes that migrate this database; it goes with its process."""
    if is_sqlite(database_url):
        path = sqlite_path(database_url)
        with open(f"{path}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")  # kept in the file
            yield
    else:
        import psycopg

        with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS, prepare_threshold=None) as holder:
            # it lasts as long as the transaction: behind pgbouncer a session's would stay for ever,
            # and whoever waits inside of a transaction keeps a connection that the migration may need
            while holder.execute(TRY_LOCK, (ADVISORY_LOCK,)).fetchone() != (True,):
                holder.rollback()
                time.sleep(TRY_AGAIN_SECONDS)
            yield
