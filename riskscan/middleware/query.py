"""Queries: a parameter that means something is given once."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import invalid_request
from ..request.filters import FILTER_FIELDS

QUERY_FIELDS = frozenset(
    (*FILTER_FIELDS, "cursor", "done", "format", "layout", "limit", "next", "offset", "with")
)


@web.middleware
async def query_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a query that gives a known parameter twice (400 `invalid_request`); unknown ones are ignored."""
    if "&" in request.query_string:
        for name in QUERY_FIELDS.intersection(request.query):
            if len(request.query.getall(name)) > 1:
                raise invalid_request(f"Invalid value for {name}.", **{name: "Must be given once."})
    return await handler(request)
