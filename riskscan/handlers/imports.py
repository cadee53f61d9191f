"""Handlers of imports: import_page, create: the reviews of an edited export."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from ..ai_service.errors import ServiceError
from ..ai_service.processes import DocumentReaders
from ..auth.authentication import authenticate, take_turn
from ..concurrency import DECODING
from ..database import DATABASE, Database
from ..database.reviews import find_reviews, save_reviews
from ..database.rows import TokenSubject
from ..database.scans import find_fingerprints, find_scan
from ..errors import Sentence, invalid_request
from ..register_import import Line, Plan, Target, compare, reference_key
from ..register_reader import MAX_LINES
from ..request.body import MAX_FORM_BYTES, Form, Limits, read_form
from ..request.fields import optional_text, read_flag
from ..request.paths import is_api
from ..request.uploads import Upload, unsupported_file_type
from ..responses import render_page, respond
from ..schemas import Review
from ..settings import SETTINGS
from .findings import load_details

EXTENSIONS = (".xlsx", ".xlsm", ".csv")
SCANS_PER_STATEMENT, REVIEWS_PER_STATEMENT = 20, 1_000
READERS = web.AppKey("READERS", DocumentReaders)

decode_lines = msgspec.json.Decoder(list[Line]).decode


async def import_page(request: web.Request) -> web.StreamResponse:
    """Show the page to choose an edited export."""
    await authenticate(request)
    return render_page(request, "import.html", {"data": None, "lines": ""})


async def create(request: web.Request) -> web.StreamResponse:
    """Import the reviews of an edited export, or show what that would change."""
    subject = (await authenticate(request, "review")).subject
    limits = Limits(request.app[SETTINGS].max_upload_bytes, MAX_FORM_BYTES)
    form = await read_form(request, limits)
    try:
        apply = bool(read_flag(form.fields, "apply"))
        lines = await read_lines(request, subject, form)
    finally:
        if form.upload:
            form.upload.content.close()
    db = request.app[DATABASE]
    plan = await make_plan(db, subject, lines)
    applied = apply and bool(plan.changes)
    if applied:
        async with take_turn(request):
            await save_reviews(db, subject.user_id, list(plan.saved.values()), plan.removed)
    result = plan.to_result(applied=applied)
    if is_api(request):
        return respond(request, result)
    # the page sends back the lines that change, so that the file need not be stored or chosen again
    encoded = b"" if applied else await asyncio.to_thread(msgspec.json.encode, plan.changed)
    page_only = {"lines": encoded.decode()}
    return respond(request, result, template="import.html", page_only=page_only)


async def read_lines(request: web.Request, subject: TokenSubject, form: Form) -> list[Line]:
    """Return the lines of the uploaded file, or those that its page sent back. Raises 400."""
    if form.upload is None:
        text = optional_text(form.fields, "lines")
        if not text:
            raise invalid_request("Choose a file.", file="Choose an edited export, in Excel or CSV.")
        return await decode(request, text)
    try:
        content = await asyncio.to_thread(read_content, form.upload)
        result = await request.app[READERS].run(subject.user_id, form.upload.filename, content)
    except ServiceError as error:
        raise invalid_request(error.detail, file=error.detail) from error
    return await asyncio.to_thread(msgspec.convert, result["lines"], list[Line])


async def decode(request: web.Request, text: str) -> list[Line]:
    async with request.app[DECODING]:
        try:
            lines = await asyncio.to_thread(decode_lines, text)
        except (ValueError, RecursionError):  # msgspec's are ValueErrors
            raise invalid_request("Choose the file again.", lines="Must be those of the page.") from None
    if len(lines) > MAX_LINES:
        raise invalid_request(
            "Too many rows.", lines=Sentence("At most %(max)s at a time.", max=f"{MAX_LINES:,}")
        )
    return lines


def read_content(upload: Upload) -> bytes:
    if not upload.filename.lower().endswith(EXTENSIONS):
        raise unsupported_file_type("Choose an edited export, in Excel or CSV.")
    return upload.content.read()


async def make_plan(db: Database, subject: TokenSubject, lines: list[Line]) -> Plan:
    """Compare the lines with the reviews, which are read in batches."""
    keys = dict.fromkeys(key for line in lines if (key := reference_key(line.ref)))
    prefixes = list(dict.fromkeys(key[:18] for key in keys))
    targets: dict[str, Target] = {}
    for begin in range(0, len(prefixes), SCANS_PER_STATEMENT):
        targets |= await find_targets(db, subject, prefixes[begin : begin + SCANS_PER_STATEMENT])
    fingerprints = list(dict.fromkeys(targets[key].fingerprint for key in keys if key in targets))
    reviews: dict[str, Review] = {}
    for begin in range(0, len(fingerprints), REVIEWS_PER_STATEMENT):
        batch = fingerprints[begin : begin + REVIEWS_PER_STATEMENT]
        reviews |= await find_reviews(db, subject.user_id, batch)
    return await asyncio.to_thread(compare, lines, targets, reviews)


async def find_targets(db: Database, subject: TokenSubject, prefixes: list[str]) -> dict[str, Target]:
    """Return the findings of the scans whose IDs begin so, by reference key."""
    targets = {}
    for scan_id, risk_count, fingerprints in await find_fingerprints(db, subject.user_id, prefixes):
        if len(fingerprints) != risk_count:  # an earlier version stored it
            scan = await find_scan(db, subject, scan_id)
            details = await load_details(db, subject.user_id, scan) if scan else []
            fingerprints = [detail.fingerprint for detail in details]
        for number, fingerprint in enumerate(fingerprints, 1):
            targets[f"{scan_id[:18]}/{number}"] = Target(scan_id, number, fingerprint)
    return targets
