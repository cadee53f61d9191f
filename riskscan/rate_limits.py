"""Too many tries: counted in the database, so that all workers and hosts count together."""

from __future__ import annotations

import datetime
import hashlib
import math
from typing import NamedTuple

from aiohttp import web

from .database import DATABASE
from .database.attempts import decrement_attempts, increment_attempts
from .database.rows import utc_now
from .errors import ApiError
from .settings import Rate


class Bucket(NamedTuple):
    """So many tries of one kind, by one account, address or both."""

    kind: str
    name: str
    rate: Rate


class Usage(NamedTuple):
    """How much of a limit is used up in the window that ends at `ends_at`."""

    bucket: Bucket
    attempts: int
    resets_at: datetime.datetime

    @property
    def remaining(self) -> int:
        return max(0, self.bucket.rate.attempts - self.attempts)

    @property
    def seconds(self) -> int:
        """Return how long the window still is, in whole seconds."""
        return max(1, math.ceil((self.resets_at - utc_now()).total_seconds()))

    @property
    def headers(self) -> dict[str, str]:
        """Return what tells a client (draft-ietf-httpapi-ratelimit-headers-10)."""
        kind, rate = self.bucket.kind, self.bucket.rate
        return {
            "RateLimit-Policy": f'"{kind}";q={rate.attempts};w={rate.seconds}',
            "RateLimit": f'"{kind}";r={self.remaining};t={self.seconds}',
        }


USAGE = web.RequestKey("USAGE", dict[str, Usage])  # by the kind of limit


def bucket(rate: Rate, kind: str, *by: str, share: int = 1) -> Bucket:
    """Return the limit of this kind of try by these; `share` widens it where several people share it."""
    # a digest, so that the table holds no addresses, and any input makes a short name
    digest = hashlib.sha256("\0".join(by).encode()).hexdigest()
    return Bucket(kind, f"{kind} {digest}", Rate(rate.attempts * share, rate.seconds))


async def hit(request: web.Request, *limits: Bucket) -> None:
    """Count a try; raise 429 `rate_limited` where there were too many in the window of one of its limits."""
    for one in limits:
        if not one.rate.attempts:
            continue
        usage = record(
            request, one, await increment_attempts(request.app[DATABASE], one.name, one.rate.seconds)
        )
        if usage.attempts > one.rate.attempts:
            raise ApiError(
                429,
                "rate_limited",
                f"Too many tries. Wait {usage.seconds} seconds.",
                headers={"Retry-After": str(usage.seconds)},
            )


async def refund(request: web.Request, *limits: Bucket) -> None:
    """Do not count a try after all: it was a good one."""
    for one in limits:
        if one.rate.attempts:
            counted = await decrement_attempts(request.app[DATABASE], one.name)
            if counted:
                record(request, one, counted)


def record(request: web.Request, one: Bucket, counted: tuple[int, datetime.datetime]) -> Usage:
    usage = Usage(one, *counted)
    request[USAGE][one.kind] = usage
    return usage


def tightest(request: web.Request) -> Usage:
    """Return which of the limits that this request was counted by has the least left."""
    return min(request[USAGE].values(), key=lambda usage: usage.remaining)
