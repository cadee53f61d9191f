"""Handlers of findings and their reviews: index, update, delete, update_many, delete_all."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from aiohttp import web

from ..auth.authentication import USER_ID, authenticate, take_turn
from ..database import DATABASE, Database
from ..database.reviews import (
    NewReview,
    delete_review,
    delete_reviews,
    save_reviews,
)
from ..database.rows import TokenSubject
from ..database.scans import find_details, find_scan
from ..errors import ApiError, not_found
from ..request.body import read_fields
from ..request.report_query import read_report_values
from ..request.reviews import name_item, read_review, read_reviews
from ..responses import respond
from ..schemas import Detail, FindingList, Message, Review, ReviewFields, ReviewItem, Scan
from .findings import load_details, load_findings, to_finding
from .scans import find_own_scan, scan_not_found


async def index(request: web.Request) -> web.StreamResponse:
    """List the findings of a scan with their reviews."""
    scan = await find_own_scan(request)
    findings = await load_findings(request.app[DATABASE], request[USER_ID], scan)
    return respond(request, FindingList(findings))


async def update(request: web.Request) -> web.StreamResponse:
    """Review a finding: confirm or dismiss it."""
    subject = (await authenticate(request, "review")).subject
    fields = read_review(await read_fields(request))
    scan, detail, number = await find_finding(request, subject)
    review = NewReview(detail.fingerprint, scan.scan_id, number, fields)
    async with take_turn(request):  # it locks the user's row, and those after it wait
        updated_at = await save_reviews(request.app[DATABASE], subject.user_id, [review])
    stored = Review(**msgspec.structs.asdict(fields), scan_id=scan.scan_id, updated_at=updated_at)
    finding = to_finding(number, scan.risks[number - 1], detail, stored)
    return respond(request, finding, location=finding_location(request, scan, number))


async def delete(request: web.Request) -> web.StreamResponse:
    """Remove the review of a finding, which is open again."""
    subject = (await authenticate(request, "review")).subject
    scan, detail, number = await find_finding(request, subject)
    async with take_turn(request):
        deleted = await delete_review(request.app[DATABASE], subject.user_id, detail.fingerprint)
    if not deleted:
        raise not_found("This finding has no review.")
    return respond(request, Message("Review removed"), location=finding_location(request, scan, number))


async def update_many(request: web.Request) -> web.StreamResponse:
    """Review many findings at once: all of them, or none."""
    subject = (await authenticate(request, "review")).subject
    items = await read_reviews(request)
    db = request.app[DATABASE]
    fingerprints: dict[str, list[str]] = {}
    reviews = []
    for position, item in enumerate(items, 1):
        try:
            if item.scan_id not in fingerprints:
                fingerprints[item.scan_id] = await load_fingerprints(db, subject, item.scan_id)
            reviews.append(to_new_review(item, fingerprints[item.scan_id]))
        except ApiError as exc:
            raise name_item(exc, position, len(items)) from None
    async with take_turn(request):
        await save_reviews(db, subject.user_id, reviews)
    return respond(request, Message(f"Reviews saved: {len(items)}"))


async def delete_all(request: web.Request) -> web.StreamResponse:
    """Remove all reviews of the account."""
    account = await authenticate(request)
    async with take_turn(request):
        number = await delete_reviews(request.app[DATABASE], account.user.id)
    return respond(request, Message(f"Reviews removed: {number}"), location="/account?done=reviews")


def to_new_review(item: ReviewItem, fingerprints: list[str]) -> NewReview:
    if item.number > len(fingerprints):
        raise finding_not_found()
    fields = {name: getattr(item, name) for name in ReviewFields.__struct_fields__}
    return NewReview(fingerprints[item.number - 1], item.scan_id, item.number, ReviewFields(**fields))


async def find_finding(request: web.Request, subject: TokenSubject) -> tuple[Scan, Detail, int]:
    """Return the scan, the details and the number of the finding in the path. Raises 404."""
    db, number = request.app[DATABASE], int(request.match_info["number"])
    scan = await find_scan(db, subject, request.match_info["scan_id"])
    if scan is None:
        raise scan_not_found()
    if number > scan.risk_count:
        raise finding_not_found()
    details = await load_details(db, subject.user_id, scan)
    return scan, details[number - 1], number


async def load_fingerprints(db: Database, subject: TokenSubject, scan_id: str) -> list[str]:
    """Return the fingerprints of the findings of a scan. Raises 404."""
    details = await find_details(db, subject.user_id, scan_id)
    if not details:  # it has no findings, an earlier version stored it, or it is not the user's
        scan = await find_scan(db, subject, scan_id)
        if scan is None:
            raise scan_not_found()
        details = await load_details(db, subject.user_id, scan)
    return [detail.fingerprint for detail in details]


def finding_location(request: web.Request, scan: Scan, number: int) -> str:
    """Return the address of the finding on the page the form was on, where `at` keeps it in its place."""
    query = urlencode({**read_report_values(request), "at": number})
    return f"/scans/{scan.scan_id}?{query}#finding-{number}"


def finding_not_found() -> ApiError:
    return not_found("Finding not found. The scan has no finding of this number.")
