"""Too many tries: counted in the database, so that all workers and hosts count together."""

from __future__ import annotations

from aiohttp import web

from . import db
from .db import DATABASE
from .errors import ApiError
from .settings import Rate


async def count_try(request: web.Request, name: str, rate: Rate) -> None:
    """Count a try under `name`; raise 429 `rate_limited` where there were too many in this window."""
    if not rate.tries:
        return
    tries, ends_at = await db.count_attempt(request.app[DATABASE], name, rate.seconds)
    if tries > rate.tries:
        seconds = max(1, round((ends_at - db.now()).total_seconds()))
        raise ApiError(
            429,
            "rate_limited",
            f"Too many tries. Wait {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


async def forget_tries(request: web.Request, name: str, rate: Rate) -> None:
    """Start counting anew: the try was a good one."""
    if rate.tries:
        await db.delete_attempts(request.app[DATABASE], name)
