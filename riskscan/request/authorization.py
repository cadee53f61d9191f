"""The token in the Authorization header of a request (RFC 6750)."""

from __future__ import annotations

from aiohttp import hdrs, web


def bearer_token(request: web.Request) -> str | None:
    """Return the token after `Authorization: Bearer`, None for another scheme or no header.

    Several headers are read as one (RFC 9110, section 5.3), which is never a valid token.
    """
    header = ", ".join(request.headers.getall(hdrs.AUTHORIZATION, ()))
    scheme, _, token = header.strip().replace("\t", " ").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
