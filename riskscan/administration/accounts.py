"""`riskscan users` and `riskscan tokens`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from ..commands import CommandError, find_account, hash_new_password, open_database, read_password
from ..database import Database
from ..database.audit_log import Event, insert_entry, make_entry
from ..database.operator_queries import (
    disable_account,
    enable_account,
    list_accounts,
    list_all_tokens,
    log_out,
    revoke_token,
)
from ..database.rows import TokenRevoked
from ..database.users import EmailTaken, delete_user, insert_user
from ..request.fields import is_uuid, normalize_email
from ..settings import Settings
from .output import print_list

EVENTS: dict[str, Event] = {
    "disable": "account-disabled",
    "enable": "account-enabled",
    "log-out": "logged-out",
}
DONE = {
    "disable": "Account disabled. All its sessions and tokens are revoked.",
    "enable": "Account enabled.",
    "log-out": "Logged out everywhere. API tokens still work.",
}


def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Run an action of `riskscan users` or `riskscan tokens`. Raises CommandError."""
    if arguments.command == "tokens":
        asyncio.run(run_tokens(settings, arguments))
    else:
        confirm(arguments)
        asyncio.run(run_users(settings, arguments))


def confirm(arguments: argparse.Namespace) -> None:
    """Ask before an account is deleted, unless told not to; raises CommandError unless the answer is yes."""
    if arguments.action != "delete" or arguments.yes:
        return
    answer = ""
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        answer = input(f"Delete {arguments.email} with all scans and reviews? This can't be undone. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was deleted")


async def run_users(settings: Settings, arguments: argparse.Namespace) -> None:
    """Run an action of `riskscan users`. Raises CommandError."""
    if arguments.action == "add":
        await add(settings, arguments.email, read_password())
        return
    async with open_database(settings) as db:
        if arguments.action == "list":
            print_list([row async for row in list_accounts(db)], arguments.format, hidden=["id"])
        elif arguments.action == "delete":
            await delete(db, arguments.email)
        else:
            user_id = (await find_account(db, arguments.email)).user.id
            change = {"disable": disable_account, "enable": enable_account, "log-out": log_out}
            await change[arguments.action](db, user_id)
            await insert_entry(db, make_entry(EVENTS[arguments.action], user_id))
            print(DONE[arguments.action])


async def add(settings: Settings, email: str, password: str) -> None:
    """Create an account, whatever REGISTRATION allows. Raises CommandError if there is one already."""
    async with open_database(settings) as db:
        password_hash = await hash_new_password(settings, password)
        try:
            account = await insert_user(db, normalize_email(email), password_hash)
        except EmailTaken:
            raise CommandError(f"there is an account with the email {email} already") from None
        await insert_entry(db, make_entry("account-created", account.user.id))
        print(f"Account created: {account.user.email}")


async def delete(db: Database, email: str) -> None:
    """Delete an account with all that belongs to it."""
    account = await find_account(db, email)
    try:
        await delete_user(db, account)
    except TokenRevoked:
        raise CommandError("the account was changed at the same time; try again") from None
    await insert_entry(db, make_entry("account-deleted", account.user.id, email=account.user.email))
    print("Account deleted.")


async def run_tokens(settings: Settings, arguments: argparse.Namespace) -> None:
    """Run an action of `riskscan tokens`. Raises CommandError."""
    async with open_database(settings) as db:
        if arguments.action == "list":
            email = (await find_account(db, arguments.user)).user.email if arguments.user else ""
            print_list([row async for row in list_all_tokens(db, email)], arguments.format)
            return
        user_id = await revoke_token(db, arguments.id) if is_uuid(arguments.id) else None
        if user_id is None:
            raise CommandError(f"there is no API token with the ID {arguments.id}")
        await insert_entry(db, make_entry("token-revoked", user_id, detail=arguments.id))
        print("API token revoked.")
