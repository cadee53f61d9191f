"""What the path of a request says of its response."""

from __future__ import annotations

from aiohttp import web


def is_api(request: web.BaseRequest) -> bool:
    """Return whether the response is JSON; decided by the path, so that it also holds for unknown paths."""
    return request.path.startswith("/api/") or request.path in ("/api", "/metrics")
