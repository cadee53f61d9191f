"""Sessions of the built-in pages, by aiohttp-session over the table `sessions`."""

from __future__ import annotations

import contextlib
import datetime

import aiohttp_session
from aiohttp import web

from ..audit import record
from ..database import DATABASE
from ..database.rows import Account, utc_now
from ..database.sessions import delete_session, extend_session, find_account_by_session, insert_session
from ..errors import ApiError
from ..request.forwarded import is_https, read_trusted_user
from ..request.paths import is_api
from ..settings import SETTINGS
from .authentication import ACCOUNT, SECRET, TOUCH_INTERVAL, USER_ID, make_secret, read_owner, token_digest
from .registration import check_enabled, find_or_create_account

COOKIE = "riskscan_session"


async def start_session(request: web.Request, account: Account) -> None:
    """Start a new session for the account, and end the browser's previous session."""
    await end_session(request)
    fill_session(await aiohttp_session.new_session(request), account)
    request[ACCOUNT], request[USER_ID] = account, account.user.id


def fill_session(session: aiohttp_session.Session, account: Account) -> None:
    session["user_id"] = account.user.id
    session["token_version"] = account.token_version


async def end_session(request: web.Request) -> None:
    """End the session on the server and delete the cookie."""
    session = await aiohttp_session.get_session(request)
    if not session.new:
        await delete_session(request.app[DATABASE], token_digest(str(session.identity)), session["user_id"])
    if cookie_name(request) in request.cookies or not session.empty:
        session.invalidate()
    if ACCOUNT in request:
        del request[ACCOUNT]


def cookie_name(request: web.Request) -> str:
    """Return the cookie's name: `__Host-…` under HTTPS, so that other hosts of the domain can't set it."""
    return f"__Host-{COOKIE}" if is_https(request) else COOKIE


class DatabaseSessionStorage(aiohttp_session.AbstractStorage):
    """Sessions in the database; the cookie holds the user's ID and random bits.

    If a trusted proxy names a user, a request without a session of this user starts one, unless it is of the
    API and sends no cookie: its client would start one with every request.
    """

    def __init__(self) -> None:
        super().__init__(cookie_name=COOKIE, samesite="Lax", httponly=True)

    async def load_session(self, request: web.Request) -> aiohttp_session.Session:
        session, email = await self._find_session(request), read_trusted_user(request)
        if not email or (ACCOUNT in request and request[ACCOUNT].user.email == email):
            return session
        if not session.new:  # of another user
            await delete_session(
                request.app[DATABASE], token_digest(str(session.identity)), session["user_id"]
            )
            del request[ACCOUNT]
        account = await find_or_create_account(request, email)
        check_enabled(account)
        request[ACCOUNT] = account
        if is_api(request) and cookie_name(request) not in request.cookies:
            return session
        record(request, "log-in", account.user.id, detail="proxy")
        started = await self.new_session()
        fill_session(started, account)
        return started

    async def _find_session(self, request: web.Request) -> aiohttp_session.Session:
        """Return the session of the cookie, an empty one if there is none."""
        session_id = request.cookies.get(cookie_name(request), "")
        found = None
        if SECRET.fullmatch(session_id):
            digest, owner = token_digest(session_id), read_owner(session_id)
            found = await find_account_by_session(request.app[DATABASE], digest, owner)
        if found is None:
            return aiohttp_session.Session(None, data=None, new=True)
        account, expires_at = found
        request[ACCOUNT] = account
        until = session_expiry(request)
        if until - expires_at > TOUCH_INTERVAL:
            with contextlib.suppress(ApiError):
                await extend_session(request.app[DATABASE], digest, account.user.id, until)
        data = aiohttp_session.SessionData(created=0, session={"user_id": account.user.id})
        return aiohttp_session.Session(session_id, data=data, new=False)

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        name, secure = cookie_name(request), is_https(request)
        if session.empty:
            response.del_cookie(name, secure=secure, httponly=True, samesite="Lax")
            return
        session_id = make_secret(session["user_id"])
        await insert_session(
            request.app[DATABASE],
            token_digest(session_id),
            session["user_id"],
            session["token_version"],
            session_expiry(request),
        )
        response.set_cookie(name, session_id, secure=secure, httponly=True, samesite="Lax")


def session_expiry(request: web.Request) -> datetime.datetime:
    return utc_now() + datetime.timedelta(minutes=request.app[SETTINGS].token_minutes)
