"""Handlers of accounts: register, login, logout, me, change_password, delete."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..audit import record
from ..auth.access_tokens import issue_access_token
from ..auth.authentication import ACCOUNT, USER_ID, authenticate, current_account_or_none
from ..auth.passwords import PASSWORDS, has_password
from ..auth.registration import check_email_domain, check_enabled, check_password_registration
from ..auth.sessions import end_session, start_session
from ..database import DATABASE
from ..database.api_tokens import list_api_tokens
from ..database.audit_log import list_failed_log_ins, list_own_entries
from ..database.reviews import count_reviews
from ..database.rows import Account, utc_now
from ..database.users import (
    EmailTaken,
    delete_user,
    find_account_by_email,
    insert_user,
    renew_password_hash,
    update_password,
)
from ..errors import ApiError, Sentence, invalid_request
from ..quotas import load_quota_usage
from ..rate_limits import SHARED_LIMIT_FACTOR, Bucket, bucket, hit, refund
from ..request.body import read_fields
from ..request.fields import (
    FieldErrors,
    normalize_email,
    optional_text,
    read_email,
    read_flag,
    read_new_password,
    read_next_path,
    required_text,
)
from ..request.forwarded import client_address, read_trusted_user
from ..responses import redirect, render_page, respond
from ..schemas import Message
from ..settings import SETTINGS

ENTRIES_SHOWN, FAILED_COUNTED = 20, 999  # of the audit log


async def register(request: web.Request) -> web.StreamResponse:
    """Register an account, and log in."""
    check_password_registration(request)
    fields = await read_fields(request)
    with FieldErrors() as errors:
        email = errors.read(read_email, fields)
        password = errors.read(read_new_password, fields, "password")
    check_email_domain(request, email)
    rate, address = request.app[SETTINGS].register_limit, client_address(request)
    await hit(
        request, bucket(rate, "register by account", email), bucket(rate, "register by address", address)
    )
    password_hash = await request.app[PASSWORDS].hash(password, address)
    try:
        account = await insert_user(request.app[DATABASE], email, password_hash)
    except EmailTaken:
        detail = Sentence("An account with this email already exists.")
        email_error = Sentence("An account with this email already exists. Log in instead?")
        raise ApiError(409, "email_taken", detail, fields={"email": email_error}) from None
    record(request, "registered", account.user.id)
    return await respond_with_token(request, account, status=201)


async def login(request: web.Request) -> web.StreamResponse:
    """Log in with email and password (OAuth2 password grant, RFC 6749, section 4.3)."""
    fields = await read_fields(request)
    with FieldErrors() as errors:
        errors.read(check_grant_type, fields)
        email = errors.read(read_login_email, fields)
        password = errors.read(required_text, fields, "password", "Enter your password.")
    limits = login_buckets(request, email)
    await hit(request, *limits)
    account = await find_account_by_email(request.app[DATABASE], email)
    password_hash = account.password_hash if account else None
    verified = await request.app[PASSWORDS].verify(password, password_hash, client_address(request))
    if account is None or not verified:
        record(request, "log-in-failed", account.user.id if account else None)
        headers = {"WWW-Authenticate": "Bearer"}
        raise ApiError(401, "invalid_credentials", "Wrong email or password.", headers=headers)
    if account.disabled:
        record(request, "log-in-failed", account.user.id, detail="disabled")
        check_enabled(account)
    await refund(request, *limits)
    await renew_outdated_hash(request, account, password)
    # a text submitted after the session expired comes back with the log-in form
    template = "upload.html" if fields.get("text") else ""
    response = await respond_with_token(request, account, template=template)
    record(request, "log-in", account.user.id)
    return response


async def logout(request: web.Request) -> web.StreamResponse:
    """Log out."""
    await end_session(request)
    return respond(request, Message("Logged out"), location="/login?done=logout")


async def me(request: web.Request) -> web.StreamResponse:
    """Get the current user."""
    account = await authenticate(request, "read")
    return respond(request, account.user)


async def change_password(request: web.Request) -> web.StreamResponse:
    """Change password (revokes all earlier sessions and tokens)."""
    account = await authenticate(request)
    fields = await read_fields(request)
    with FieldErrors() as errors:
        current_password = errors.read(
            required_text, fields, "current_password", "Enter your current password."
        )
        new_password = errors.read(read_new_password, fields, "new_password")
        keep_tokens = errors.read(read_flag, fields, "keep_api_tokens") or False
    await check_password(request, account, current_password, "current_password")
    password_hash = await request.app[PASSWORDS].hash(new_password, client_address(request))
    account = await update_password(
        request.app[DATABASE], account, password_hash, keep_api_tokens=keep_tokens
    )
    record(request, "password-changed", account.user.id)
    location = f"/account?done={'kept' if keep_tokens else 'password'}"
    return await respond_with_token(request, account, location=location)


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete the account and all its scans."""
    account = await authenticate(request)
    fields = await read_fields(request)
    await confirm_deletion(request, account, fields)
    await delete_user(request.app[DATABASE], account)
    record(request, "account-deleted", account.user.id, email=account.user.email)
    await end_session(request)
    page = "register" if request.app[SETTINGS].allows_registration else "login"
    return respond(request, Message("Account deleted"), location=f"/{page}?done=account")


async def register_page(request: web.Request) -> web.StreamResponse:
    """Show the page to register an account."""
    check_password_registration(request)
    return render_page(request, "register.html", {})


async def login_page(request: web.Request) -> web.StreamResponse:
    """Show the log-in page, or redirect if already logged in."""
    proxy_user = read_trusted_user(request)
    # who has logged out is not logged in again at once, and a deleted account not made anew
    stay = proxy_user and request.query.get("done") in ("logout", "account")
    if not stay and await current_account_or_none(request):
        return redirect(read_next_path(request) or "/scan")
    return render_page(request, "login.html", {"proxy_user": proxy_user if stay else ""})


async def account_page(request: web.Request) -> web.StreamResponse:
    """Show the account, its API tokens and the number of its reviews."""
    await authenticate(request)
    return render_page(request, "account.html", await load_account(request))


async def load_account(request: web.Request) -> dict[str, Any]:
    """Return what the account page shows beside the user, also after an error of one of its forms."""
    db, user_id = request.app[DATABASE], request[USER_ID]
    tokens, reviews = await list_api_tokens(db, user_id), await count_reviews(db, user_id)
    entries = await list_own_entries(db, user_id, ENTRIES_SHOWN)
    failed = await list_failed_log_ins(db, user_id, FAILED_COUNTED)
    entries = sorted([*entries, *failed[:1]], key=lambda entry: entry.created_at, reverse=True)
    return {
        "tokens": tokens,
        "reviews": reviews,
        "entries": entries,
        "failed": len(failed),
        "now": utc_now(),
        "quotas": await load_quota_usage(request, user_id),
        "has_password": has_password(request[ACCOUNT].password_hash),
    }


def check_grant_type(fields: Mapping[str, Any]) -> None:
    """Raise 400 unless the grant type is `password`, or was not sent."""
    if optional_text(fields, "grant_type") not in ("", "password"):
        raise invalid_request(
            'Unsupported grant_type; only "password" is supported.', grant_type="Must be password."
        )


def read_login_email(fields: Mapping[str, Any]) -> str:
    """Return the email to look up; an invalid address is returned as it is, and matches no account."""
    email = optional_text(fields, "username") or required_text(fields, "email", "Enter your email.")
    try:
        return normalize_email(email)
    except ApiError:
        return email.replace("\0", "\ufffd")  # PostgreSQL refuses NUL


def login_buckets(request: web.Request, email: str) -> tuple[Bucket, ...]:
    rate, address = request.app[SETTINGS].login_limit, client_address(request)
    return (
        bucket(rate, "login", email, address),
        # wider, so that a flood from one address does not lock out the owner elsewhere
        bucket(rate, "login by account", email, share=SHARED_LIMIT_FACTOR),
        bucket(rate, "login by address", address, share=SHARED_LIMIT_FACTOR),
    )


async def renew_outdated_hash(request: web.Request, account: Account, password: str) -> None:
    """Hash the password again if BCRYPT_COST has changed since; no token or session is revoked."""
    passwords = request.app[PASSWORDS]
    if passwords.is_outdated(account.password_hash):
        with contextlib.suppress(ApiError):  # busy; at the next log-in then
            renewed = await passwords.hash(password, client_address(request))
            await renew_password_hash(request.app[DATABASE], account, renewed)


async def check_password(request: web.Request, account: Account, password: str, field: str) -> None:
    """Raise 400 `invalid_request` unless this is the account's password, 429 after too many attempts.

    Raises 403 `no_password` if the account has none.
    """
    if not has_password(account.password_hash):
        raise ApiError(403, "no_password", "This account has no password.")
    limit = bucket(request.app[SETTINGS].login_limit, "password", account.user.id)
    await hit(request, limit)
    if not await request.app[PASSWORDS].verify(password, account.password_hash, client_address(request)):
        record(request, "wrong-password", account.user.id)
        detail = Sentence("Current password is wrong.")
        raise invalid_request(detail, **{field: detail})
    await refund(request, limit)


async def confirm_deletion(request: web.Request, account: Account, fields: Mapping[str, Any]) -> None:
    """Raise 400 `invalid_request` unless the fields have the password or, if there is none, the email."""
    by_password = has_password(account.password_hash)
    password = required_text(fields, "password", "Enter your password.") if by_password else ""
    if (optional_text(fields, "email") or not by_password) and read_email(fields) != account.user.email:
        detail = Sentence("This is not the email of your account.")
        raise invalid_request(detail, email=detail)
    if by_password:
        await check_password(request, account, password, "password")


async def respond_with_token(
    request: web.Request, account: Account, *, status: int = 200, location: str = "", template: str = ""
) -> web.StreamResponse:
    """Start a session and respond with an access token; a page redirects to `location`, `next` or Scan."""
    await start_session(request, account)
    token = issue_access_token(request.app[SETTINGS], account)
    location = location or read_next_path(request) or "/scan"
    return respond(request, token, status=status, template=template, location=location)
