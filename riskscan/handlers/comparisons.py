"""Handlers of comparisons: what has changed between two scans, and which scans to compare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from ..auth.authentication import USER_ID, authenticate_lazily
from ..database import DATABASE
from ..database.drafts import MAX_DRAFTS, find_drafts
from ..database.reviews import StoredReview, list_reviews_of_scan
from ..database.scan_queries import list_scans
from ..database.scans import find_name
from ..errors import Sentence, invalid_request
from ..request.fields import is_uuid
from ..request.paths import is_api
from ..responses import redirect, render_page, respond
from ..risk_matching import Changes, compare_risks
from ..schemas import Comparison, Risk, Scan
from .findings import load_details
from .scans import find_own_scan, show_choice_error

RECENT_SCANS = 20


class ReviewedScan(NamedTuple):
    """A scan with its name and the reviews of its findings."""

    scan: Scan
    name: str
    reviews: dict[Risk, StoredReview]


async def show(request: web.Request) -> web.StreamResponse:
    """Compare a scan with an earlier one."""
    scan = await find_own_scan(request)
    earlier = await find_own_scan(request, read_earlier_id(request))
    # in a thread: two large scans take half a second
    changes = await asyncio.to_thread(lambda: compare_risks(earlier.risks, scan.risks))
    data = Comparison(changes.new, changes.gone, [risk for _, risk in changes.same])
    if is_api(request):
        return respond(request, data)
    later, before = await load_reviews(request, scan), await load_reviews(request, earlier)
    page_only = {"later": later, "earlier": before, "changes": sort_open_first(changes, later.reviews)}
    return respond(request, data, template="compare.html", page_only=page_only)


async def load_reviews(request: web.Request, scan: Scan) -> ReviewedScan:
    """Return a scan with its name and the reviews of its findings."""
    db, user_id = request.app[DATABASE], request[USER_ID]
    details = await load_details(db, user_id, scan)
    stored = await list_reviews_of_scan(db, user_id, scan.scan_id)
    reviews = {
        risk: stored[detail.fingerprint]
        for risk, detail in zip(scan.risks, details, strict=True)
        if detail.fingerprint in stored
    }
    return ReviewedScan(scan, await find_name(db, user_id, scan), reviews)


def sort_open_first(changes: Changes, reviews: dict[Risk, StoredReview]) -> Changes:
    """Return the changes with the findings that need a decision first, each part in document order."""
    is_reviewed: Callable[[Risk], bool] = reviews.__contains__
    same = sorted(changes.same, key=lambda pair: is_reviewed(pair[1]))
    return Changes(sorted(changes.new, key=is_reviewed), changes.gone, same)


async def drafts(request: web.Request) -> web.StreamResponse:
    """Show the scans that a scan may be compared with: likely drafts of its document, and the latest ones."""
    scan, subject = await find_own_scan(request), await authenticate_lazily(request)
    db = request.app[DATABASE]
    likely = await find_drafts(db, subject.user_id, scan.scan_id)
    page = await list_scans(db, subject, MAX_DRAFTS + RECENT_SCANS + 1)
    listed = {scan.scan_id, *(draft.scan_id for draft in likely)}
    recent = [row for row in zip(page.scans, page.names, strict=True) if row[0].scan_id not in listed]
    context = {
        "scan": scan,
        "name": await find_name(db, subject.user_id, scan),
        "likely": likely,
        "recent": recent[:RECENT_SCANS],
    }
    return render_page(request, "drafts.html", context)


async def choose(request: web.Request) -> web.StreamResponse:
    """Compare the two scans that were chosen in the history, the later one with the earlier one."""
    chosen = set(request.query.getall("scan", ()))
    if len(chosen) != 2 or not all(map(is_uuid, chosen)):
        return await show_choice_error(request, Sentence("Choose exactly two scans."))
    scans = [await find_own_scan(request, scan_id) for scan_id in chosen]
    earlier, later = sorted(scans, key=lambda scan: (scan.created_at, scan.scan_id))
    return redirect(f"/scans/{later.scan_id}/compare?with={earlier.scan_id}")


def read_earlier_id(request: web.Request) -> str:
    """Return the scan ID in the query parameter `with`; raise 400 if it is missing or not a UUID."""
    value = request.query.get("with", "")
    if not is_uuid(value):
        raise invalid_request("Choose the scan to compare with.", **{"with": "Must be a scan ID."})
    return value
