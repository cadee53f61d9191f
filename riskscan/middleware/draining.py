"""Refuse new requests while this process shuts down, and count those under way."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..concurrency import ACTIVE_REQUESTS


@web.middleware
async def draining_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request while it is handled. Raises 503 `shutting_down` once the process drains."""
    with request.app[ACTIVE_REQUESTS]:
        return await handler(request)
