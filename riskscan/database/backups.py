"""Back up and restore an SQLite database: a copy in one file, and the generated secret beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..settings import SECRET_FILE, Settings, SettingsError, is_sqlite, sqlite_path

COUNT = "SELECT (SELECT count(*) FROM scans), (SELECT count(*) FROM users)"
HAS_ACCOUNTS = "SELECT EXISTS (SELECT 1 FROM users)"
FIND_TABLE_OF_USERS = "SELECT 1 FROM sqlite_schema WHERE name = 'users'"
IN_USE_SECONDS = 1.0


class BackupError(Exception):
    """A backup cannot be made or restored; the message is one line for the operator."""


class Contents(NamedTuple):
    """What a backup holds; `secret` is the file of its secret, None if JWT_SECRET is set instead."""

    scans: int
    accounts: int
    secret: Path | None


def back_up(settings: Settings, file: Path) -> Contents:
    """Copy the database, which may be in use, to a new file that only its owner can read.

    Every transaction that was committed before is in it. Raises BackupError; SettingsError for PostgreSQL.
    """
    database, in_use = find_database(settings)
    secret_copy = secret_of(file)
    if secret_copy.exists():
        raise BackupError(f"{secret_copy} exists; a backup does not overwrite a file")
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    with contextlib.ExitStack() as failed:
        try:
            write_new(file, "")  # the name is ours, and nobody else's file is replaced below
            failed.callback(file.unlink, missing_ok=True)
            failed.callback(temporary.unlink, missing_ok=True)
            write_new(temporary, "")  # SQLite gives its other files the same mode
            with open_file(database, "rw") as source, open_file(temporary, "rw") as copy:
                source.backup(copy)  # in one step, which a write at the same time does not start again
                copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
            scans, accounts = verify(temporary)
            if in_use:
                write_new(secret_copy, settings.jwt_secret)
                failed.callback(secret_copy.unlink)
            temporary.replace(file)
        except FileExistsError as exc:
            raise BackupError(f"{exc.filename} exists; a backup does not overwrite a file") from exc
        except (sqlite3.Error, OSError) as exc:
            raise BackupError(f"{database} cannot be copied to {file}: {exc}") from exc
        failed.pop_all()
    return Contents(scans, accounts, secret_copy if in_use else None)


def restore(settings: Settings, file: Path, *, force: bool) -> Contents:
    """Replace the generated secret by that beside a backup, then the database in one transaction.

    A restore that was killed can be repeated: until that transaction ends, the database is what it was.
    Raises BackupError, also while another process uses the database, or if it has accounts and without
    `force`; SettingsError for PostgreSQL.
    """
    database, in_use = find_database(settings)
    try:
        scans, accounts = verify(file)
    except (sqlite3.Error, OSError) as exc:
        raise BackupError(f"{file} is not a backup that can be restored: {exc}") from exc
    saved = secret_of(file)
    try:
        with open_file(file, "ro") as source, open_alone(database) as target:
            if not force and has_accounts(target):
                raise BackupError(f"{database} has accounts; --force replaces them and their scans")
            restores_secret = bool(in_use and saved.exists())
            if in_use and restores_secret:
                replace_secret(in_use, saved.read_text())
            try:
                source.backup(target)
            except (sqlite3.Error, OSError):
                if in_use and restores_secret:
                    replace_secret(in_use, settings.jwt_secret)
                raise
    except (sqlite3.Error, OSError) as exc:
        raise BackupError(f"{file} cannot be restored to {database}: {exc}") from exc
    return Contents(scans, accounts, in_use if restores_secret else None)


def find_database(settings: Settings) -> tuple[Path, Path | None]:
    """Return the file of the database, and that of the secret if it is the generated one."""
    if not is_sqlite(settings.database_url):
        raise SettingsError("DATABASE_URL is PostgreSQL's, which has pg_dump for this: see docs/deploying.md")
    database = sqlite_path(settings.database_url)
    secret = database.with_name(SECRET_FILE)
    is_generated = secret.exists() and secret.read_text().strip() == settings.jwt_secret
    return database, secret if is_generated else None


def secret_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.{SECRET_FILE}")


def write_new(file: Path, text: str) -> None:
    """Write a text to a new file, for its owner alone, or leave none. Raises FileExistsError, OSError."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def replace_secret(file: Path, secret: str) -> None:
    """Replace the file of a secret, so that at any moment it is the old or the new one."""
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    try:
        write_new(temporary, secret)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def open_file(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Open a database that exists."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True)
    with contextlib.closing(connection):
        yield connection


def verify(file: Path) -> tuple[int, int]:
    """Return the numbers of scans and accounts of a backup. Raises sqlite3.Error if it is damaged."""
    with open_file(file, "ro") as connection:
        (first, *_) = connection.execute("PRAGMA integrity_check").fetchone()
        if first != "ok":
            raise sqlite3.DatabaseError(first)
        scans, accounts = connection.execute(COUNT).fetchone()
    return scans, accounts


@contextlib.contextmanager
def open_alone(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the database or create it, locked against all others. Raises BackupError if it is in use."""
    os.close(os.open(database, os.O_WRONLY | os.O_CREAT, 0o600))
    connection = sqlite3.connect(database, timeout=IN_USE_SECONDS, isolation_level=None)
    with contextlib.closing(connection):
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # even an idle connection to a database in WAL mode holds a lock that this needs
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BackupError(f"{database} is in use: stop RiskScan first") from exc
            raise
        yield connection


def has_accounts(connection: sqlite3.Connection) -> bool:
    if not connection.execute(FIND_TABLE_OF_USERS).fetchone():
        return False
    return bool(connection.execute(HAS_ACCOUNTS).fetchone()[0])
