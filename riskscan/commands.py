"""What the operator does beside serving: set a password anew, and delete what need not be kept any longer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import getpass
import sys
from collections.abc import AsyncIterator

from . import db
from .errors import ApiError
from .forms import new_password, normal_email
from .migrate import migrate
from .passwords import Passwords
from .pool import Pool
from .settings import Settings, SettingsError


class Refused(Exception):
    """The command cannot be carried out; its text is the operator's one line."""


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pool]:
    """Open the database for a command. Raises DatabaseAway, and Refused for what a statement is refused."""
    await asyncio.to_thread(migrate, settings.database_url)
    pool = Pool(settings)
    await pool.open()
    pool.ready = True
    try:
        yield pool
    except ApiError as exc:
        wrong = "; ".join(f"{name}: {what}" for name, what in exc.fields.items())
        raise Refused(wrong or exc.detail) from exc
    finally:
        await pool.close()


async def reset_password(settings: Settings, email: str, password: str) -> None:
    """Set the password of an account; its sessions and tokens, API tokens too, end.

    Raises Refused where there is no such account, or where the password is none that registration takes.
    """
    async with opened(settings) as pool:
        account = await db.account_by_email(pool, normal_email(email))
        if account is None:
            raise Refused(f"there is no account with the address {email}")
        passwords = Passwords(settings.bcrypt_cost)
        try:
            password_hash = await passwords.hashed(
                new_password({"password": password}, "password"), "operator"
            )
        finally:
            passwords.close()
        if await db.update_password(pool, account, password_hash) is None:
            raise Refused("the password was changed by someone else just now; try again")


def read_password() -> str:
    """Return the new password: asked for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("The same again: ") != password:
        raise Refused("the two passwords differ")
    return password


async def purge(settings: Settings) -> int:
    """Delete the scans that are older than SCAN_RETENTION_DAYS; return how many there were.

    Raises SettingsError where nothing says how long scans are kept.
    """
    if not settings.scan_retention_days:
        raise SettingsError("SCAN_RETENTION_DAYS is off: scans are kept until they are deleted")
    before = db.now() - datetime.timedelta(days=settings.scan_retention_days)
    purged = 0
    async with opened(settings) as pool:
        # in batches, so that nobody waits long for a lock
        while deleted := await db.delete_scans_before(pool, before):
            purged += deleted
    return purged
