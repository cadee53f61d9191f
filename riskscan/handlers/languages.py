"""Handler of the language of the pages."""

from __future__ import annotations

from aiohttp import web

from ..errors import invalid_value
from ..languages import COOKIE, LANGUAGES
from ..request.body import read_fields
from ..request.fields import read_next_path, required_text
from ..request.forwarded import is_https
from ..responses import redirect

COOKIE_SECONDS = 365 * 24 * 60 * 60


async def choose(request: web.Request) -> web.StreamResponse:
    """Store the language of the pages in a cookie, and return to the page."""
    language = required_text(await read_fields(request), "language")
    if language not in LANGUAGES:
        raise invalid_value("language", "Choose one of the languages of the page.")
    response = redirect(read_next_path(request) or "/")
    response.set_cookie(
        COOKIE, language, max_age=COOKIE_SECONDS, secure=is_https(request), httponly=True, samesite="Lax"
    )
    return response
