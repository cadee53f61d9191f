"""Queries: a parameter that the matched operation or page reads is given once."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import invalid_value

QUERY_FIELDS = web.AppKey("QUERY_FIELDS", dict[Handler, frozenset[str]])  # by handler


@web.middleware
async def query_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a query that gives a parameter of the handler twice (400 `invalid_request`)."""
    if "&" in request.query_string:
        names = request.app[QUERY_FIELDS].get(request.match_info.handler, frozenset())
        for name in sorted(names.intersection(request.query)):
            if len(request.query.getall(name)) > 1:
                raise invalid_value(name, "Must be given once.")
    return await handler(request)
