"""Bring a database's tables up to date with `migrations/` (yoyo)."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from .settings import is_sqlite, sqlite_path

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
ADVISORY_LOCK = 7_475_752_701  # any number, the same in every process

CONNECT_SECONDS = 5

log = logging.getLogger("riskscan.migrate")


class DatabaseAway(Exception):
    """The database can't be reached; its text says why."""


def migrate(database_url: str) -> int:
    """Apply the migrations that are missing; return how many there were. Blocks.

    Safe when several processes start at once, and after a process was killed while it migrated.
    Raises DatabaseAway where the database can't be reached.
    """
    import yoyo  # here, because only a start needs it and it is slow to load

    # yoyo asks for the user's name, and a container may have none for its uid
    os.environ.setdefault("LOGNAME", "riskscan")
    if is_sqlite(database_url):
        url = f"sqlite:///{sqlite_path(database_url)}"
    else:
        url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        url += f"&connect_timeout={CONNECT_SECONDS}"
    with locked(database_url), yoyo.get_backend(url) as backend:
        backend.break_lock()  # a killed process leaves its row; ours is the lock that counts
        missing = backend.to_apply(yoyo.read_migrations(str(FOLDER)))
        backend.apply_migrations(missing)
    for migration in missing:
        log.info("applied migration %s", migration.id)
    return len(missing)


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

        try:
            lock_holder = psycopg.connect(database_url, autocommit=True, connect_timeout=CONNECT_SECONDS)
        except psycopg.OperationalError as exc:
            raise DatabaseAway(str(exc).partition("\n")[0]) from exc
        with lock_holder:
            lock_holder.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            yield
