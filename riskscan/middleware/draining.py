"""Graceful shutdown: new requests are refused while those in progress finish."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..concurrency import ACTIVE_REQUESTS


@web.middleware
async def draining_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request while it is handled. Raises 503 `shutting_down` once draining has started."""
    with request.app[ACTIVE_REQUESTS]:
        return await handler(request)
