"""Handlers of the log-in at an identity provider (OpenID Connect): start, finish."""

from __future__ import annotations

import hmac
import logging

from aiohttp import web

from ..audit import record
from ..auth.oidc import INVALID_ANSWER, Flow, authorization_url, fetch_email
from ..auth.registration import check_enabled, find_or_create_account
from ..auth.sessions import start_session
from ..database.rows import Account
from ..errors import ApiError, error_from_status
from ..rate_limits import SHARED_LIMIT_FACTOR, Bucket, bucket, hit
from ..request.fields import read_next_path
from ..request.forwarded import client_address, is_https, request_origin
from ..responses import redirect, render_page
from ..settings import SETTINGS

FINISH_PATH = "/login/oidc/finish"
COOKIE = "riskscan_oidc"
COOKIE_SECONDS = 600  # for the log-in at the provider

log = logging.getLogger("riskscan.oidc")


async def start(request: web.Request) -> web.StreamResponse:
    """Redirect to the identity provider's log-in."""
    check_configured(request)
    flow = Flow.start(read_next_path(request))
    try:
        await hit(request, attempts(request))
        location = await authorization_url(request.app[SETTINGS], flow, redirect_uri(request))
    except ApiError as error:
        return show_error(request, error, flow.next_path)
    response = redirect(location)
    secure = is_https(request)
    response.set_cookie(
        cookie_name(request),
        flow.cookie,
        max_age=COOKIE_SECONDS,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
    return response


async def finish(request: web.Request) -> web.StreamResponse:
    """Log in whom the identity provider names; it redirects the browser here."""
    check_configured(request)
    flow = Flow.from_cookie(request.cookies.get(cookie_name(request), ""))
    account: Account | None = None
    try:
        await hit(request, attempts(request))
        code = read_code(request, flow)
        email = await fetch_email(request.app[SETTINGS], flow, code, redirect_uri(request))
        account = await find_or_create_account(request, email)
        check_enabled(account)
    except ApiError as error:
        if error.status != 429:  # as with passwords: one address could fill the audit log
            record(request, "log-in-failed", account.user.id if account else None, detail="oidc")
        return show_error(request, error, flow.next_path)
    await start_session(request, account)
    record(request, "log-in", account.user.id, detail="oidc")
    response = redirect(flow.next_path or "/scan")
    response.del_cookie(cookie_name(request), secure=is_https(request), httponly=True, samesite="Lax")
    return response


def check_configured(request: web.Request) -> None:
    """Raise 404 `not_found` unless OIDC_ISSUER is set."""
    if not request.app[SETTINGS].oidc_issuer:
        raise error_from_status(404)


def attempts(request: web.Request) -> Bucket:
    """Return the bucket of an address: each attempt sends requests to the provider."""
    return bucket(
        request.app[SETTINGS].login_limit, "oidc", client_address(request), share=SHARED_LIMIT_FACTOR
    )


def read_code(request: web.Request, flow: Flow) -> str:
    """Return the authorization code of the provider's redirect (RFC 6749, section 4.1.2).

    Raises 400, 403 or 502 `oidc_failed`.
    """
    query, issuer = request.query, request.app[SETTINGS].oidc_issuer
    if not hmac.compare_digest(query.get("state", "").encode(errors="replace"), flow.state.encode()):
        raise ApiError(
            400, "oidc_failed", "This log-in has expired, or was started in another tab. Try again."
        )
    if query.get("error") == "access_denied":
        raise ApiError(403, "oidc_failed", "The log-in at your identity provider was cancelled or refused.")
    if "error" in query or not query.get("code") or query.get("iss", issuer) != issuer:  # RFC 9207
        log.warning("the identity provider answered %r", query.get("error", "")[:100])
        raise ApiError(502, "oidc_failed", INVALID_ANSWER)
    return query["code"]


def redirect_uri(request: web.Request) -> str:
    return request_origin(request) + FINISH_PATH


def cookie_name(request: web.Request) -> str:
    return f"__Host-{COOKIE}" if is_https(request) else COOKIE


def show_error(request: web.Request, error: ApiError, next_path: str) -> web.Response:
    """Show the log-in page with the error."""
    # the address of this page, with its code, is not shown again
    context = {"error": error, "next": next_path, "path": "/login", "here": "/login"}
    return render_page(request, "login.html", context, error.status, error.headers)
