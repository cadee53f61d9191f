"""Handler of the language of the pages."""

from __future__ import annotations

from aiohttp import web

from ..errors import invalid_value
from ..languages import COOKIE, LANGUAGES
from ..request.body import read_fields
from ..request.fields import check_path, optional_text, required_text
from ..request.forwarded import is_https
from ..responses import redirect

COOKIE_SECONDS = 365 * 24 * 60 * 60


async def choose(request: web.Request) -> web.StreamResponse:
    """Store the language of the pages in a cookie, and return to the page."""
    fields = await read_fields(request)
    language = required_text(fields, "language")
    if language not in LANGUAGES:
        raise invalid_value("language", "Choose one of the languages of the page.")
    response = redirect(check_path(optional_text(fields, "next")) or "/")
    response.set_cookie(
        COOKIE, language, max_age=COOKIE_SECONDS, secure=is_https(request), httponly=True, samesite="Lax"
    )
    return response
