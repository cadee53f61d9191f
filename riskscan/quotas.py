"""Quotas: what a user may scan from midnight to midnight UTC (SCANS_PER_DAY, MEGABYTES_PER_DAY)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import web

from .database import DATABASE
from .database.daily_usage import DailyUsage, add_usage, find_usage, subtract_usage
from .database.rows import utc_now
from .errors import ApiError, Sentence
from .rate_limits import USAGE, Bucket, Usage, most_restrictive
from .request.uploads import Document
from .settings import SETTINGS, Rate, Settings

MEGABYTE, DAY_SECONDS = 1024 * 1024, 86_400
SCANS, MEGABYTES = "scans per day", "megabytes per day"  # the names of the limits
UNLIMITED = DailyUsage(2**31 - 1, 2**62)


class QuotaUsage(NamedTuple):
    """What a user has scanned today, and may scan; 0 is no limit."""

    scans: int
    max_scans: int
    megabytes: float
    max_megabytes: int


@contextlib.asynccontextmanager
async def charge_quotas(request: web.Request, user_id: str, document: Document) -> AsyncIterator[None]:
    """Charge a document to the quotas of its user, unless the block, which scans it, raises an exception.

    Raises 429 `rate_limited` if a quota does not allow it, TokenRevoked if the account was deleted.
    """
    db, max_usage = request.app[DATABASE], read_limits(request.app[SETTINGS])
    if max_usage == UNLIMITED:
        yield
        return
    ends_at, size = end_of_day(utc_now()), await document.compute_size()
    used = await add_usage(db.lowest_priority, user_id, ends_at, size, max_usage)
    if used is None:
        used = await find_usage(db.lowest_priority, user_id, ends_at)
        report_scans(request, used, max_usage, ends_at)
        raise quota_exceeded(used, size, max_usage, ends_at)
    try:
        yield
    except BaseException:
        await asyncio.shield(refund(request, user_id, ends_at, size))
        raise
    report_scans(request, used, max_usage, ends_at)


def report_scans(
    request: web.Request, used: DailyUsage, max_usage: DailyUsage, ends_at: datetime.datetime
) -> None:
    """Let the headers say how many scans are left today, unless fewer are left of SCAN_LIMIT."""
    if max_usage.scans != UNLIMITED.scans:
        day = Usage(Bucket(SCANS, "", Rate(max_usage.scans, DAY_SECONDS)), used.scans, ends_at)
        request[USAGE] = most_restrictive([day, request.get(USAGE, day)])


async def refund(request: web.Request, user_id: str, ends_at: datetime.datetime, size: int) -> None:
    """Take back the charge of a scan, unless the database is unavailable or busy."""
    with contextlib.suppress(ApiError):
        await subtract_usage(request.app[DATABASE].low_priority, user_id, ends_at, size)


async def load_quota_usage(request: web.Request, user_id: str) -> QuotaUsage | None:
    """Return what the user has scanned today, None without quotas."""
    settings = request.app[SETTINGS]
    if read_limits(settings) == UNLIMITED:
        return None
    used = await find_usage(request.app[DATABASE], user_id, end_of_day(utc_now()))
    megabytes = math.ceil(used.bytes / MEGABYTE * 10) / 10
    return QuotaUsage(used.scans, settings.scans_per_day, megabytes, settings.megabytes_per_day)


def read_limits(settings: Settings) -> DailyUsage:
    return DailyUsage(
        settings.scans_per_day or UNLIMITED.scans,
        settings.megabytes_per_day * MEGABYTE or UNLIMITED.bytes,
    )


def end_of_day(now: datetime.datetime) -> datetime.datetime:
    """Return the next midnight UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + datetime.timedelta(days=1)


def quota_exceeded(
    used: DailyUsage, size: int, max_usage: DailyUsage, ends_at: datetime.datetime
) -> ApiError:
    """429: the scans or the megabytes of today are used up, or too few are left for this document."""
    # another scan may have failed meanwhile, and left room for this one
    if used.scans >= max_usage.scans or used.bytes + size <= max_usage.bytes:
        limit = SCANS
        detail = Sentence(
            "You have reached the limit of scans a day (%(limit)s). You can scan again after midnight UTC.",
            limit=max_usage.scans,
        )
    else:
        limit = MEGABYTES
        left = max(0, max_usage.bytes - used.bytes)
        detail = Sentence(
            "This exceeds the limit of megabytes a day (%(limit)s): %(left)s MB are left until midnight UTC.",
            limit=max_usage.bytes // MEGABYTE,
            left=f"{math.floor(left / MEGABYTE * 10) / 10:g}",
        )
    seconds = max(1, math.ceil((ends_at - utc_now()).total_seconds()))
    return ApiError(429, "rate_limited", detail, headers={"Retry-After": str(seconds)}, limit=limit)
