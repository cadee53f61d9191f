"""Handlers of exports: the risks of one scan, or of all of them, as a file."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from aiohttp import hdrs, web

from ..audit import record
from ..auth.authentication import USER_ID, authenticate_lazily
from ..concurrency import FairSemaphore
from ..database import DATABASE, Executor
from ..database.reviews import list_reviews_of_scan
from ..database.rows import TokenRevoked, TokenSubject, utc_now
from ..database.scan_queries import CursorPosition, list_scans
from ..database.scans import find_name, find_scan
from ..errors import REQUEST_ID, ApiError, invalid_request, one_of
from ..export.columns import LAYOUTS, Column, Layout, finding_row, notes_row
from ..export.text import FORMATS, Table
from ..export.xlsx import Workbook
from ..request.connection import has_left
from ..request.filters import read_chosen_scans, read_filter
from ..request.finding_filters import FindingFilter, read_finding_filter, read_state
from ..request.forwarded import request_origin
from ..schemas import Filter, Finding, RegisterRow, Scan
from .findings import each_finding, load_details
from .scans import find_own_scan

T = TypeVar("T")
Batches = AsyncIterator[list[RegisterRow]]
Body = AsyncGenerator[bytes, None]

FILE_MEDIA_TYPES = tuple(
    file_format.media_type.partition(";")[0] for name, file_format in FORMATS.items() if name != "json"
)
SCANS_PER_QUERY = 500  # IDs per statement; the scans are read one by one
ROWS_PER_BATCH = 200  # about 2 ms of work
CHUNK = 64 * 1024
WRITE_SECONDS = 60  # for the client to receive a chunk
MAX_WORKBOOKS = 2
WORKBOOK_WAIT_SECONDS = 30
# path separators, wildcards, control characters, and those that change the direction of text
FORBIDDEN_IN_NAMES = re.compile(r'[<>:"/\\|?*%\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
STEM_LENGTH = 60

WORKBOOK_SLOTS = web.AppKey("WORKBOOK_SLOTS", FairSemaphore)

log = logging.getLogger("riskscan.export")


class ExportOptions(NamedTuple):
    """The format of an exported file, its layout, and the scheme and host of its links."""

    format: str
    layout: Layout
    origin: str

    @property
    def notes(self) -> bool:
        return FORMATS[self.format].notes and self.layout.notes


async def export_scan(request: web.Request) -> web.StreamResponse:
    """Export the risks of a scan that match the filters."""
    scan = await find_own_scan(request)
    options, finding_filter = parse_export_options(request), read_finding_filter(request)
    name = await find_name(request.app[DATABASE], request[USER_ID], scan)
    stem = PurePath(name).stem if name == scan.filename else name.rstrip(".…")
    batches = batch_rows(request, just(scan), finding_filter, options)
    return await stream_file(request, options, batches, f"{stem[:STEM_LENGTH]}-{scan.created_at:%Y-%m-%d}")


async def export_all(request: web.Request) -> web.StreamResponse:
    """Export the risks of the scans that match the filters, newest scan first, or of chosen scans.

    A filter by category also selects the risks of each scan, and one by state selects only risks.
    """
    subject = await authenticate_lazily(request)
    options, scan_filter, chosen = (
        parse_export_options(request),
        read_filter(request),
        read_chosen_scans(request),
    )
    finding_filter = FindingFilter(read_state(request), scan_filter.category)
    db = request.app[DATABASE]
    scans = stream_chosen(db, subject, chosen) if chosen else stream_scans(db, subject, scan_filter)
    batches = batch_rows(request, scans, finding_filter, options)
    return await stream_file(request, options, batches, f"register-{utc_now():%Y-%m-%d}")


def parse_export_options(request: web.Request) -> ExportOptions:
    """Read `format` (default csv) and `layout` from the query. Raises 400 for unknown values."""
    file_format, layout = request.query.get("format", "csv"), request.query.get("layout", "")
    if file_format not in FORMATS:
        raise invalid_request("Unknown format.", format=one_of(FORMATS))
    if layout not in LAYOUTS:
        raise invalid_request("Unknown layout.", layout=one_of(filter(None, LAYOUTS)))
    return ExportOptions(file_format, LAYOUTS[layout], request_origin(request))


async def just(scan: Scan) -> AsyncIterator[Scan]:
    yield scan


async def stream_chosen(db: Executor, subject: TokenSubject, chosen: Sequence[str]) -> AsyncIterator[Scan]:
    """Yield the user's scans among the chosen ones, in their order. Raises TokenRevoked, also midway."""
    for scan_id in chosen:
        scan = await find_scan(db, subject, scan_id)
        if scan:
            yield scan


async def stream_scans(db: Executor, subject: TokenSubject, scan_filter: Filter) -> AsyncIterator[Scan]:
    """Yield the matching scans one by one, without holding a connection between them.

    Raises TokenRevoked, also midway. Deleting an API token does not stop a running export.
    """
    after: CursorPosition | None = None
    while True:
        page = await list_scans(db, subject, SCANS_PER_QUERY, 0, after, scan_filter)
        for summary in page.scans:
            scan = await find_scan(db, subject, summary.scan_id)
            if scan:
                yield scan
        if len(page.scans) < SCANS_PER_QUERY:
            return
        after = CursorPosition(page.scans[-1].created_at, page.scans[-1].scan_id)


async def batch_rows(
    request: web.Request, scans: AsyncIterator[Scan], finding_filter: FindingFilter, options: ExportOptions
) -> Batches:
    """Yield the rows of the findings that match the filter, in batches, which may be empty.

    Raises ConnectionError once the client has left, so that nothing more is read for it.
    """
    with_dismissed = options.layout.dismissed or bool(finding_filter.state)
    batch, examined = [], 0
    async for scan in scans:
        if has_left(request):
            raise ConnectionError("the client has left")
        if options.notes and scan.notes:
            batch.append(notes_row(scan, options.origin))
        for finding in await stream_findings(request, scan):
            dismissed = finding.review is not None and finding.review.state == "dismissed"
            if finding_filter.matches(finding) and (with_dismissed or not dismissed):
                batch.append(finding_row(scan, finding, options.origin))
            examined += 1
            if examined == ROWS_PER_BATCH:
                yield batch
                batch, examined = [], 0
                await asyncio.sleep(0)  # let other requests run
    yield batch


async def stream_findings(request: web.Request, scan: Scan) -> Iterator[Finding]:
    """Return an iterator over the findings of a scan with their reviews, read in one or two statements."""
    if not scan.risk_count:
        return iter(())
    db, user_id = request.app[DATABASE], request[USER_ID]
    details = await load_details(db, user_id, scan)
    is_reviewed = scan.open_count < scan.risk_count
    reviews = await list_reviews_of_scan(db, user_id, scan.scan_id) if is_reviewed else {}
    return each_finding(scan, details, reviews)


async def render_text(table: Table, batches: Batches) -> Body:
    """Yield the table in chunks as it is rendered."""
    buffer = table.head()
    async for batch in batches:
        buffer += table.lines(batch)
        if len(buffer) >= CHUNK:
            yield buffer.encode()
            buffer = ""
    yield (buffer + table.tail()).encode()


async def render_workbook(request: web.Request, columns: Sequence[Column], batches: Batches) -> Body:
    """Write a workbook to disk, then yield it; closing the generator deletes the file.

    Raises 503 `overloaded` if too many are being written.
    """
    with tempfile.TemporaryDirectory(prefix="riskscan-export-") as folder:
        path = Path(folder) / "register.xlsx"
        deadline = asyncio.get_running_loop().time() + WORKBOOK_WAIT_SECONDS
        async with request.app[WORKBOOK_SLOTS].slot(request[USER_ID], deadline):
            book = Workbook(path, columns)
            try:
                async for batch in batches:
                    await run_in_thread(book.write, batch)
            finally:
                await run_in_thread(book.close)
        with await run_in_thread(io.FileIO, path) as file:
            while chunk := await run_in_thread(file.read, CHUNK):
                yield chunk


async def run_in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Run blocking work in a thread, and wait for it to finish, even when cancelled."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def stream_file(
    request: web.Request, options: ExportOptions, batches: Batches, name: str
) -> web.StreamResponse:
    """Stream the file to the client.

    An error before the first byte is an error response. After that it aborts the connection, so
    that clients notice the incomplete body (RFC 9112, section 8).
    """
    table = FORMATS[options.format].table
    if table is None:
        body = render_workbook(request, options.layout.columns, batches)
    else:
        body = render_text(table(options.layout.columns), batches)
    async with contextlib.aclosing(body):
        first = await anext(body)
        response = web.StreamResponse(headers=file_headers(options.format, f"riskscan-{name}"))
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
        scan_id = request.match_info.get("scan_id", "")
        record(request, "exported", request[USER_ID], detail=f"{options.format} {scan_id}".rstrip())
        try:
            await write_chunk(response, first)
            async for chunk in body:
                await write_chunk(response, chunk)
        except Exception as exc:
            abort_connection(request, exc)
    return response


async def write_chunk(response: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(chunk)


def abort_connection(request: web.Request, exc: Exception) -> None:
    """Abort the connection in the middle of the response, and log the reason unless the client has left."""
    reason = ""
    if isinstance(exc, ApiError):
        reason = exc.code
    elif isinstance(exc, TokenRevoked):
        reason = "not_authenticated"
    elif isinstance(exc, TimeoutError):
        reason = "the client stopped reading"
    if reason:
        log.warning("an export was cut short: %s [%s]", reason, request[REQUEST_ID])
    elif not isinstance(exc, ConnectionError):
        log.error("an export was cut short [%s]", request[REQUEST_ID], exc_info=exc)
    if request.transport:
        request.transport.abort()


def file_headers(file_format: str, stem: str) -> dict[str, str]:
    """Return the Content-Type and Content-Disposition of a file."""
    return {
        hdrs.CONTENT_TYPE: FORMATS[file_format].media_type,
        hdrs.CONTENT_DISPOSITION: content_disposition("attachment", f"{stem}.{file_format}"),
    }


def content_disposition(kind: str, name: str) -> str:
    """Return a Content-Disposition (RFC 6266; RFC 8187 for other scripts)."""
    name = FORBIDDEN_IN_NAMES.sub("_", name)
    ascii_name, encoded_name = re.sub(r"[^\x20-\x7e]", "_", name), quote(name, safe="")
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded_name}"
