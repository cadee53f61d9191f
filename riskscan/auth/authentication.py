"""Who asks: access tokens, the session cookie of the built-in pages, and where a request comes from."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import re

import aiohttp_session
from aiohttp import web

from ..database import DATABASE
from ..database.api_tokens import find_account_by_api_token, record_api_token_use
from ..database.rows import Account, TokenSubject, utc_now
from ..database.users import find_account
from ..errors import ApiError, not_authenticated
from ..schemas import Scope
from .access_tokens import bearer_token, subject_of_token

ACCOUNT = web.RequestKey("ACCOUNT", Account)
USER_ID = web.RequestKey("USER_ID", str)  # whose request it is, for the log
SESSION_ID = re.compile(r"[0-9A-Za-z_-]{43}", re.ASCII)  # secrets.token_urlsafe(32)
API_TOKEN_PREFIX = "rsk_"  # noqa: S105  # no secret: what each one begins with
API_TOKEN = re.compile(API_TOKEN_PREFIX + SESSION_ID.pattern, re.ASCII)
# a session is extended when it is used, and an API token's use noted, but not more often than this
TOUCH_INTERVAL = datetime.timedelta(minutes=1)


async def require_user(request: web.Request, scope: Scope | None = None) -> Account:
    """Return whose request this is: by its Bearer token or, where there is none, by its session cookie.

    `scope` is what an API token must have; without one, API tokens may not do this.
    Raises 401 `not_authenticated` where the token or the session is missing, ended, forged or revoked,
    403 `forbidden` for an API token that may not.
    """
    token = bearer_token(request)
    if token is not None and token.startswith(API_TOKEN_PREFIX):
        return await require_api_token(request, token, scope)
    account = await find_user(request, token)
    if account is None:
        raise not_authenticated()
    return account


async def require_api_token(request: web.Request, token: str, scope: Scope | None) -> Account:
    found = None
    if API_TOKEN.fullmatch(token):
        found = await find_account_by_api_token(request.app[DATABASE], token_digest(token))
    if found is None:
        raise not_authenticated()
    if scope is None:
        raise ApiError(403, "forbidden", "An API token cannot do this. Log in with your password.")
    if scope not in found.scopes:
        raise ApiError(403, "forbidden", f"This API token does not have the scope “{scope}”.")
    if found.last_used_at is None or utc_now() - found.last_used_at > TOUCH_INTERVAL:
        with contextlib.suppress(ApiError):  # who only reads needs no database that writes
            await record_api_token_use(request.app[DATABASE], found.token_id)
    request[ACCOUNT], request[USER_ID] = found.account, found.account.user.id
    return found.account


async def find_user(request: web.Request, token: str | None) -> Account | None:
    """Return whose request this is, by Bearer token or session; None where nobody's or not any more."""
    account: Account | None = request.get(ACCOUNT)
    if account is None:
        if token is None:
            account = await account_of_session(request)
        elif caller := subject_of_token(request, token):
            account = await find_account(request.app[DATABASE], caller)
    if account is not None:
        request[ACCOUNT], request[USER_ID] = account, account.user.id
    return account


async def require_caller(request: web.Request, scope: Scope = "read") -> TokenSubject:
    """Return whose request this is, a token's word for it: for statements that check it themselves.

    Raises 401 `not_authenticated` where the token or the session is missing, ended or forged,
    403 `forbidden` for an API token without the scope.
    """
    token = bearer_token(request)
    if token is None or token.startswith(API_TOKEN_PREFIX):
        account = await require_user(request, scope)
        return TokenSubject(account.user.id, account.token_version)
    caller = subject_of_token(request, token)
    if caller is None:
        raise not_authenticated()
    request[USER_ID] = caller.user_id
    return caller


async def account_of_session(request: web.Request) -> Account | None:
    await aiohttp_session.get_session(request)
    return request.get(ACCOUNT)


def token_digest(secret: str) -> str:
    # a leaked table opens no session, and no API token is read from it
    return hashlib.sha256(secret.encode()).hexdigest()
