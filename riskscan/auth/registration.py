"""Who may register, and the accounts of people whom a proxy has logged in."""

from __future__ import annotations

from aiohttp import web

from ..audit import record
from ..database import DATABASE
from ..database.rows import Account
from ..database.users import EmailTaken, find_account_by_email, insert_user
from ..errors import ApiError, Sentence
from ..settings import SETTINGS
from .passwords import dummy_hash


def check_registration_open(request: web.Request) -> None:
    """Raise 403 `registration_closed` if nobody may register."""
    if request.app[SETTINGS].registration_domains == ():
        detail = Sentence("Accounts are created by whoever runs this server. Ask them for yours.")
        raise ApiError(403, "registration_closed", detail)


def check_password_registration(request: web.Request) -> None:
    """Raise 403 `registration_closed` if nobody may register with a password."""
    check_registration_open(request)
    if not request.app[SETTINGS].allows_registration:
        detail = Sentence("Accounts are created at the first log-in through your organisation.")
        raise ApiError(403, "registration_closed", detail)


def check_email_domain(request: web.Request, email: str) -> None:
    """Raise 403 `email_not_allowed` if REGISTRATION does not name the domain of the address."""
    domains = request.app[SETTINGS].registration_domains
    if domains is not None and email.rpartition("@")[2] not in domains:
        detail = Sentence(
            "Only addresses of %(domains)s can register. Ask whoever runs this server for an account.",
            domains=", ".join(f"@{domain}" for domain in domains),
        )
        raise ApiError(403, "email_not_allowed", detail, fields={"email": detail})


def check_enabled(account: Account) -> None:
    """Raise 403 `account_disabled` if the operator has disabled the account."""
    if account.disabled:
        raise ApiError(403, "account_disabled", "This account is disabled. Ask whoever runs this server.")


async def find_or_create_account(request: web.Request, email: str) -> Account:
    """Return the account of a verified email, created without a password if REGISTRATION allows it.

    It may be disabled. Raises 403 `registration_closed` or `email_not_allowed`.
    """
    db = request.app[DATABASE]
    account = await find_account_by_email(db, email)
    if account is None:
        check_registration_open(request)
        check_email_domain(request, email)
        try:
            account = await insert_user(db, email, dummy_hash(request.app[SETTINGS].bcrypt_cost))
        except EmailTaken:  # by a request at the same time
            return await find_or_create_account(request, email)
        record(request, "registered", account.user.id)
    return account
