"""Handler of the files in static/."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from ..assets import STATIC, read_asset
from ..compression import StaticBody
from ..errors import error_from_status

# by name, so that no part of a request becomes a path; 3 MB of memory when all have been asked for
FILES = {
    name: StaticBody(partial(read_asset, name))
    for name in (path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
}
MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml; charset=utf-8",
    "webmanifest": "application/manifest+json",
}


async def show(request: web.Request) -> web.StreamResponse:
    """Return a file of static/."""
    name = request.match_info["name"]
    if name not in FILES:
        raise error_from_status(404)
    media_type = MEDIA_TYPES.get(name.rpartition(".")[2], "text/plain; charset=utf-8")
    return await FILES[name].respond(request, media_type)
