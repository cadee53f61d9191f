"""Handlers of scans: new, create, index, stats, show, delete."""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import contextlib
import datetime
import logging
import time
import uuid
from collections.abc import Iterator, Sequence

import msgspec
from aiohttp import web

from . import ai_client, db
from .auth import require_caller, require_user
from .db import DATABASE, Position, UserGone
from .errors import REQUEST_ID, ApiError, invalid_request, not_authenticated, not_found, unavailable
from .filters import Filter, read_filter, typed_filter
from .forms import is_uuid, read_document, whole_number
from .replies import encoder, page, reply
from .shapes import Message, Risk, Scan, ScanList


class InFlight:
    """The scans that this process is at, uploads included: a bounded number, of which one user gets half."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_user: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def place(self, user_id: str) -> Iterator[None]:
        """Hold a place for a scan. Raises 503 `overloaded` where there is none."""
        if self._by_user.total() >= self._most or self._by_user[user_id] >= max(1, self._most // 2):
            raise unavailable("overloaded", "Too many scans are under way. Try again soon.", retry_seconds=10)
        self._by_user[user_id] += 1
        try:
            yield
        finally:
            self._by_user[user_id] -= 1
            if not self._by_user[user_id]:
                del self._by_user[user_id]


IN_FLIGHT = web.AppKey("IN_FLIGHT", InFlight)
MAX_OFFSET = 10**9
KEEP_TRYING_SECONDS = 8
TRY_AGAIN_SECONDS = 0.5

log = logging.getLogger("riskscan.scans")


async def new(request: web.Request) -> web.StreamResponse:
    """Show the page that takes a text or a file."""
    await require_user(request)
    return page(request, "upload.html", {})


async def create(request: web.Request) -> web.StreamResponse:
    """Find the risks in a text or a file, and keep them."""
    account = await require_user(request)
    with request.app[IN_FLIGHT].place(account.user.id):
        async with read_document(request) as document:
            findings = await ai_client.scan(request, document)
        created_at = db.now()
        scan = Scan(
            scan_id=str(uuid.uuid4()),
            filename=document.upload.filename if document.upload else None,
            data=msgspec.Raw(encoder.encode(findings.data)),
            source=findings.source,
            risk_count=len(findings.data),
            created_at=created_at,
            timestamp=created_at,
        )
        await keep(request, account.user.id, scan, findings.data)
    return reply(request, scan, location=f"/scans/{scan.scan_id}")


async def keep(request: web.Request, user_id: str, scan: Scan, risks: Sequence[Risk]) -> None:
    """Keep a scan that was paid for, though the database be away for a few seconds.

    Raises 401 where the account was deleted meanwhile, 503 `database_unavailable` where it stays away.
    """
    deadline = time.monotonic() + KEEP_TRYING_SECONDS
    while True:
        try:
            return await db.insert_scan(request.app[DATABASE], user_id, scan, risks)
        except UserGone:
            raise not_authenticated("This account was deleted.") from None
        except ApiError:
            if time.monotonic() >= deadline:
                log.error("scan %s is lost: the database stays away [%s]", scan.scan_id, request[REQUEST_ID])
                raise
        await asyncio.sleep(TRY_AGAIN_SECONDS)


async def index(request: web.Request) -> web.StreamResponse:
    """Answer a page of the user's scans, newest first."""
    caller = await require_caller(request)
    limit = whole_number(request, "limit", 20, 1, 100)
    offset = whole_number(request, "offset", 0, 0, MAX_OFFSET)
    chosen = read_filter(request)
    after = read_cursor(request, chosen)
    if after and offset:
        raise invalid_request(
            "Give a cursor or an offset, not both.", cursor="This cannot go with an offset."
        )
    # one more than asked for tells whether there are more
    found = await db.newest_scans(request.app[DATABASE], caller, limit + 1, offset, after, chosen)
    if found is None:
        raise not_authenticated()
    total, listed = found
    scans = [one.summary for one in listed[:limit]]
    more = len(listed) > limit
    last = Position(scans[-1].created_at, scans[-1].scan_id, chosen.digest) if more else None
    return reply(
        request,
        ScanList(scans, total, limit, offset, write_cursor(last) if last else None),
        template="scans.html",
        page_only={
            "categories": {one.summary.scan_id: one.categories for one in listed},
            "chosen": typed_filter(request),
        },
    )


async def stats(request: web.Request) -> web.StreamResponse:
    """Answer what the user's scans come to: how many risks of each category, in all and by month."""
    found = await db.stats(request.app[DATABASE], await require_caller(request), read_filter(request))
    if not found.scans:
        await require_user(request)  # a token that is revoked is told from no scan
    return reply(request, found, template="overview.html", page_only={"chosen": typed_filter(request)})


async def show(request: web.Request) -> web.StreamResponse:
    """Answer one of the user's own scans."""
    scan = await db.scan_by_id(request.app[DATABASE], await require_caller(request), scan_id(request))
    if scan is None:
        await require_user(request)  # a token that is revoked is told from a scan that is not there
        raise no_such_scan()
    return reply(request, scan, template="scan.html")


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete one of the user's own scans."""
    account = await require_user(request)
    if not await db.delete_scan(request.app[DATABASE], account.user.id, scan_id(request)):
        raise no_such_scan()
    return reply(request, Message("Scan deleted"), location="/scans?done=scan")


def no_such_scan() -> Exception:
    return not_found("There is no such scan.")


def scan_id(request: web.Request) -> str:
    """Return the id in the path; raise 404 where it is no UUID in canonical form."""
    value = request.match_info["scan_id"]
    if not is_uuid(value):
        raise no_such_scan()
    return value


def write_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def read_cursor(request: web.Request, chosen: Filter) -> Position | None:
    """Return the place that a cursor of ours names; raise 400 where it is none, or of another filter."""
    value = request.query.get("cursor")
    if value is None:
        return None
    try:
        padded = value.encode("ascii") + b"=" * (-len(value) % 4)
        position = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=Position)
        if position.created_at.tzinfo is None or not is_uuid(position.scan_id):
            raise ValueError
        position.created_at.astimezone(datetime.UTC)
    except (ValueError, OverflowError, binascii.Error, msgspec.MsgspecError):
        raise invalid_request(
            "This cursor is not one of ours.", cursor="This is no cursor of a list."
        ) from None
    if position.filter != chosen.digest:
        raise invalid_request(
            "This cursor goes with another filter.", cursor="This is of a list with another filter."
        )
    return position
