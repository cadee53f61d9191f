"""Handlers of scans: scan_page, create, index, stats, show, rename, delete, delete_page, delete_many."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import hdrs, web

from .. import ai_client
from ..audit import record
from ..auth.authentication import authenticate, authenticate_lazily, take_turn
from ..concurrency import SCANS_IN_FLIGHT, TEXT_MEMORY
from ..database import DATABASE, Executor
from ..database.drafts import Draft, find_drafts
from ..database.drivers import error_name
from ..database.reviews import (
    count_confirmed_risks,
    count_open_risks,
    list_confirmed_risks,
    list_open_risks,
    list_open_scans,
    list_owners,
    list_reviews_of_scan,
)
from ..database.rows import TokenSubject, utc_now
from ..database.scan_queries import CursorPosition, compute_stats, list_scans
from ..database.scans import (
    delete_scan,
    delete_scans,
    find_scan,
    find_scan_of_page,
    insert_scan,
    list_names,
    rename_scan,
)
from ..errors import REQUEST_ID, ApiError, Sentence, invalid_request, invalid_value, not_found
from ..history import build_rows
from ..idempotency import REPLAYED, Reservation, ScanResult, reserve_scan
from ..quotas import charge_quotas
from ..rate_limits import Bucket, bucket, hit, refund
from ..report import build_report
from ..request.body import read_document, read_fields
from ..request.fields import CANONICAL_UUID, is_uuid, read_integer
from ..request.filters import read_filter, read_filter_values, read_query_text, read_sort
from ..request.paths import is_api
from ..request.report_query import read_report_query
from ..request.reviews import read_title
from ..request.uploads import Document
from ..responses import json_encoder, render_page, respond
from ..scan_names import extract_first_words
from ..schemas import MAX_DELETED, Detail, Filter, Findings, Message, Scan, ScanList
from ..settings import SETTINGS
from .findings import complete_details, compute_all_fingerprints, to_findings
from .start import load_sample

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
MAX_OFFSET = 10**9
MAX_OPEN_SCANS, MAX_OPEN_RISKS, MAX_CONFIRMED = 10, 10, 200  # on the overview
EPOCH, MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)
# microseconds until the year 2286, a scan ID and, with a filter, its digest; the OpenAPI document quotes this
CURSOR = re.compile(rf"([0-9]{{1,16}})-({CANONICAL_UUID.pattern})(?:-([0-9a-f]{{12}}))?", re.ASCII)
SAVE_RETRY_SECONDS = 8
RETRY_SECONDS = 0.5

log = logging.getLogger("riskscan.scans")


async def scan_page(request: web.Request) -> web.StreamResponse:
    """Show the Scan page, which offers the sample to an account without scans."""
    account = await authenticate(request)
    await ai_client.refresh_language_model(request.app)
    scans = await list_scans(request.app[DATABASE], account.subject, 1)
    return render_page(request, "upload.html", {} if scans.total else {"sample_text": load_sample().text})


async def create(request: web.Request) -> web.StreamResponse:
    """Create a scan of a file or a text."""
    return await scan_document(request)


async def share(request: web.Request) -> web.StreamResponse:
    """Scan the file that a phone shares; show a shared text on the Scan page, to be sent from there."""
    return await scan_document(request, shared=True)


async def scan_document(request: web.Request, *, shared: bool = False) -> web.StreamResponse:
    app, db = request.app, request.app[DATABASE]
    async with take_turn(request):
        subject = (await authenticate(request, "scan", db.lowest_priority)).subject
        limit = bucket(app[SETTINGS].scan_limit, "scan", subject.user_id)
        await hit(request, limit, db=db.lowest_priority)
    user_id = subject.user_id
    with app[SCANS_IN_FLIGHT].slot(user_id), app[TEXT_MEMORY].reserve(user_id) as allocate:
        async with read_document(request, allocate, shared=shared) as document:
            if shared and document.upload is None:
                await refund_scan(request, limit)
                return render_page(request, "upload.html", {})
            async with reserve_scan(request, db, subject, document) as reservation:
                result = await scan_once(request, subject, document, reservation)
    if result.replayed:
        await refund_scan(request, limit)
    return respond_with_links(request, result)


async def refund_scan(request: web.Request, limit: Bucket) -> None:
    """Subtract a request that scanned nothing from SCAN_LIMIT, unless the database is unavailable or busy."""
    with contextlib.suppress(ApiError):
        await refund(request, limit, db=request.app[DATABASE].low_priority)


async def scan_once(
    request: web.Request, subject: TokenSubject, document: Document, reservation: Reservation
) -> ScanResult:
    """Return the result that the reservation has, or scan the document and save the scan."""
    if reservation.result:
        return reservation.result
    async with charge_quotas(request, subject.user_id, document):
        return await scan_and_save(request, subject, document, reservation.scan_id)


async def scan_and_save(
    request: web.Request, subject: TokenSubject, document: Document, scan_id: str
) -> ScanResult:
    findings = await ai_client.scan(request.app, document, subject.user_id, request[REQUEST_ID])
    findings = await add_fingerprints(findings)
    scan = make_scan(scan_id, document, findings)
    digest = await document.compute_digest()
    words = "" if document.upload else extract_first_words(document.text or "")
    db = request.app[DATABASE].low_priority
    return await save_scan(db, subject, scan, findings, digest, words)


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
        notes=findings.notes,
        title=None,
        open_count=len(findings.data),
    )


async def add_fingerprints(findings: Findings) -> Findings:
    """Return the findings with their fingerprints."""
    fingerprints = await compute_all_fingerprints(findings.data)
    if not findings.details:
        details = list(map(Detail, fingerprints))
    else:
        details = [
            msgspec.structs.replace(detail, fingerprint=fingerprint)
            for detail, fingerprint in zip(findings.details, fingerprints, strict=True)
        ]
    return msgspec.structs.replace(findings, details=details)


async def save_scan(
    db: Executor, subject: TokenSubject, scan: Scan, findings: Findings, digest: str, first_words: str
) -> ScanResult:
    """Save a scan, retrying for 8 s while the database is unavailable, and as long as it is busy.

    Raises TokenRevoked if the account was deleted, and 503 `database_unavailable` after 8 s.
    """
    deadline = time.monotonic() + SAVE_RETRY_SECONDS
    while True:
        try:
            inserted = await insert_scan(db, subject.user_id, scan, findings, digest, first_words)
            # already saved: by an attempt whose response was lost, or by a retry with the same key
            if inserted is None:
                return ScanResult(await find_scan(db, subject, scan.scan_id) or scan, {})
            if inserted.has_reviews:  # of sentences that may be in this scan
                scan = await find_scan(db, subject, scan.scan_id) or scan
            return ScanResult(scan, inserted.previous)
        except ApiError as exc:
            if exc.code == "overloaded":  # the queue moves: there is an end to the scans in flight
                deadline = time.monotonic() + SAVE_RETRY_SECONDS
                continue
            if time.monotonic() >= deadline:
                cause = error_name(exc.__cause__ or exc)
                log.error("scan %s is lost: the database stayed unavailable: %s", scan.scan_id, cause)
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
    """List scans."""
    data, page_only = await list_page(request)
    return respond(request, data, template="scans.html", page_only=page_only)


async def list_page(request: web.Request) -> tuple[ScanList, dict[str, Any]]:
    """Return the page of the list that the query asks for, and what its template needs beside it."""
    subject = await authenticate_lazily(request)
    limit = read_integer(request, "limit", DEFAULT_PAGE_SIZE, 1, MAX_PAGE_SIZE)
    offset = read_integer(request, "offset", 0, 0, MAX_OFFSET)
    scan_filter = read_filter(request)
    cursor, sort = read_cursor(request, scan_filter), read_sort(request)
    if cursor and offset:
        raise invalid_request("Use either cursor or offset.", cursor="Cannot be used with offset.")
    if cursor and sort != "date":
        raise invalid_request("Use offset with this sort.", cursor="Only for scans sorted by date.")
    # one more than the limit, to know whether there is a next page
    page = await list_scans(request.app[DATABASE], subject, limit + 1, offset, cursor, scan_filter, sort)
    scans, next_cursor = page.scans[:limit], None
    has_more = len(page.scans) > limit
    if has_more and sort == "date":
        next_cursor = write_cursor(CursorPosition(scans[-1].created_at, scans[-1].scan_id), scan_filter)
    data = ScanList(scans, page.total, limit, offset, next_cursor)
    if is_api(request):
        return data, {}
    return data, {
        "rows": build_rows(page, scan_filter.category)[:limit],
        "has_more": has_more,
        "sort": sort,
        "filter_values": read_filter_values(request),
        "list_values": read_list_values(request),
        "chosen": (),
        "choice_error": "",
    }


def read_list_values(request: web.Request) -> dict[str, str]:
    """Return the filter and the order of the list as they were sent, for links to it."""
    sort = request.query.get("sort", "")
    return {**read_filter_values(request), **({"sort": sort} if sort else {})}


async def show_choice_error(request: web.Request, message: str) -> web.StreamResponse:
    """Show the history again, with the scans that were chosen and what is wrong with the choice."""
    data, page_only = await list_page(request)
    chosen = set(request.query.getall("scan", ()))
    context = {**page_only, "data": data, "chosen": chosen, "choice_error": message}
    return render_page(request, "scans.html", context, 400)


async def stats(request: web.Request) -> web.StreamResponse:
    """Get statistics over the scans that match the filters."""
    subject = await authenticate_lazily(request)
    db = request.app[DATABASE]
    data = await compute_stats(db, subject, read_filter(request))
    page_only: dict[str, Any] = {"filter_values": read_filter_values(request)}
    if not is_api(request) and not page_only["filter_values"]:
        page_only |= await load_register(db, subject.user_id, read_query_text(request, "owner"))
    return respond(request, data, template="overview.html", page_only=page_only)


async def load_register(db: Executor, user_id: str, owner: str) -> dict[str, Any]:
    """Return what the overview shows of reviews, the confirmed risks of one owner if that is not empty."""
    # one by one: a page takes one connection at a time
    return {
        "owner": owner,
        "open_scans": await list_open_scans(db, user_id, MAX_OPEN_SCANS + 1),
        "open_risks": await list_open_risks(db, user_id, MAX_OPEN_RISKS),
        "open_count": await count_open_risks(db, user_id),
        "confirmed": await list_confirmed_risks(db, user_id, owner, MAX_CONFIRMED),
        "counts": await count_confirmed_risks(db, user_id),
        "owners": await list_owners(db, user_id),
    }


async def show(request: web.Request) -> web.StreamResponse:
    """Get a scan."""
    if is_api(request):
        return respond(request, await find_own_scan(request))
    page = await load_page(request)
    return respond(request, page["data"], template="scan.html", page_only=page)


async def load_page(request: web.Request) -> dict[str, Any]:
    """Return what the page of a scan shows; `number` is the finding of the form that was sent, 0 for none."""
    subject, db = await authenticate_lazily(request), request.app[DATABASE]
    found = await find_scan_of_page(db, subject, request.match_info["scan_id"])
    if found is None:
        raise scan_not_found()
    scan, user_id, query = found.scan, subject.user_id, read_report_query(request)
    if number := int(request.match_info.get("number", 0)):
        query = query._replace(at=number)  # whatever the filters say
    if not scan.risk_count:  # the page may recommend the language model
        await ai_client.refresh_language_model(request.app)
    details = await complete_details(db, user_id, scan, found.details)
    # the number of reviewed findings is that of a scan with its details
    is_reviewed = scan.open_count < scan.risk_count or not found.details
    reviews = await list_reviews_of_scan(db, user_id, scan.scan_id) if is_reviewed else {}
    return {
        "data": scan,
        "number": number,
        "name": found.name,
        "earlier_drafts": await find_earlier_drafts(db, user_id, scan),
        "report": build_report(to_findings(scan, details, reviews), details, reviews, query),
    }


async def find_earlier_drafts(db: Executor, user_id: str, scan: Scan) -> list[Draft]:
    """Return the latest earlier draft of the document of a scan, and the latest of the same bytes."""
    drafts = await find_drafts(db, user_id, scan.scan_id, CursorPosition(scan.created_at, scan.scan_id))
    same_bytes = next((draft for draft in drafts[1:] if draft.same_bytes and not drafts[0].same_bytes), None)
    return [*drafts[:1], *filter(None, [same_bytes])]


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a scan."""
    account = await authenticate(request)
    scan_id = request.match_info["scan_id"]
    if not await delete_scan(request.app[DATABASE], account.user.id, scan_id):
        raise scan_not_found()
    record(request, "scan-deleted", account.user.id, detail=scan_id)
    return respond(request, Message("Scan deleted"), location="/scans?done=scan")


async def delete_page(request: web.Request) -> web.StreamResponse:
    """Ask whether to delete the scans that were chosen in the history."""
    account = await authenticate(request)
    chosen = list(dict.fromkeys(request.query.getall("scan", ())))
    if not 1 <= len(chosen) <= MAX_DELETED or not all(map(is_uuid, chosen)):
        detail = Sentence("Choose 1 to %(max)s scans to delete.", max=MAX_DELETED)
        return await show_choice_error(request, detail)
    names = await list_names(request.app[DATABASE], account.user.id, chosen)
    if len(names) < len(chosen):
        raise not_all_found()
    return render_page(request, "delete.html", {"names": names, "list_values": read_list_values(request)})


async def delete_many(request: web.Request) -> web.StreamResponse:
    """Delete many scans at once: all of them, or none."""
    account = await authenticate(request)
    scan_ids = read_scan_ids(await read_fields(request))
    async with take_turn(request):
        deleted = await delete_scans(request.app[DATABASE], account.user.id, scan_ids)
    if not deleted:
        raise not_all_found()
    for scan_id in scan_ids:
        record(request, "scan-deleted", account.user.id, detail=scan_id)
    done = "scan" if len(scan_ids) == 1 else "scans"
    location = f"/scans?{urlencode({**read_list_values(request), 'done': done})}"
    return respond(request, Message(f"Scans deleted: {len(scan_ids)}"), location=location)


def read_scan_ids(fields: Mapping[str, Any]) -> list[str]:
    """Return the distinct IDs in `scans`, a list or a text separated by spaces. Raises 400."""
    value = fields.get("scans")
    ids = value.split() if isinstance(value, str) else value
    if not isinstance(ids, list) or not all(isinstance(each, str) and is_uuid(each) for each in ids):
        raise invalid_value("scans", "Must be scan IDs.")
    if not 1 <= len(ids) <= MAX_DELETED:
        raise invalid_value("scans", Sentence("Must be 1 to %(max)s scan IDs.", max=MAX_DELETED))
    return list(dict.fromkeys(ids))


def not_all_found() -> ApiError:
    return not_found(
        "Nothing was deleted: one of these scans has been deleted already, or belongs to another account."
    )


async def rename(request: web.Request) -> web.StreamResponse:
    """Give a scan a title, or take it away."""
    subject = (await authenticate(request, "review")).subject
    title = read_title(await read_fields(request))
    db = request.app[DATABASE]
    scan = await find_scan(db, subject, request.match_info["scan_id"])
    if scan is None or not await rename_scan(db, subject.user_id, scan, title):
        raise scan_not_found()
    renamed = msgspec.structs.replace(scan, title=title)
    return respond(request, renamed, location=f"/scans/{scan.scan_id}")


async def find_own_scan(request: web.Request, scan_id: str = "") -> Scan:
    """Return the user's scan with this ID, by default the one in the path. Raises 401 and 404."""
    subject = await authenticate_lazily(request)
    scan = await find_scan(request.app[DATABASE], subject, scan_id or request.match_info["scan_id"])
    if scan is None:
        raise scan_not_found()
    return scan


def scan_not_found() -> ApiError:
    return not_found("Scan not found. It may have been deleted, or belong to another account.")


def write_cursor(position: CursorPosition, scan_filter: Filter) -> str:
    digest = f"-{scan_filter.digest}" if scan_filter else ""
    return f"{(position.created_at - EPOCH) // MICROSECOND}-{position.scan_id}{digest}"


def read_cursor(request: web.Request, scan_filter: Filter) -> CursorPosition | None:
    """Return the position of the cursor, None without one.

    Raises 400 `invalid_request` if it is malformed, or was created with another filter.
    """
    cursor = request.query.get("cursor")
    if cursor is None:
        return None
    match = CURSOR.fullmatch(cursor)
    if match is None:
        raise invalid_request("Invalid cursor.", cursor="Must be the next_cursor of a list.")
    if (match[3] or "") != scan_filter.digest:
        raise invalid_request("Invalid cursor.", cursor="The cursor was created with different filters.")
    return CursorPosition(EPOCH + int(match[1]) * MICROSECOND, match[2])
