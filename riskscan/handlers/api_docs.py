"""Handlers of the API documentation."""

from __future__ import annotations

from aiohttp import web

from ..compression import StaticBody
from ..responses import render_page

OPENAPI_JSON = web.AppKey("OPENAPI_JSON", StaticBody)


async def document(request: web.Request) -> web.StreamResponse:
    """Get this OpenAPI document."""
    return await request.app[OPENAPI_JSON].respond(request, "application/json; charset=utf-8")


async def docs(request: web.Request) -> web.StreamResponse:
    """Show a page to try the API (Swagger UI)."""
    return render_page(request, "docs.html", {}, headers={"Content-Language": "en"})
