"""Rate limits, counted in the database so that all workers and hosts share them."""

from __future__ import annotations

import datetime
import hashlib
import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from .database import DATABASE, Executor
from .database.attempts import decrement_attempts, increment_attempts
from .database.rows import utc_now
from .errors import ApiError, Sentence
from .settings import Rate

# for limits shared by everyone behind an address, or by all addresses of an account
SHARED_LIMIT_FACTOR = 10

log = logging.getLogger("riskscan.rate_limits")


class Bucket(NamedTuple):
    """The attempts of one kind by an account, an address or both; `name` is its row in the database."""

    kind: str
    name: str
    rate: Rate


class Usage(NamedTuple):
    """The attempts counted in a bucket, whose window ends at `resets_at`."""

    bucket: Bucket
    attempts: int
    resets_at: datetime.datetime

    @property
    def remaining(self) -> int:
        return max(0, self.bucket.rate.attempts - self.attempts)

    @property
    def seconds(self) -> int:
        """Whole seconds until the window ends: from 1 to its length, whatever the clock says."""
        seconds = math.ceil((self.resets_at - utc_now()).total_seconds())
        return max(1, min(seconds, self.bucket.rate.seconds))

    @property
    def headers(self) -> dict[str, str]:
        """The headers of draft-ietf-httpapi-ratelimit-headers-10."""
        kind, rate = self.bucket.kind, self.bucket.rate
        return {
            "RateLimit-Policy": f'"{kind}";q={rate.attempts};w={rate.seconds}',
            "RateLimit": f'"{kind}";r={self.remaining};t={self.seconds}',
        }


# the usage with the fewest attempts left; a request key, so that errors raised later carry its headers too
USAGE = web.RequestKey("USAGE", Usage)


def bucket(rate: Rate, kind: str, *by: str, share: int = 1) -> Bucket:
    """Return the bucket of these accounts or addresses; `share` multiplies the limit of a shared one."""
    # a digest, so that the table holds no addresses, and the name is short whatever the input
    digest = hashlib.sha256("\0".join(by).encode()).hexdigest()
    return Bucket(kind, f"{kind} {digest}", Rate(rate.attempts * share, rate.seconds))


async def hit(request: web.Request, *buckets: Bucket, db: Executor | None = None) -> None:
    """Count an attempt in each bucket. Raises 429 `rate_limited` if one of them is full."""
    usages = []
    db = db or request.app[DATABASE]
    for each in buckets:
        if not each.rate.attempts:  # 0 is no limit
            continue
        try:
            counted = await increment_attempts(db, each.name, each.rate.seconds)
        except ApiError as exc:
            await pass_over_lost_node(db, each, exc)
            continue
        usages.append(Usage(each, *counted))
        request[USAGE] = most_restrictive(usages)
        if counted[0] > each.rate.attempts:
            raise rate_limited(usages[-1])


async def refund(request: web.Request, *buckets: Bucket, db: Executor | None = None) -> None:
    """Subtract a successful attempt from each bucket."""
    usages = []
    db = db or request.app[DATABASE]
    for each in buckets:
        if not each.rate.attempts:
            continue
        try:
            counted = await decrement_attempts(db, each.name)
        except ApiError as exc:
            await pass_over_lost_node(db, each, exc)
            continue
        if counted:
            usages.append(Usage(each, *counted))
    if usages:
        request[USAGE] = most_restrictive(usages)


async def pass_over_lost_node(db: Executor, each: Bucket, exc: ApiError) -> None:
    """Raise the error of an attempt that was not counted, unless only the counter's node may be lost.

    Where the database is distributed, counters of users lie on other nodes than the users.
    """
    if exc.code != "database_unavailable" or not await db.is_distributed():
        raise exc
    log.warning("an attempt was not counted, because a node of the database is lost: %s", each.kind)


def most_restrictive(usages: Sequence[Usage]) -> Usage:
    return min(usages, key=lambda usage: usage.remaining)


def rate_limited(usage: Usage) -> ApiError:
    """429: too many attempts, until the window ends."""
    seconds = usage.seconds
    detail = Sentence("Too many attempts. Try again in %(seconds)s seconds.", seconds=seconds)
    headers = {"Retry-After": str(seconds)}
    return ApiError(429, "rate_limited", detail, headers=headers, limit=usage.bucket.kind)
