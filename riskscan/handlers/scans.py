"""Handlers of scans: new, create, index, stats, show, delete."""

from __future__ import annotations

import asyncio
import datetime
import logging
import re
import time
from collections.abc import Sequence

import msgspec
from aiohttp import hdrs, web

from .. import ai_client
from ..auth.authentication import USER_ID, authenticate, authenticate_lazily
from ..concurrency import SCANS_IN_FLIGHT
from ..database import DATABASE, Executor
from ..database.rows import TokenSubject, utc_now
from ..database.scan_queries import CursorPosition, compute_stats, list_scans
from ..database.scans import delete_scan, find_previous_scans, find_scan, insert_scan
from ..errors import REQUEST_ID, ApiError, invalid_request, not_found
from ..idempotency import REPLAYED, ScanResult, reserve_scan
from ..rate_limits import bucket, hit, refund
from ..request.body import read_document
from ..request.fields import CANONICAL_UUID, read_integer
from ..request.filters import read_filter, read_filter_values
from ..request.uploads import Document
from ..responses import is_api, json_encoder, render_page, respond
from ..schemas import Filter, Findings, Message, Risk, Scan, ScanList
from ..settings import SETTINGS

MAX_OFFSET = 10**9
EPOCH, MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)
# all that it takes is in the pattern, which the OpenAPI document quotes: microseconds until 2286, an id, and
# the digest of the filter where there is one
CURSOR = re.compile(rf"([0-9]{{1,16}})-({CANONICAL_UUID.pattern})(?:-([0-9a-f]{{12}}))?", re.ASCII)
SAVE_RETRY_SECONDS = 8
RETRY_SECONDS = 0.5

log = logging.getLogger("riskscan.scans")


async def scan_page(request: web.Request) -> web.StreamResponse:
    """Show the page that takes a text or a file."""
    await authenticate(request)
    return render_page(request, "upload.html", {})


async def create(request: web.Request) -> web.StreamResponse:
    """Create a scan of a file or a text."""
    app, db = request.app, request.app[DATABASE].low_priority
    account = await authenticate(request, "scan", db)
    subject = TokenSubject(account.user.id, account.token_version)
    limit = bucket(app[SETTINGS].scan_limit, "scan", subject.user_id)
    await hit(request, limit, db=db)
    with app[SCANS_IN_FLIGHT].slot(subject.user_id):
        async with (
            read_document(request) as document,
            reserve_scan(request, db, subject, document) as reservation,
        ):
            result = reservation.result
            if result is None:
                findings = await ai_client.scan(app, document, subject.user_id, request[REQUEST_ID])
                scan = make_scan(reservation.scan_id, document, findings)
                result = await save_scan(db, subject, scan, findings.data, document.digest)
    if result.replayed:
        await refund(request, limit, db=db)
    return respond_with_links(request, result)


def make_scan(scan_id: str, document: Document, findings: Findings) -> Scan:
    now = utc_now()
    return Scan(
        scan_id=scan_id,
        filename=document.upload.filename if document.upload else None,
        data=msgspec.Raw(json_encoder.encode(findings.data)),
        source=findings.source,
        risk_count=len(findings.data),
        created_at=now,
        timestamp=now,
    )


async def save_scan(
    db: Executor, subject: TokenSubject, scan: Scan, risks: Sequence[Risk], digest: str
) -> ScanResult:
    """Save a scan, retrying for 8 s while the database is unavailable.

    Raises TokenRevoked if the account was deleted meanwhile, 503 `database_unavailable`.
    """
    deadline = time.monotonic() + SAVE_RETRY_SECONDS
    while True:
        try:
            previous = await insert_scan(db, subject.user_id, scan, risks, digest)
            if previous is None:  # by an attempt whose response was lost, or a retry with the same key
                return ScanResult(await find_scan(db, subject, scan.scan_id) or scan, {})
            return ScanResult(scan, previous)
        except ApiError:
            if time.monotonic() >= deadline:
                log.error("scan %s is lost: the database stayed unavailable", scan.scan_id)
                raise
        await asyncio.sleep(RETRY_SECONDS)


def respond_with_links(request: web.Request, result: ScanResult) -> web.StreamResponse:
    """Respond with a scan and a link to each similar earlier one (RFC 5829, section 3)."""
    response = respond(request, result.scan, location=f"/scans/{result.scan.scan_id}")
    if result.replayed:
        response.headers[REPLAYED] = "true"
    for scan_id, match in result.previous.items():
        link = f'</api/scans/{scan_id}>; rel="predecessor-version"; title="{match}"'
        response.headers.add(hdrs.LINK, link)
    return response


async def index(request: web.Request) -> web.StreamResponse:
    """List scans, newest first."""
    caller = await authenticate_lazily(request)
    limit = read_integer(request, "limit", 20, 1, 100)
    offset = read_integer(request, "offset", 0, 0, MAX_OFFSET)
    chosen = read_filter(request)
    after = read_cursor(request, chosen)
    if after and offset:
        raise invalid_request(
            "Give a cursor or an offset, not both.", cursor="This cannot go with an offset."
        )
    # one more than asked for tells whether there are more
    found = await list_scans(request.app[DATABASE], caller, limit + 1, offset, after, chosen)
    scans, cursor = found.scans[:limit], None
    if len(found.scans) > limit:
        cursor = write_cursor(CursorPosition(scans[-1].created_at, scans[-1].scan_id), chosen)
    data = ScanList(scans, found.total, limit, offset, cursor)
    if is_api(request):
        return respond(request, data)
    rows = zip(scans, found.categories, strict=False)
    page_only = {"rows": rows, "chosen": read_filter_values(request)}
    return respond(request, data, template="scans.html", page_only=page_only)


async def stats(request: web.Request) -> web.StreamResponse:
    """Get statistics over the scans that match the filters."""
    found = await compute_stats(
        request.app[DATABASE], await authenticate_lazily(request), read_filter(request)
    )
    return respond(
        request, found, template="overview.html", page_only={"chosen": read_filter_values(request)}
    )


async def show(request: web.Request) -> web.StreamResponse:
    """Get a scan."""
    scan = await find_own_scan(request)
    if is_api(request):
        return respond(request, scan)
    earlier = await find_previous_scans(request.app[DATABASE], request[USER_ID], scan)
    return respond(request, scan, template="scan.html", page_only={"earlier": earlier})


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a scan."""
    account = await authenticate(request)
    if not await delete_scan(request.app[DATABASE], account.user.id, request.match_info["scan_id"]):
        raise scan_not_found()
    return respond(request, Message("Scan deleted"), location="/scans?done=scan")


async def find_own_scan(request: web.Request, wanted: str = "") -> Scan:
    """Return the user's own scan of this id, or that the path names; raise 404 where there is none."""
    wanted = wanted or request.match_info["scan_id"]
    scan = await find_scan(request.app[DATABASE], await authenticate_lazily(request), wanted)
    if scan is None:
        raise scan_not_found()
    return scan


def scan_not_found() -> Exception:
    return not_found("There is no such scan.")


def write_cursor(position: CursorPosition, chosen: Filter) -> str:
    digest = f"-{chosen.digest}" if chosen else ""
    return f"{(position.created_at - EPOCH) // MICROSECOND}-{position.scan_id}{digest}"


def read_cursor(request: web.Request, chosen: Filter) -> CursorPosition | None:
    """Return the place that a cursor names; raise 400 where it names none, or one with another filter."""
    value = request.query.get("cursor")
    if value is None:
        return None
    match = CURSOR.fullmatch(value)
    if match is None:
        raise invalid_request("This cursor is not one of ours.", cursor="This is no cursor of a list.")
    if (match[3] or "") != chosen.digest:
        raise invalid_request(
            "This cursor goes with another filter.", cursor="This is of a list with another filter."
        )
    return CursorPosition(EPOCH + int(match[1]) * MICROSECOND, match[2])
