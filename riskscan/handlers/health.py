"""Handlers of health: whether RiskScan and what it needs are well."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from aiohttp import web

from .. import __version__
from ..ai_client import AI_SESSION
from ..database import DATABASE, ping
from ..errors import ApiError
from ..responses import json_response
from ..schemas import Health, Liveness
from ..settings import SETTINGS

PROBE_SECONDS = 2
CACHE_SECONDS = 5


class AiProbe:
    """The last look at the AI service; kept a little, so that a health check costs it nothing."""

    def __init__(self) -> None:
        self.healthy = False
        self.until = 0.0
        self.lock = asyncio.Lock()


AI_PROBE = web.AppKey("AI_PROBE", AiProbe)


async def show(request: web.Request) -> web.StreamResponse:
    """Check the database and the AI service (503 without the database)."""
    database, ai = await asyncio.gather(check_database(request), check_ai_service(request))
    if not database:
        return json_response(Health("unavailable", database, ai, __version__), 503, {"Retry-After": "2"})
    return json_response(Health("ok" if ai else "degraded", database, ai, __version__))


async def live(request: web.Request) -> web.StreamResponse:
    """Check that the process is running."""
    return json_response(Liveness())


async def check_database(request: web.Request) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await ping(request.app[DATABASE])
    except (ApiError, TimeoutError):
        return False


async def check_ai_service(request: web.Request) -> bool:
    probe = request.app[AI_PROBE]
    async with probe.lock:  # checks that come together look once
        if time.monotonic() >= probe.until:
            probe.healthy = await probe_ai_service(request)
            probe.until = time.monotonic() + CACHE_SECONDS
    return probe.healthy


async def probe_ai_service(request: web.Request) -> bool:
    """Tell whether the AI service answers at all; which status its root has is its own affair."""
    url = f"{request.app[SETTINGS].ai_service_url}/"
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            request.app[AI_SESSION].get(url, allow_redirects=False) as response,
        ):
            return response.status < 500
    except (aiohttp.ClientError, OSError):
        return False
