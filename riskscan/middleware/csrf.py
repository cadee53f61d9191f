"""Protection against cross-site request forgery."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import ApiError
from ..request.authorization import bearer_token
from ..settings import SETTINGS

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


@web.middleware
async def csrf_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse an unsafe request from another site (403 `cross_origin_request`)."""
    require_same_origin(request)
    return await handler(request)


def require_same_origin(request: web.Request) -> None:
    """Raise 403 `cross_origin_request` for an unsafe request that another site's page sends.

    As in Go's http.CrossOriginProtection, Sec-Fetch-Site decides, then Origin against Host. Programs send
    neither; and no browser adds a Bearer token by itself.
    """
    if request.method in SAFE_METHODS or bearer_token(request):
        return
    origin = request.headers.get("Origin", "")
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        same_origin = site in ("same-origin", "none")
    else:
        same_origin = not origin or origin.partition("://")[2].lower() == request.host.lower()
    if not same_origin and origin.lower() not in request.app[SETTINGS].cors_origins:
        raise ApiError(403, "cross_origin_request", "This request was sent by another site.")
