"""Handler of the files in static/."""

from __future__ import annotations

from aiohttp import web

from ..errors import error_from_status
from ..template_filters import STATIC

# by name, so that no part of a request becomes a path. With web.static (aiohttp 3.14) a folder is 403, a name
# of 256 characters 500, and a script application/javascript without a charset
FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def show(request: web.Request) -> web.StreamResponse:
    """Return a file of static/."""
    path = FILES.get(request.match_info["name"])
    if path is None:
        raise error_from_status(404)
    media_type = MEDIA_TYPES.get(path.suffix, "text/plain")
    return web.FileResponse(path, headers={"Content-Type": f"{media_type}; charset=utf-8"})
