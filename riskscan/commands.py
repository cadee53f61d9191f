"""The operator's commands: reset a password, and purge the scans past their retention."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import getpass
import sys
from collections.abc import AsyncIterator

from .auth.passwords import Passwords
from .database import Database
from .database.audit_log import insert_entry, make_entry
from .database.drivers import error_name
from .database.migrate import DatabaseUnavailable, find_pending, migrate
from .database.rows import Account, TokenRevoked, utc_now
from .database.scans import delete_scans_before
from .database.users import find_account_by_email, update_password
from .errors import ApiError
from .request.fields import normalize_email, read_new_password
from .settings import Settings, SettingsError


class CommandError(Exception):
    """The command failed; the message is one line for the operator."""


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Migrate and open the database. Raises DatabaseUnavailable, and CommandError for any ApiError inside."""
    await asyncio.to_thread(migrate, settings.database_url)
    db = Database(settings)
    await db.connect()
    db.ready = True
    try:
        yield db
    except ApiError as exc:
        details = "; ".join(f"{name}: {detail}" for name, detail in exc.fields.items())
        raise CommandError(details or exc.detail) from exc
    finally:
        await db.disconnect()


async def list_pending_migrations(settings: Settings) -> list[str]:
    """Return the names of the pending migrations. Raises DatabaseUnavailable and SchemaTooNew."""
    db = Database(settings)
    await db.connect()
    try:
        return await find_pending(db)
    except ApiError as exc:
        raise DatabaseUnavailable(error_name(exc.__cause__ or exc)) from exc
    finally:
        await db.disconnect()


async def reset_password(settings: Settings, email: str, password: str) -> None:
    """Set the password of an account, and revoke its sessions, access tokens and API tokens.

    Raises CommandError if there is no such account, or if registration would not accept the password.
    """
    async with open_database(settings) as db:
        account = await find_account(db, email)
        password_hash = await hash_new_password(settings, password)
        try:
            await update_password(db, account, password_hash)
        except TokenRevoked:
            raise CommandError("the password was changed at the same time; try again") from None
        await insert_entry(db, make_entry("password-changed", account.user.id))


async def find_account(db: Database, email: str) -> Account:
    """Return the account with this email. Raises CommandError if there is none."""
    account = await find_account_by_email(db, normalize_email(email))
    if account is None:
        raise CommandError(f"there is no account with the email {email}")
    return account


async def hash_new_password(settings: Settings, password: str) -> str:
    """Return the hash of a password. Raises ApiError if registration would not accept it."""
    passwords = Passwords(settings.bcrypt_cost)
    try:
        return await passwords.hash(read_new_password({"password": password}, "password"), "operator")
    finally:
        passwords.close()


def read_password() -> str:
    """Return the new password: prompted for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Repeat new password: ") != password:
        raise CommandError("the passwords do not match")
    return password


async def purge(settings: Settings) -> int:
    """Delete the scans older than SCAN_RETENTION_DAYS; return how many were deleted.

    Raises SettingsError if SCAN_RETENTION_DAYS is off.
    """
    if not settings.scan_retention_days:
        raise SettingsError("SCAN_RETENTION_DAYS is off: scans are stored until their users delete them")
    before = utc_now() - datetime.timedelta(days=settings.scan_retention_days)
    purged = 0
    async with open_database(settings) as db:
        # in batches, so that no request waits long for a lock
        while deleted := await delete_scans_before(db, before):
            purged += deleted
        await insert_entry(db, make_entry("scans-purged", None, detail=str(purged)))
    return purged
