"""Refuse unsafe requests that another site makes a browser send."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..auth.access_tokens import bearer_token
from ..errors import ApiError
from ..settings import SETTINGS

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


@web.middleware
async def csrf_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse an unsafe request from another site (403 `cross_origin_request`)."""
    require_same_origin(request)
    return await handler(request)


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
