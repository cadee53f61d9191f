"""Apply the migrations in `migrations/` with yoyo."""

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
from . import FIND_EMAILS_TABLE, Database
from .drivers import is_sqlite_error

ADVISORY_LOCK = 7_475_752_701  # an arbitrary number
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
APPLIED = "SELECT migration_id FROM _yoyo_migration"
BREAKING = ".breaking"  # ends the name of a migration after which earlier versions cannot go on
DISTRIBUTED = "distributed.breaking"  # deploy/citus.sql was run
CONNECT_SECONDS = 5
RETRY_SECONDS = 0.1

log = logging.getLogger("riskscan.migrate")


class DatabaseUnavailable(Exception):
    """The database can't be reached, is read-only or its disk is full; the message says which."""


class SchemaTooNew(Exception):
    """A later version has changed the schema so that this one cannot read it; the message says by what."""


def migrations_folder() -> Path:
    """Return the folder of the migrations: in the installed package, or at the top level of a checkout."""
    installed = PACKAGE / "migrations"
    return installed if installed.is_dir() else PACKAGE.parent / "migrations"


def migrate(database_url: str) -> int:
    """Apply the pending migrations and return their number. Blocking.

    Safe if several processes start at once, and after a process was killed during a migration.
    Raises DatabaseUnavailable and SchemaTooNew.
    """
    import yoyo  # here, because it is slow to load and few starts need it

    # yoyo looks up the user's name, which a container's uid may not have
    os.environ.setdefault("LOGNAME", "riskscan")
    try:
        with migration_lock(database_url), open_backend(database_url) as backend:
            backend.break_lock()  # yoyo's own, whose row a killed process leaves behind
            pending = backend.to_apply(yoyo.read_migrations(str(migrations_folder())))
            refuse_later({migration_id for (migration_id,) in backend.execute(APPLIED)})
            backend.apply_migrations(pending)
    except Exception as exc:
        if is_temporary(exc):
            raise DatabaseUnavailable(str(exc).partition("\n")[0]) from exc
        raise
    for migration in pending:
        log.info("applied migration %s", migration.id)
    return len(pending)


async def is_current(db: Database) -> bool:
    """Return whether the schema is current. Raises SchemaTooNew."""
    try:
        pending = await find_pending(db)
        modes = await db.fetch_all("PRAGMA journal_mode", before_migration=True) if db.sqlite else []
    except ApiError:
        return False
    return not pending and all(row["journal_mode"] == "wal" for row in modes)


async def find_pending(db: Database) -> list[str]:
    """Return the names of the pending migrations, without importing yoyo, which is slow.

    Raises SchemaTooNew, and 503 `database_unavailable`.
    """
    try:
        rows = await db.fetch_all(APPLIED, before_migration=True)
    except (asyncpg.UndefinedTableError, sqlite3.OperationalError):  # none was ever applied
        rows = []
    applied = {row["migration_id"] for row in rows}
    refuse_later(applied)
    return sorted(known_migrations() - applied)


def known_migrations() -> set[str]:
    return {file.stem for file in migrations_folder().iterdir() if file.suffix in (".py", ".sql")}


def refuse_later(applied: set[str]) -> None:
    """Raise SchemaTooNew for a migration of a later version that breaks this one; others only add."""
    for name in sorted(applied - known_migrations() - {DISTRIBUTED}):
        if name.endswith(BREAKING):
            raise SchemaTooNew(
                f"a later version has changed the database so that this one cannot use it: {name}"
            )


def is_temporary(exc: Exception) -> bool:
    """Return whether a retry may succeed; not with an invalid migration or database file."""
    if isinstance(exc, sqlite3.Error):
        return is_sqlite_error(exc, ("BUSY", "LOCKED", "IOERR", "FULL"))
    import psycopg

    # a replica is read-only until it is promoted
    return isinstance(exc, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction)


def distribute(connection: Any, table: str) -> None:
    """Distribute a new table by its user_id where the others are distributed; for migrations.

    Without it the table would lie on one node, and keep the rows of deleted accounts.
    """
    if type(connection).__module__ != "sqlite3" and connection.execute(FIND_EMAILS_TABLE).fetchone():
        connection.execute(
            "SELECT create_distributed_table(%s, 'user_id', colocate_with => 'users')", (table,)
        )


def open_backend(database_url: str) -> Any:
    """Return yoyo's backend for the database."""
    import yoyo

    if is_sqlite(database_url):
        return yoyo.get_backend(f"sqlite:///{sqlite_path(database_url)}")
    from yoyo.backends import PostgresqlPsycopgBackend
    from yoyo.connections import default_migration_table, parse_uri

    uri = parse_uri(database_url)
    # for psycopg.connect(); prepared statements do not work behind pgbouncer
    uri.args.update(connect_timeout=CONNECT_SECONDS, prepare_threshold=None)
    backend = PostgresqlPsycopgBackend(uri, default_migration_table)
    backend.init_database()
    return backend


@contextlib.contextmanager
def migration_lock(database_url: str) -> Iterator[None]:
    """Lock the migrations of this database against other processes; a killed process releases its lock."""
    if is_sqlite(database_url):
        path = sqlite_path(database_url)
        with open(f"{path}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")  # stored in the file
            yield
    else:
        import psycopg

        with psycopg.connect(
            database_url, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as connection:
            # a transaction's lock, because behind pgbouncer a session's would never be released; waiting in a
            # transaction would hold a connection that the migration may need
            while connection.execute(TRY_LOCK, (ADVISORY_LOCK,)).fetchone() != (True,):
                connection.rollback()
                time.sleep(RETRY_SECONDS)
            yield
