"""Whether the client is still there."""

from __future__ import annotations

from aiohttp import web


def has_left(request: web.Request) -> bool:
    """Return whether the client has closed the connection."""
    return request.transport is None or request.transport.is_closing()
