"""Handlers of marked documents: page, create."""

from __future__ import annotations

import asyncio
from pathlib import PurePath

from aiohttp import hdrs, web

from ..audit import record
from ..auth.authentication import USER_ID, authenticate
from ..concurrency import SCANS_IN_FLIGHT, TEXT_MEMORY, FairSemaphore
from ..database import DATABASE
from ..database.scans import find_digest, find_scan
from ..errors import ApiError, Sentence
from ..marking.notes import make_marks
from ..marking.placing import Mark
from ..marking.processes import MarkedFile, mark_document
from ..marking.text import POLICY
from ..rate_limits import bucket, hit
from ..request.body import read_document
from ..request.uploads import Document
from ..responses import render_page
from ..schemas import Scan
from ..settings import SETTINGS
from .exports import CHUNK, STEM_LENGTH, abort_connection, content_disposition, run_in_thread, write_chunk
from .findings import load_findings
from .scans import find_own_scan, scan_not_found

MAX_MARKINGS, MARKINGS_PER_USER = 2, 1
WAIT_SECONDS = 30
NUMBERS_LEFT_OUT = "X-Findings-Not-Placed"
HTML = "text/html; charset=utf-8"
WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
MEDIA_TYPES = {
    ".html": HTML,
    ".pdf": "application/pdf",
    ".docx": f"{WORD_TYPE}.document",
    ".dotx": f"{WORD_TYPE}.template",
    ".docm": "application/vnd.ms-word.document.macroEnabled.12",
    ".dotm": "application/vnd.ms-word.template.macroEnabled.12",
}
FILE_MEDIA_TYPES = tuple(media_type.partition(";")[0] for media_type in MEDIA_TYPES.values())

MARKING_SLOTS = web.AppKey("MARKING_SLOTS", FairSemaphore)


async def page(request: web.Request) -> web.StreamResponse:
    """Show the form for the document of a scan."""
    await authenticate(request)
    return render_page(request, "mark.html", {"data": await find_own_scan(request)})


async def create(request: web.Request) -> web.StreamResponse:
    """Mark the open and confirmed findings of a scan in its document, which is sent again and not stored."""
    app = request.app
    account = await authenticate(request, "read")
    user_id = account.user.id
    scan = await find_scan(app[DATABASE], account.subject, request.match_info["scan_id"])
    if scan is None:
        raise scan_not_found()
    await hit(request, bucket(app[SETTINGS].scan_limit, "mark", user_id))
    with app[SCANS_IN_FLIGHT].slot(user_id), app[TEXT_MEMORY].reserve(user_id) as allocate:
        async with read_document(request, allocate) as document:
            await check_document(request, scan, document)
            marks = await load_marks(request, scan)
            marked = await mark(request, scan, document, marks)
        record(request, "document-marked", user_id, detail=scan.scan_id)
        with marked.content:
            return await send_file(request, scan, marks, marked)


async def check_document(request: web.Request, scan: Scan, document: Document) -> None:
    """Raise 409 `different_document` unless the document is the one that was scanned, byte by byte.

    The lines of a text may end otherwise, because browsers change their ends.
    """
    digest = await find_digest(request.app[DATABASE], request[USER_ID], scan.scan_id)
    documents = [document]
    if document.text and not document.upload:
        lines = document.text.replace("\r\n", "\n")
        documents += [document._replace(text=text) for text in (lines, lines.replace("\n", "\r\n"))]
    if not any([digest == await each.compute_digest() for each in documents]):
        if document.upload:
            detail = Sentence("This is not the file that was scanned.")
            problem = Sentence("Must be the file that was scanned, without any change.")
        else:
            detail = Sentence("This is not the text that was scanned.")
            problem = Sentence("Must be the text that was scanned, without any change.")
        field = "file" if document.upload else "text"
        raise ApiError(409, "different_document", detail, fields={field: problem})


async def load_marks(request: web.Request, scan: Scan) -> list[Mark]:
    """Return the marks of the open and confirmed findings. Raises 409 `nothing_to_mark` if there are none."""
    findings = await load_findings(request.app[DATABASE], request[USER_ID], scan)
    marks = await asyncio.to_thread(make_marks, findings)
    if not marks:
        raise ApiError(409, "nothing_to_mark", "The scan has no open or confirmed findings to mark.")
    return marks


async def mark(request: web.Request, scan: Scan, document: Document, marks: list[Mark]) -> MarkedFile:
    """Mark a document. Raises 503 `overloaded` if too many are being marked."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    async with request.app[MARKING_SLOTS].slot(request[USER_ID], deadline):
        if document.upload:
            data = await run_in_thread(document.upload.content.read)
        else:
            data = (document.text or "").encode()
        return await mark_document(scan.filename or "", data, marks)


async def send_file(
    request: web.Request, scan: Scan, marks: list[Mark], marked: MarkedFile
) -> web.StreamResponse:
    """Send the marked document: a page to the browser, any other file as a download."""
    response = web.StreamResponse(headers=marked_headers(scan, marks, marked))
    response.content_length = marked.size
    await response.prepare(request)
    try:
        while chunk := await run_in_thread(marked.content.read, CHUNK):
            await write_chunk(response, chunk)
    except Exception as exc:
        abort_connection(request, exc)
    return response


def marked_headers(scan: Scan, marks: list[Mark], marked: MarkedFile) -> dict[str, str]:
    stem = PurePath(scan.filename).stem[:STEM_LENGTH] if scan.filename else "text"
    is_page = marked.suffix == ".html"
    placed = set(marked.placed)
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: MEDIA_TYPES[marked.suffix],
        hdrs.CONTENT_DISPOSITION: content_disposition(
            "inline" if is_page else "attachment", f"{stem}-marked{marked.suffix}"
        ),
    }
    if left_out := [str(mark.number) for mark in marks if mark.number not in placed]:
        headers[NUMBERS_LEFT_OUT] = ", ".join(left_out)
    if is_page:
        headers["Content-Security-Policy"] = f"{POLICY}; frame-ancestors 'none'"
    return headers
