"""Idempotency-Key: a repeated request returns the first scan (draft-ietf-httpapi-idempotency-key-header).

Keys are per user and live in the database. A request locks its key and gets the ID that the new scan will
have. A lock expires, in case its process dies; a request that takes over an expired lock gets the same ID, so
that the primary key of `scans` allows only one insert. A key expires a day after its scan was saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web

from .database import Database, Executor
from .database.idempotency_keys import find_key, finish_key, lock_key
from .database.rows import TokenSubject, utc_now
from .database.scans import find_previous_scans, find_scan
from .errors import ApiError, Sentence, invalid_request
from .request.paths import is_api
from .request.uploads import Document, slices
from .schemas import Scan
from .settings import SETTINGS

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
PRINTABLE = re.compile(r"[\x20-\x7e]+")
QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # a String of RFC 8941, section 3.3.3
RETENTION = datetime.timedelta(hours=24)
LOCK_MARGIN_SECONDS = 30  # on top of the AI service's timeout: to save the scan, with retries
RETRY_SECONDS = 2
POLL_SECONDS = 0.5


class Key(NamedTuple):
    """A key, the SHA-256 of the input it was sent with, and whether to wait for a request in progress."""

    name: str
    fingerprint: str
    wait: bool


class ScanResult(NamedTuple):
    """A scan, and the IDs of similar earlier ones with `same bytes` or `same name`."""

    scan: Scan
    previous: Mapping[str, str]
    replayed: bool = False  # from an earlier request with the same key


class Lock(NamedTuple):
    """A key locked for this request.

    `taken_over` if another request with the same input held it before; `scan_id` is then that request's.
    """

    scan_id: str
    expires_at: datetime.datetime
    taken_over: bool


class Reservation(NamedTuple):
    """The ID for a new scan, or the result of an earlier request."""

    scan_id: str
    result: ScanResult | None = None


@contextlib.asynccontextmanager
async def reserve_scan(
    request: web.Request, db: Database, subject: TokenSubject, document: Document
) -> AsyncIterator[Reservation]:
    """Reserve the ID of a new scan, or return the key's result; an exception in the block releases the key.

    Raises 400 `invalid_request` for a malformed key, 422 `idempotency_key_reused` if it was used with another
    input, and 409 `idempotency_in_progress` while its first request is running; a page waits instead.
    """
    key = await read_key(request, document)
    if key is None:
        yield Reservation(str(uuid.uuid4()))
        return
    lock_seconds = request.app[SETTINGS].ai_timeout_seconds + LOCK_MARGIN_SECONDS
    lock = await lock_or_replay(db.lowest_priority, subject, key, lock_seconds)
    if isinstance(lock, ScanResult):
        yield Reservation(lock.scan.scan_id, lock)
        return
    try:
        # the request that held the key before may have died between saving its scan and finishing the key
        result = await find_result(db.lowest_priority, subject, lock.scan_id) if lock.taken_over else None
        yield Reservation(lock.scan_id, result)
    except BaseException:
        release = finish(db.low_priority, subject, key, lock.expires_at, completed=False, until=utc_now())
        await asyncio.shield(release)
        raise
    until = utc_now() + RETENTION
    await finish(db.low_priority, subject, key, lock.expires_at, completed=True, until=until)


async def lock_or_replay(
    db: Executor, subject: TokenSubject, key: Key, lock_seconds: float
) -> Lock | ScanResult:
    while True:
        result = (
            await try_lock(db, subject, key, lock_seconds)
            or await replay(db, subject, key)
            or await try_lock(db, subject, key, lock_seconds)  # it may have been released meanwhile
        )
        if result:
            return result
        if not key.wait:
            raise ApiError(
                409,
                "idempotency_in_progress",
                "A scan with this Idempotency-Key is still running.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        await asyncio.sleep(POLL_SECONDS)


async def try_lock(db: Executor, subject: TokenSubject, key: Key, seconds: float) -> Lock | None:
    """Lock a key that is free, or whose lock has expired; return None if it is in use."""
    new_id, expires_at = str(uuid.uuid4()), utc_now() + datetime.timedelta(seconds=seconds)
    scan_id = await lock_key(db, subject.user_id, key.name, key.fingerprint, new_id, expires_at)
    return Lock(scan_id, expires_at, taken_over=scan_id != new_id) if scan_id else None


async def replay(db: Executor, subject: TokenSubject, key: Key) -> ScanResult | None:
    """Return the result of a key in use, None if the scan is not saved yet or was deleted.

    Raises 422 `idempotency_key_reused` if the key was used with another input.
    """
    record = await find_key(db, subject.user_id, key.name)
    if record is None:
        return None
    if record.fingerprint != key.fingerprint:
        raise ApiError(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was already used with a different request; use a new key.",
        )
    result = await find_result(db, subject, record.scan_id)
    if result:
        return result
    if record.completed:  # but the scan was deleted since, which frees the key
        await finish(db, subject, key, record.locked_until, completed=True, until=utc_now())
    return None


async def find_result(db: Executor, subject: TokenSubject, scan_id: str) -> ScanResult | None:
    scan = await find_scan(db, subject, scan_id)
    if scan is None:
        return None
    previous = await find_previous_scans(db, subject.user_id, scan)
    return ScanResult(scan, previous, replayed=True)


async def finish(
    db: Executor,
    subject: TokenSubject,
    key: Key,
    lock_expires_at: datetime.datetime,
    *,
    completed: bool,
    until: datetime.datetime,
) -> None:
    with contextlib.suppress(ApiError):  # the database is unavailable or busy; the lock will expire
        await finish_key(db, subject.user_id, key.name, lock_expires_at, completed=completed, until=until)


async def read_key(request: web.Request, document: Document) -> Key | None:
    """Return the key of the request's header or, on a page, of its form; None without one.

    Raises 400 `invalid_request` if the header is malformed.
    """
    headers, is_page = request.headers.getall(HEADER, ()), not is_api(request)
    if headers:
        return Key(parse_key_header(headers), await fingerprint_document(document), wait=is_page)
    if is_page and document.form_key:
        # editing and resubmitting the form is a new scan
        fingerprint = await fingerprint_document(document)
        name = hashlib.sha256(f"{document.form_key} {fingerprint}".encode()).hexdigest()
        return Key(name, fingerprint, wait=True)
    return None


def parse_key_header(headers: Sequence[str]) -> str:
    """Return the key in the header: in quotation marks as in the draft, or bare as many clients send it."""
    value = headers[0].strip() if len(headers) == 1 else ""
    quoted = QUOTED.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    if not PRINTABLE.fullmatch(key) or len(key) > MAX_KEY_LENGTH or (value.startswith('"') and not quoted):
        message = Sentence("Must be 1 to %(max)s printable ASCII characters, given once.", max=MAX_KEY_LENGTH)
        raise invalid_request("Invalid Idempotency-Key.", **{HEADER: message})
    return key


async def fingerprint_document(document: Document) -> str:
    """Return the SHA-256 of the whole input: of digest, file name, text and flag as a JSON array."""
    name = document.upload.filename if document.upload else None
    fingerprint = hashlib.sha256(msgspec.json.encode((await document.compute_digest(), name))[:-1])
    if document.text is None:
        fingerprint.update(b",null")
    else:
        fingerprint.update(b',"')
        async for piece in slices(document.text):
            fingerprint.update(msgspec.json.encode(piece)[1:-1])
        fingerprint.update(b'"')
    fingerprint.update(b"," + msgspec.json.encode(document.force_llm) + b"]")
    return fingerprint.hexdigest()
