"""Authentication: the account behind an access token, an API token or a session cookie.

Handlers call `authenticate`. `authenticate_lazily` skips the lookup if the handler's statement verifies the
token; `current_account_or_none` is for pages that guests see too.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import hashlib
import re
import secrets
import uuid

import aiohttp_session
from aiohttp import hdrs, web

from ..concurrency import DATABASE_TURNS
from ..database import DATABASE, Executor
from ..database.api_tokens import find_account_by_api_token, record_api_token_use
from ..database.drivers import WAIT_SECONDS
from ..database.rows import Account, TokenRevoked, TokenSubject, utc_now
from ..database.users import find_account
from ..errors import ApiError, Sentence, invalid_token, not_authenticated
from ..request.authorization import bearer_token
from ..request.forwarded import read_trusted_user
from ..schemas import Scope
from .access_tokens import read_access_token

ACCOUNT = web.RequestKey("ACCOUNT", Account)
USER_ID = web.RequestKey("USER_ID", str)  # of the user that `authenticate` or `authenticate_lazily` returned
SECRET = re.compile(r"[0-9A-Za-z_-]{43}", re.ASCII)  # make_secret
API_TOKEN_PREFIX = "rsk_"  # noqa: S105  # not a secret: every API token starts with it
API_TOKEN = re.compile(API_TOKEN_PREFIX + SECRET.pattern, re.ASCII)
# how often at most a session is extended, and the last use of an API token recorded
TOUCH_INTERVAL = datetime.timedelta(minutes=1)


async def authenticate(
    request: web.Request, scope: Scope | None = None, db: Executor | None = None
) -> Account:
    """Return the account of the request's Bearer token or, without one, of its session cookie.

    `scope` is the scope an API token must have; None refuses API tokens.
    Raises 401 `not_authenticated` if the token or session is missing, malformed, expired or revoked,
    403 `forbidden` for an API token that may not do this.
    """
    db = db or request.app[DATABASE]
    token = bearer_token(request)
    if token is None:
        account = await _authenticate_session(request)
    elif token.startswith(API_TOKEN_PREFIX):
        account = await _authenticate_api_token(db, token, scope)
    else:
        account = await find_account(db, read_access_token(request, token))
    request[ACCOUNT], request[USER_ID] = account, account.user.id
    return account


async def authenticate_lazily(request: web.Request, scope: Scope = "read") -> TokenSubject:
    """Return the user and token version that an access token claims; the statement has to verify them.

    For speed only: it saves the statement that verifies the account, 0.18 of 0.70 ms of CPU per read
    (PostgreSQL, 29 November). Raises as `authenticate` does, except for revoked access tokens.
    """
    token = bearer_token(request)
    if token is None or token.startswith(API_TOKEN_PREFIX):
        return (await authenticate(request, scope)).subject
    subject = read_access_token(request, token)
    request[USER_ID] = subject.user_id
    return subject


async def current_account_or_none(request: web.Request) -> Account | None:
    """Return the account that is logged in, for pages that are shown to everybody."""
    try:
        return await authenticate(request)
    except TokenRevoked:
        return None
    except ApiError as exc:
        if exc.status not in (401, 403):
            raise
        return None


def take_turn(request: web.Request) -> contextlib.AbstractAsyncContextManager[None]:
    """Wait until it is the user's turn at the database, and hold it: a crowd of one user queues by itself.

    Users are told apart before anything is looked up. Raises 503 `overloaded` after WAIT_SECONDS.
    """
    token = bearer_token(request)
    user: str = read_trusted_user(request) or request.headers.get(hdrs.COOKIE, "")
    if token:
        user = token
        with contextlib.suppress(ApiError):  # an invalid token waits as a user of its own
            user = read_access_token(request, token).user_id
    return request.app[DATABASE_TURNS].slot(user, asyncio.get_running_loop().time() + WAIT_SECONDS)


async def _authenticate_session(request: web.Request) -> Account:
    await aiohttp_session.get_session(request)  # the session storage sets ACCOUNT
    if ACCOUNT not in request:
        raise not_authenticated()
    return request[ACCOUNT]


async def _authenticate_api_token(db: Executor, token: str, scope: Scope | None) -> Account:
    if not API_TOKEN.fullmatch(token):
        raise invalid_token("The API token is malformed.")
    owner = read_owner(token.removeprefix(API_TOKEN_PREFIX))
    record = await find_account_by_api_token(db, token_digest(token), owner)
    if record is None:
        raise invalid_token("The API token is unknown or has been revoked.")
    if record.expires_at is not None and record.expires_at <= utc_now():
        raise invalid_token("The API token has expired.")
    if scope is None:
        raise ApiError(403, "forbidden", "API tokens can't do this; use a session or access token.")
    if scope not in record.scopes:
        detail = Sentence("This API token does not have the scope “%(scope)s”.", scope=scope)
        raise ApiError(403, "forbidden", detail)
    if record.last_used_at is None or utc_now() - record.last_used_at > TOUCH_INTERVAL:
        with contextlib.suppress(ApiError):  # reads must work on a read-only replica
            await record_api_token_use(db, record.account.user.id, record.token_id)
    return record.account


def make_secret(user_id: str) -> str:
    """Return a session ID, API token or token of a link: the user's ID and 128 random bits, in base64url.

    The ID is no secret. It leads to the rows of the user, which may be on a node of their own.
    """
    return base64.urlsafe_b64encode(uuid.UUID(user_id).bytes + secrets.token_bytes(16)).decode().rstrip("=")


def read_owner(secret: str) -> str:
    """Return the user ID in a secret; of one that an earlier version made, random bits."""
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(f"{secret}=")[:16]))


def token_digest(secret: str) -> str:
    """Return the SHA-256 of a session ID or API token; a leaked table does not reveal them."""
    return hashlib.sha256(secret.encode()).hexdigest()
