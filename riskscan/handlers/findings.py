"""The findings of a scan with their details and reviews, for the handlers of several operations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from ..database import Database
from ..database.reviews import StoredReview, list_reviews_of_scan
from ..database.scans import find_details, store_details
from ..errors import ApiError
from ..fingerprints import compute_fingerprints
from ..schemas import Detail, Finding, Review, Risk, Scan

MAX_FINGERPRINTS_ON_LOOP = 500


async def compute_all_fingerprints(risks: Sequence[Risk]) -> list[str]:
    """Return the fingerprints of findings, of many from a thread: 16 µs each."""
    if len(risks) > MAX_FINGERPRINTS_ON_LOOP:
        return await asyncio.to_thread(compute_fingerprints, risks)
    return compute_fingerprints(risks)


async def load_details(db: Database, user_id: str, scan: Scan) -> list[Detail]:
    """Return the details of the findings; a scan that an earlier version stored gets its details now."""
    return await complete_details(db, user_id, scan, await find_details(db, user_id, scan.scan_id))


async def complete_details(db: Database, user_id: str, scan: Scan, details: list[Detail]) -> list[Detail]:
    """Return the stored details of the findings; where there are none, store them now."""
    if len(details) != scan.risk_count:
        details = list(map(Detail, await compute_all_fingerprints(scan.risks)))
        with contextlib.suppress(ApiError):  # reads must work on a read-only replica
            await store_details(db, user_id, scan.scan_id, details)
    return details


async def load_findings(db: Database, user_id: str, scan: Scan) -> list[Finding]:
    """Return the findings of a scan with their reviews, in document order."""
    details = await load_details(db, user_id, scan)
    return to_findings(scan, details, await list_reviews_of_scan(db, user_id, scan.scan_id))


def to_findings(scan: Scan, details: list[Detail], reviews: dict[str, StoredReview]) -> list[Finding]:
    """Return the findings of a scan, in document order."""
    return list(each_finding(scan, details, reviews))


def each_finding(scan: Scan, details: list[Detail], reviews: dict[str, StoredReview]) -> Iterator[Finding]:
    """Yield the findings of a scan one by one, in document order."""
    for number, (risk, detail) in enumerate(zip(scan.each_risk(), details, strict=True), 1):
        stored = reviews.get(detail.fingerprint)
        yield to_finding(number, risk, detail, stored.review if stored else None)


def to_finding(number: int, risk: Risk, detail: Detail, review: Review | None) -> Finding:
    return Finding(
        number=number,
        risk=risk.risk,
        category=risk.category,
        context=risk.context,
        place=detail.place,
        why=detail.why,
        review=review,
    )
