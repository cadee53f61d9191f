"""Too many tries: counted in the database, so that all workers and hosts count together."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from aiohttp import web

from . import db
from .db import DATABASE
from .errors import ApiError
from .settings import Rate


class Limit(NamedTuple):
    """So many tries of one kind, by one account, address or both."""

    name: str
    rate: Rate


def limit(rate: Rate, kind: str, *by: str, share: int = 1) -> Limit:
    """Return the limit of this kind of try by these; `share` widens it where several people share it."""
    # a digest, so that the table holds no addresses, and any input makes a short name
    digest = hashlib.sha256("\0".join(by).encode()).hexdigest()
    return Limit(f"{kind} {digest}", Rate(rate.tries * share, rate.seconds))


async def count_try(request: web.Request, *limits: Limit) -> None:
    """Count a try; raise 429 `rate_limited` where there were too many in the window of one of its limits."""
    for name, rate in limits:
        if not rate.tries:
            continue
        tries, ends_at = await db.count_attempt(request.app[DATABASE], name, rate.seconds)
        if tries > rate.tries:
            seconds = max(1, round((ends_at - db.now()).total_seconds()))
            raise ApiError(
                429,
                "rate_limited",
                f"Too many tries. Wait {seconds} seconds.",
                headers={"Retry-After": str(seconds)},
            )


async def take_back_try(request: web.Request, *limits: Limit) -> None:
    """Do not count a try after all: it was a good one."""
    for name, rate in limits:
        if rate.tries:
            await db.take_back_attempt(request.app[DATABASE], name)
