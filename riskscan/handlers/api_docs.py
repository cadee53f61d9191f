"""Handlers of the API documentation: the OpenAPI document, and the page to try it."""

from __future__ import annotations

from aiohttp import web

from ..responses import render_page

OPENAPI_JSON = web.AppKey("OPENAPI_JSON", bytes)


async def document(request: web.Request) -> web.StreamResponse:
    """Return this document."""
    return web.Response(body=request.app[OPENAPI_JSON], content_type="application/json")


async def docs(request: web.Request) -> web.StreamResponse:
    """Show the page to try the API."""
    return render_page(request, "docs.html", {})
