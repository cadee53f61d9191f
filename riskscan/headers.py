"""The headers of every answer: its request id, who may store it, and what a browser may do with it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from .auth import ACCOUNT
from .errors import REQUEST_ID, new_request_id
from .proxies import is_https
from .replies import is_api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SANE_REQUEST_ID = re.compile(r"[0-9A-Za-z._:/+=@-]{1,128}", re.ASCII)
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS = "max-age=31536000"

access = logging.getLogger("riskscan.access")


@web.middleware
async def request_id_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, and log one line when it is answered."""
    given = request.headers.get("X-Request-ID", "")
    request[REQUEST_ID] = given if SANE_REQUEST_ID.fullmatch(given) else new_request_id()
    begin = time.perf_counter()
    status = 499  # nobody was left to answer
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as exc:
        status = exc.status
        raise
    finally:
        if access.isEnabledFor(logging.INFO):
            log_request(request, status, (time.perf_counter() - begin) * 1000)
    return response


def log_request(request: web.Request, status: int, milliseconds: float) -> None:
    """Log the route, never the path or the query: they may hold what only the user should know."""
    resource = request.match_info.route.resource
    account = request.get(ACCOUNT)
    access.info(
        "%s %s %d %.1f ms request=%s user=%s",
        request.method,
        resource.canonical if resource else "(no route)",
        status,
        milliseconds,
        request[REQUEST_ID],
        account.user.id if account else "-",
    )


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set what every answer carries (`on_response_prepare`)."""
    headers = response.headers
    headers["X-Request-ID"] = request.get(REQUEST_ID) or new_request_id()
    headers["Server"] = "RiskScan"
    headers.update(SECURITY)
    headers["Content-Security-Policy"] = API_POLICY if is_api(request) else PAGE_POLICY
    if not request.path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    if is_https(request):
        headers["Strict-Transport-Security"] = HSTS
