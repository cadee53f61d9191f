"""What the operator does beside serving: set a password anew, and delete what need not be kept any longer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import getpass
import sys
from collections.abc import AsyncIterator

from .auth.passwords import Passwords
from .database import Database
from .database.migrate import migrate
from .database.rows import utc_now
from .database.scans import delete_scans_before
from .database.users import find_account_by_email, update_password
from .errors import ApiError
from .request.fields import normalize_email, read_new_password
from .settings import Settings, SettingsError


class CommandError(Exception):
    """The command cannot be carried out; its text is the operator's one line."""


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database for a command. Raises DatabaseAway, and Refused for what a statement is refused."""
    await asyncio.to_thread(migrate, settings.database_url)
    pool = Database(settings)
    await pool.connect()
    pool.ready = True
    try:
        yield pool
    except ApiError as exc:
        wrong = "; ".join(f"{name}: {what}" for name, what in exc.fields.items())
        raise CommandError(wrong or exc.detail) from exc
    finally:
        await pool.disconnect()


async def reset_password(settings: Settings, email: str, password: str) -> None:
    """Set the password of an account; its sessions and tokens, API tokens too, end.

    Raises Refused where there is no such account, or where the password is none that registration takes.
    """
    async with open_database(settings) as pool:
        account = await find_account_by_email(pool, normalize_email(email))
        if account is None:
            raise CommandError(f"there is no account with the address {email}")
        passwords = Passwords(settings.bcrypt_cost)
        try:
            password_hash = await passwords.hash(
                read_new_password({"password": password}, "password"), "operator"
            )
        finally:
            passwords.close()
        if await update_password(pool, account, password_hash) is None:
            raise CommandError("the password was changed by someone else just now; try again")


def read_password() -> str:
    """Return the new password: asked for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("The same again: ") != password:
        raise CommandError("the two passwords differ")
    return password


async def purge(settings: Settings) -> int:
    """Delete the scans that are older than SCAN_RETENTION_DAYS; return how many there were.

    Raises SettingsError where nothing says how long scans are kept.
    """
    if not settings.scan_retention_days:
        raise SettingsError("SCAN_RETENTION_DAYS is off: scans are kept until they are deleted")
    before = utc_now() - datetime.timedelta(days=settings.scan_retention_days)
    purged = 0
    async with open_database(settings) as pool:
        # in batches, so that nobody waits long for a lock
        while deleted := await delete_scans_before(pool, before):
            purged += deleted
    return purged
