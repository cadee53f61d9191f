"""Who asks: access tokens, the session cookie of the built-in pages, and where a request comes from."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import re
import secrets
import time
from typing import NamedTuple

import aiohttp_session
import jwt
from aiohttp import hdrs, web

from . import db
from .db import DATABASE, Account, TokenSubject, UserDeleted
from .errors import ApiError, not_authenticated
from .forms import is_uuid
from .proxies import is_https
from .settings import SETTINGS, Settings
from .shapes import Scope, TokenResponse

ACCOUNT = web.RequestKey("ACCOUNT", Account)
USER_ID = web.RequestKey("USER_ID", str)  # whose request it is, for the log
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
COOKIE = "riskscan_session"
SESSION_ID = re.compile(r"[0-9A-Za-z_-]{43}", re.ASCII)  # secrets.token_urlsafe(32)
API_TOKEN_PREFIX = "rsk_"  # noqa: S105  # no secret: what each one begins with
API_TOKEN = re.compile(API_TOKEN_PREFIX + SESSION_ID.pattern, re.ASCII)
# a session is extended when it is used, and an API token's use noted, but not more often than this
TOUCH_INTERVAL = datetime.timedelta(minutes=1)


class Claims(NamedTuple):
    """What an access token says."""

    subject: TokenSubject
    expires_at: int


def issue_access_token(settings: Settings, account: Account) -> TokenResponse:
    """Return a fresh access token for the account, in the contract's shape."""
    issued_at, lifetime = int(time.time()), settings.token_minutes * 60
    claims = {
        "sub": account.user.id,
        "iat": issued_at,
        "exp": issued_at + lifetime,
        "version": account.token_version,
    }
    token = jwt.encode(claims, settings.jwt_secret, settings.jwt_algorithm)
    return TokenResponse(
        access_token=token,
        token_type="bearer",  # noqa: S106  # RFC 6749's word, no secret
        expires_in=lifetime,
        token=token,
        user=account.user,
        user_id=account.user.id,
        email=account.user.email,
    )


@functools.lru_cache(4096)  # a client sends the same token again and again, and HMAC over JSON is slow
def decode_access_token(token: str, secret: str, algorithm: str) -> Claims | None:
    """Return what a token of ours says, None where it is not one. The caller looks at the clock."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[algorithm],
            options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    user_id, version, expires_at = claims["sub"], claims.get("version"), claims["exp"]
    if type(version) is not int or type(expires_at) is not int or not is_uuid(user_id):
        return None
    return Claims(TokenSubject(user_id, version), expires_at) if 0 <= version < 2**31 else None


def bearer_token(request: web.Request) -> str | None:
    """Return what comes after `Authorization: Bearer`; None for another scheme and for no header.

    Of several headers one counts where it is a Bearer; together they are no token that was ever issued.
    """
    tokens = []
    for header in request.headers.getall(hdrs.AUTHORIZATION, ()):
        scheme, _, token = header.strip().replace("\t", " ").partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip())
    return " ".join(tokens) if tokens else None


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
        found = await db.find_account_by_api_token(request.app[DATABASE], token_digest(token))
    if found is None:
        raise not_authenticated()
    if scope is None:
        raise ApiError(403, "forbidden", "An API token cannot do this. Log in with your password.")
    if scope not in found.scopes:
        raise ApiError(403, "forbidden", f"This API token does not have the scope “{scope}”.")
    if found.last_used_at is None or db.now() - found.last_used_at > TOUCH_INTERVAL:
        with contextlib.suppress(ApiError):  # who only reads needs no database that writes
            await db.record_api_token_use(request.app[DATABASE], found.token_id)
    request[ACCOUNT], request[USER_ID] = found.account, found.account.user.id
    return found.account


async def find_user(request: web.Request, token: str | None) -> Account | None:
    """Return whose request this is, by Bearer token or session; None where nobody's or not any more."""
    account: Account | None = request.get(ACCOUNT)
    if account is None:
        if token is None:
            account = await account_of_session(request)
        elif caller := subject_of_token(request, token):
            account = await db.find_account(request.app[DATABASE], caller)
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


def subject_of_token(request: web.Request, token: str) -> TokenSubject | None:
    settings = request.app[SETTINGS]
    claims = decode_access_token(token, settings.jwt_secret, settings.jwt_algorithm)
    return claims.subject if claims and claims.expires_at > time.time() else None


async def account_of_session(request: web.Request) -> Account | None:
    await aiohttp_session.get_session(request)
    return request.get(ACCOUNT)


async def start_session(request: web.Request, account: Account) -> None:
    """Give the browser a new session for the account; the one that it had ends."""
    await end_session(request)
    session = await aiohttp_session.new_session(request)
    session["user_id"] = account.user.id
    session["token_version"] = account.token_version
    request[ACCOUNT], request[USER_ID] = account, account.user.id


async def end_session(request: web.Request) -> None:
    """End the browser's session, here as well as there."""
    session = await aiohttp_session.get_session(request)
    if not session.new:
        await db.delete_session(request.app[DATABASE], token_digest(str(session.identity)))
    if cookie_name(request) in request.cookies:
        session.invalidate()
    if ACCOUNT in request:
        del request[ACCOUNT]


def cookie_name(request: web.Request) -> str:
    """Return the name of the session cookie: behind HTTPS one that no neighbouring host can set."""
    return f"__Host-{COOKIE}" if is_https(request) else COOKIE


def token_digest(secret: str) -> str:
    # a leaked table opens no session, and no API token is read from it
    return hashlib.sha256(secret.encode()).hexdigest()


class DatabaseSessionStorage(aiohttp_session.AbstractStorage):
    """Sessions that live in the database: the cookie holds a random id and nothing else."""

    def __init__(self) -> None:
        super().__init__(cookie_name=COOKIE, samesite="Lax", httponly=True)

    async def load_session(self, request: web.Request) -> aiohttp_session.Session:
        session_id = request.cookies.get(cookie_name(request), "")
        found = None
        if SESSION_ID.fullmatch(session_id):
            found = await db.find_account_by_session(request.app[DATABASE], token_digest(session_id))
        if found is None:
            return aiohttp_session.Session(None, data=None, new=True)
        request[ACCOUNT], expires_at = found
        until = session_expiry(request)
        if until - expires_at > TOUCH_INTERVAL:
            with contextlib.suppress(ApiError):
                await db.extend_session(request.app[DATABASE], token_digest(session_id), until)
        return aiohttp_session.Session(session_id, data=None, new=False)

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        name, secure = cookie_name(request), is_https(request)
        if session.empty:
            response.del_cookie(name, secure=secure, httponly=True, samesite="Lax")
            return
        session_id = secrets.token_urlsafe(32)
        try:
            await db.insert_session(
                request.app[DATABASE],
                token_digest(session_id),
                session["user_id"],
                session["token_version"],
                session_expiry(request),
            )
        except UserDeleted:
            raise not_authenticated("This account was deleted.") from None
        response.set_cookie(name, session_id, secure=secure, httponly=True, samesite="Lax")


def session_expiry(request: web.Request) -> datetime.datetime:
    return db.now() + datetime.timedelta(minutes=request.app[SETTINGS].token_minutes)


def require_same_origin(request: web.Request) -> None:
    """Raise 403 `cross_origin_request` for an unsafe request that another site's page sends.

    Judged as Go's http.CrossOriginProtection does: by Sec-Fetch-Site, then by Origin against Host. A program
    sends neither; a request with a Bearer token was not sent by a browser on its own account.
    """
    if request.method in SAFE_METHODS or bearer_token(request):
        return
    origin = request.headers.get("Origin", "")
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        own = site in ("same-origin", "none")
    else:
        own = not origin or origin.partition("://")[2].lower() == request.host.lower()
    if not own and origin.lower() not in request.app[SETTINGS].cors_origins:
        raise ApiError(403, "cross_origin_request", "This request comes from another site.")
