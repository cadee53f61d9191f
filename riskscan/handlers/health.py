"""Handlers of the health check and the liveness probe."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .. import __version__
from ..ai_client import PROBE_SECONDS, is_healthy
from ..database import DATABASE, ping
from ..database.attempts import check_write
from ..errors import ApiError
from ..responses import json_response
from ..schemas import Health, Liveness

RETRY_SECONDS = 2


async def show(request: web.Request) -> web.StreamResponse:
    """Check the database and the AI service (503 without the database)."""
    database, ai_service = await asyncio.gather(check_database(request), is_healthy(request.app))
    if not database:
        health = Health("unavailable", database, ai_service, __version__)
        return json_response(health, 503, {"Retry-After": str(RETRY_SECONDS)})
    return json_response(Health("ok" if ai_service else "degraded", database, ai_service, __version__))


async def live(request: web.Request) -> web.StreamResponse:
    """Check that the process is running."""
    return json_response(Liveness())


async def check_database(request: web.Request) -> bool:
    """Return whether the database responds and, once a write has failed, whether it can write again."""
    db = request.app[DATABASE]
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await (check_write(db) if db.write_error else ping(db))
            return True
    except (ApiError, TimeoutError):
        return False
