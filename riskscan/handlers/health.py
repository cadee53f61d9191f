"""Handlers of the health check and the liveness probe."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from aiohttp import web

from .. import __version__
from ..ai_client import AI_SESSION
from ..database import DATABASE, ping
from ..database.attempts import check_write
from ..errors import ApiError
from ..responses import json_response
from ..schemas import Health, Liveness

PROBE_SECONDS = 2
CACHE_SECONDS = 5
RETRY_SECONDS = 2


class AiProbe:
    """The last probe of the AI service, cached so that frequent health checks do not reach it."""

    def __init__(self) -> None:
        self.healthy = False
        self.expires_at = 0.0  # time.monotonic()
        self.lock = asyncio.Lock()


AI_PROBE = web.AppKey("AI_PROBE", AiProbe)


async def show(request: web.Request) -> web.StreamResponse:
    """Check the database and the AI service (503 without the database)."""
    database, ai_service = await asyncio.gather(check_database(request), check_ai_service(request))
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


async def check_ai_service(request: web.Request) -> bool:
    probe = request.app[AI_PROBE]
    async with probe.lock:  # concurrent checks share one probe
        if time.monotonic() >= probe.expires_at:
            probe.healthy = await probe_ai_service(request)
            probe.expires_at = time.monotonic() + CACHE_SECONDS
    return probe.healthy


async def probe_ai_service(request: web.Request) -> bool:
    """Return whether the AI service responds, with any status below 500."""
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            request.app[AI_SESSION].get("", allow_redirects=False) as response,
        ):
            return response.status < 500
    except (aiohttp.ClientError, OSError):
        return False
