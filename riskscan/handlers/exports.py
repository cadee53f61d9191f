"""Handlers of exports: the risks of one scan, or of all of them, as a file."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from aiohttp import hdrs, web

from ..auth.authentication import USER_ID, authenticate_lazily
from ..concurrency import FairSemaphore
from ..database import DATABASE
from ..database.rows import TokenRevoked, TokenSubject, utc_now
from ..database.scan_queries import CursorPosition, list_scans
from ..database.scans import find_scan
from ..errors import REQUEST_ID, ApiError, invalid_request
from ..export.columns import LAYOUTS, Column, scan_rows
from ..export.text import FORMATS, Table
from ..export.xlsx import Workbook
from ..request.filters import read_filter
from ..request.forwarded import request_origin
from ..schemas import Filter, RegisterRow, Scan
from ..search_terms import category_term
from . import scans

T = TypeVar("T")
Batches = AsyncIterator[list[RegisterRow]]
Body = AsyncGenerator[bytes, None]

FILE_MEDIA_TYPES = tuple(
    file_format.media_type.partition(";")[0] for name, file_format in FORMATS.items() if name != "json"
)
SCANS_PER_QUERY = 500  # that are named by one statement; they are read one by one
ROWS_PER_BATCH = 200  # some 2 ms of work
CHUNK = 64 * 1024
WRITE_SECONDS = 60  # in which a client has to take a chunk
MAX_WORKBOOKS = 2
WORKBOOK_WAIT_SECONDS = 30
# what no file system or no reader of a name should meet: separators, wildcards, controls, turned directions
FORBIDDEN_IN_NAMES = re.compile(r'[<>:"/\\|?*%\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
STEM_LENGTH = 60

WORKBOOK_SLOTS = web.AppKey("WORKBOOKS", FairSemaphore)  # at making one

log = logging.getLogger("riskscan.export")


class ExportOptions(NamedTuple):
    """What kind of file is asked for."""

    format: str
    columns: Sequence[Column]


async def export_scan(request: web.Request) -> web.StreamResponse:
    """Export the risks of a scan."""
    found = await scans.find_own_scan(request)
    wanted = parse_export_options(request)
    stem = PurePath(found.filename).stem[:STEM_LENGTH] if found.filename else "text"
    rows_of_it = batch_rows(just(found), request_origin(request))
    return await send(request, wanted, rows_of_it, f"{stem}-{found.created_at:%Y-%m-%d}")


async def export_all(request: web.Request) -> web.StreamResponse:
    """Export the risks of the scans that match the filters, newest scan first.

    Of a scan that has risks of several categories, a filter by category chooses the rows too.
    """
    caller = await authenticate_lazily(request)
    wanted, chosen = parse_export_options(request), read_filter(request)
    found = batch_rows(stream_scans(request, caller, chosen), request_origin(request), chosen.category)
    return await send(request, wanted, found, f"register-{utc_now():%Y-%m-%d}")


def parse_export_options(request: web.Request) -> ExportOptions:
    """Read the query values `format` (csv) and `layout` (none); raise 400 for one that is not known."""
    file_format, layout = request.query.get("format", "csv"), request.query.get("layout", "")
    if file_format not in FORMATS:
        raise invalid_request("Unknown format.", format=f"Must be one of: {', '.join(FORMATS)}.")
    if layout not in LAYOUTS:
        names = ", ".join(filter(None, LAYOUTS))
        raise invalid_request("Unknown layout.", layout=f"Must be one of: {names}.")
    return ExportOptions(file_format, LAYOUTS[layout].columns)


async def just(found: Scan) -> AsyncIterator[Scan]:
    yield found


async def stream_scans(request: web.Request, caller: TokenSubject, chosen: Filter) -> AsyncIterator[Scan]:
    """Yield the caller's scans one by one; between two of them nothing of the database is held.

    Raises TokenRevoked, meanwhile too; an API token that is deleted meanwhile is refused from the next
    export on.
    """
    pool = request.app[DATABASE]
    after: CursorPosition | None = None
    while True:
        found = await list_scans(pool, caller, SCANS_PER_QUERY, after=after, scan_filter=chosen)
        for summary in found.scans:
            whole = await find_scan(pool, caller, summary.scan_id)
            if whole:
                yield whole
        if len(found.scans) < SCANS_PER_QUERY:
            return
        after = CursorPosition(found.scans[-1].created_at, found.scans[-1].scan_id)


async def batch_rows(found: AsyncIterator[Scan], own_origin: str, category: str = "") -> Batches:
    """Yield the rows of scans, of one category where it is given by its word, a bounded number at a time."""
    batch = []
    async for one in found:
        for row in scan_rows(one, own_origin):
            if category and category_term(row.category) != category:
                continue
            batch.append(row)
            if len(batch) == ROWS_PER_BATCH:
                yield batch
                batch = []
                await asyncio.sleep(0)  # others' requests come in between
    yield batch


async def render_text(table: Table, found: Batches) -> Body:
    """Yield a table as it is made."""
    waiting = table.head()
    async for batch in found:
        waiting += table.lines(batch)
        if len(waiting) >= CHUNK:
            yield waiting.encode()
            waiting = ""
    yield (waiting + table.tail()).encode()


async def render_workbook(request: web.Request, columns: Sequence[Column], found: Batches) -> Body:
    """Yield a workbook, which is made on disk before; what was on disk is gone when the generator closes.

    Raises 503 `overloaded` where too many are being made.
    """
    with tempfile.TemporaryDirectory(prefix="riskscan-export-") as folder:
        path = Path(folder) / "register.xlsx"
        deadline = asyncio.get_running_loop().time() + WORKBOOK_WAIT_SECONDS
        async with request.app[WORKBOOK_SLOTS].slot(request[USER_ID], deadline):
            book = Workbook(path, columns)
            try:
                async for batch in found:
                    await run_in_thread(book.write, batch)
            finally:
                await run_in_thread(book.close)
        with await run_in_thread(io.FileIO, path) as file:
            while chunk := await run_in_thread(file.read, CHUNK):
                yield chunk


async def run_in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Run blocking work off the loop; it has ended when this returns, also where this is cancelled."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def send(request: web.Request, wanted: ExportOptions, found: Batches, name: str) -> web.StreamResponse:
    """Send a file as fast as the client takes it.

    What is refused before the first byte is an answer like any other. Later, the connection is cut: a body
    without its end (RFC 9112, section 8) is not taken for the whole.
    """
    table = FORMATS[wanted.format].table
    if table is None:
        body = render_workbook(request, wanted.columns, found)
    else:
        body = render_text(table(wanted.columns), found)
    async with contextlib.aclosing(body):
        first = await anext(body)
        response = web.StreamResponse(headers=file_headers(wanted.format, f"riskscan-{name}"))
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
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
    """Cut the connection in the middle of an answer, and log why, unless the client has left."""
    why = ""
    if isinstance(exc, ApiError):
        why = exc.code
    elif isinstance(exc, TokenRevoked):
        why = "not_authenticated"
    elif isinstance(exc, TimeoutError):
        why = "the client takes nothing"
    if why:
        log.warning("an export was cut short: %s [%s]", why, request[REQUEST_ID])
    elif not isinstance(exc, ConnectionError):
        log.error("an export was cut short [%s]", request[REQUEST_ID], exc_info=exc)
    if request.transport:
        request.transport.abort()


def file_headers(form: str, stem: str) -> dict[str, str]:
    """Return what says of an answer that it is a file, and its name (RFC 6266; RFC 8187 for every script)."""
    clean = FORBIDDEN_IN_NAMES.sub("_", stem)
    name = f"{clean}.{form}"
    plain, whole = re.sub(r"[^\x20-\x7e]", "_", name), quote(name, safe="")
    return {
        hdrs.CONTENT_TYPE: FORMATS[form].media_type,
        hdrs.CONTENT_DISPOSITION: f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}",
    }
