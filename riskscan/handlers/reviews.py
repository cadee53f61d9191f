"""Handlers of findings and their reviews: index, update, delete, update_many, delete_all."""

from __future__ import annotations

import msgspec
from aiohttp import web

from ..auth.authentication import USER_ID, authenticate
from ..database import DATABASE, Database
from ..database.reviews import (
    NewReview,
    StoredReview,
    delete_review,
    delete_reviews,
    list_reviews_of_scan,
    save_reviews,
)
from ..database.rows import TokenSubject
from ..database.scans import find_details, find_scan, store_details
from ..errors import ApiError, not_found
from ..fingerprints import compute_fingerprints
from ..request.body import read_fields
from ..request.reviews import read_review, read_reviews
from ..responses import respond
from ..schemas import Detail, Finding, FindingList, Message, Review, ReviewFields, ReviewItem, Scan
from .scans import find_own_scan, scan_not_found


async def index(request: web.Request) -> web.StreamResponse:
    """List the findings of a scan with their reviews."""
    scan = await find_own_scan(request)
    db, user_id = request.app[DATABASE], request[USER_ID]
    details = await load_details(db, user_id, scan)
    reviews = await list_reviews_of_scan(db, user_id, scan.scan_id)
    return respond(request, FindingList(to_findings(scan, details, reviews)))


async def update(request: web.Request) -> web.StreamResponse:
    """Review a finding: confirm or dismiss it."""
    subject = (await authenticate(request, "review")).subject
    fields = read_review(await read_fields(request))
    scan, detail, number = await find_finding(request, subject)
    review = NewReview(detail.fingerprint, scan.scan_id, number, fields)
    updated_at = await save_reviews(request.app[DATABASE], subject.user_id, [review])
    stored = Review(**msgspec.structs.asdict(fields), scan_id=scan.scan_id, updated_at=updated_at)
    return respond(
        request, to_finding(scan, number, detail, stored), location=f"/scans/{scan.scan_id}#finding-{number}"
    )


async def delete(request: web.Request) -> web.StreamResponse:
    """Remove the review of a finding, which is open again."""
    subject = (await authenticate(request, "review")).subject
    scan, detail, number = await find_finding(request, subject)
    if not await delete_review(request.app[DATABASE], subject.user_id, detail.fingerprint):
        raise not_found("This finding has no review.")
    return respond(request, Message("Review removed"), location=f"/scans/{scan.scan_id}#finding-{number}")


async def update_many(request: web.Request) -> web.StreamResponse:
    """Review many findings at once: all of them, or none."""
    subject = (await authenticate(request, "review")).subject
    items = await read_reviews(request)
    db = request.app[DATABASE]
    details = {
        scan_id: await find_scan_details(db, subject, scan_id)
        for scan_id in dict.fromkeys(item.scan_id for item in items)
    }
    await save_reviews(db, subject.user_id, [to_new_review(item, details[item.scan_id]) for item in items])
    return respond(request, Message(f"Reviews saved: {len(items)}"))


async def delete_all(request: web.Request) -> web.StreamResponse:
    """Remove all reviews of the account."""
    account = await authenticate(request, "review")
    number = await delete_reviews(request.app[DATABASE], account.user.id)
    return respond(request, Message(f"Reviews removed: {number}"), location="/account?done=reviews")


def to_new_review(item: ReviewItem, details: list[Detail]) -> NewReview:
    if item.number > len(details):
        raise finding_not_found()
    fields = {name: getattr(item, name) for name in ReviewFields.__struct_fields__}
    fingerprint = details[item.number - 1].fingerprint
    return NewReview(fingerprint, item.scan_id, item.number, ReviewFields(**fields))


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


async def find_scan_details(db: Database, subject: TokenSubject, scan_id: str) -> list[Detail]:
    scan = await find_scan(db, subject, scan_id)
    if scan is None:
        raise scan_not_found()
    return await load_details(db, subject.user_id, scan)


async def load_details(db: Database, user_id: str, scan: Scan) -> list[Detail]:
    """Return the details of the findings; a scan that an earlier version stored gets its details now."""
    details = (await find_details(db, user_id, scan.scan_id)).details
    if len(details) != scan.risk_count:
        details = [Detail(fingerprint) for fingerprint in compute_fingerprints(scan.each_risk())]
        await store_details(db, user_id, scan.scan_id, details)
    return details


def to_findings(scan: Scan, details: list[Detail], reviews: dict[str, StoredReview]) -> list[Finding]:
    """Return the findings of a scan, in document order."""
    findings = []
    for number, (risk, detail) in enumerate(zip(scan.each_risk(), details, strict=True), 1):
        stored = reviews.get(detail.fingerprint)
        findings.append(
            Finding(
                number=number,
                risk=risk.risk,
                category=risk.category,
                context=risk.context,
                place=detail.place,
                why=detail.why,
                review=stored.review if stored else None,
            )
        )
    return findings


def to_finding(scan: Scan, number: int, detail: Detail, review: Review) -> Finding:
    """Return a finding with a review that was just stored."""
    risk = scan.risks[number - 1]
    return Finding(number, risk.risk, risk.category, risk.context, detail.place, detail.why, review)


def finding_not_found() -> ApiError:
    return not_found("Finding not found. The scan has no finding of this number.")
