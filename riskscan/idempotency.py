"""Idempotency-Key: a scan that is sent twice is made once (draft-ietf-httpapi-idempotency-key-header).

A key is its user's, and the database decides who holds it. Whoever claims a free one is told the id that the
scan is to have; whoever takes over from a process that has died is told the same one, so that the primary key
of scans lets no second one in. A claim ends by itself when it must be over, and a key a day after its scan.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web

from .database import Executor
from .database.idempotency_keys import find_key, finish_key, lock_key
from .database.rows import Account, TokenSubject, UserDeleted, utc_now
from .database.scans import find_scan
from .database.users import find_account
from .errors import ApiError, invalid_request, not_authenticated
from .request.body import FORM_VALUES
from .request.uploads import Document
from .responses import is_api
from .schemas import Scan
from .settings import SETTINGS

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
TEXT = re.compile(r"[\x20-\x7e]+")
STRING = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # RFC 8941, section 3.3.3
RETENTION = datetime.timedelta(hours=24)
LOCK_MARGIN_SECONDS = (
    30  # beside the time that the AI service may take: to keep the scan, though in several tries
)
RETRY_SECONDS = 2
POLL_SECONDS = 0.5

CreateScan = Callable[[str], Awaitable[Scan]]


class Key(NamedTuple):
    """A key, and the SHA-256 of what was sent under it."""

    name: str
    fingerprint: str


class IdempotentScan(NamedTuple):
    """A scan, and whether an earlier request has made it."""

    scan: Scan
    replayed: bool


async def idempotent(
    request: web.Request, db: Executor, account: Account, document: Document, make: CreateScan
) -> IdempotentScan:
    """Return the scan that `make` makes under the id that it is given, or the one of this request's key.

    Raises 400 for a bad key, 422 `idempotency_key_reused` where it came with another input before, and
    409 `idempotency_in_progress` where the scan is still being made; a page waits for it instead.
    """
    key = await read_key(request, document)
    if key is None:
        return IdempotentScan(await make(str(uuid.uuid4())), False)
    caller = TokenSubject(account.user.id, account.token_version)
    while True:
        found = await create_with_key(request, db, caller, key, make) or await replay(db, caller, key)
        # the key may have come free meanwhile
        found = found or await create_with_key(request, db, caller, key, make)
        if found:
            return found
        if is_api(request):
            raise ApiError(
                409,
                "idempotency_in_progress",
                "A scan with this Idempotency-Key is still being made.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        await asyncio.sleep(POLL_SECONDS)


async def create_with_key(
    request: web.Request, db: Executor, caller: TokenSubject, key: Key, make: CreateScan
) -> IdempotentScan | None:
    """Make the scan where the key is free; return None where it is not."""
    seconds = request.app[SETTINGS].ai_timeout_seconds + LOCK_MARGIN_SECONDS
    wanted, lease = str(uuid.uuid4()), utc_now() + datetime.timedelta(seconds=seconds)
    try:
        scan_id = await lock_key(db, caller.user_id, key.name, key.fingerprint, wanted, lease)
    except UserDeleted:
        raise not_authenticated("This account was deleted.") from None
    if scan_id is None:
        return None
    try:
        # who held the key before may have kept the scan, and have died before it could say so
        kept = await find_scan(db, caller, scan_id) if scan_id != wanted else None
        scan = kept or await make(scan_id)
        if scan_id != wanted or utc_now() > lease:  # another may have been first
            scan = await find_scan(db, caller, scan_id) or scan
    except BaseException:
        await asyncio.shield(finish(db, caller, key, lease, kept=False, until=utc_now()))
        raise
    await finish(db, caller, key, lease, kept=True, until=utc_now() + RETENTION)
    return IdempotentScan(scan, kept is not None)


async def replay(db: Executor, caller: TokenSubject, key: Key) -> IdempotentScan | None:
    """Return the scan of a key that is held; None where there is none yet, or none any more.

    Raises 422 `idempotency_key_reused` where the key is held for another input.
    """
    held = await find_key(db, caller.user_id, key.name)
    if held is None:
        return None
    if held.fingerprint != key.fingerprint:
        raise ApiError(
            422, "idempotency_key_reused", "This Idempotency-Key was used for something else. Take a new one."
        )
    scan = await find_scan(db, caller, held.scan_id)
    if scan:
        return IdempotentScan(scan, True)
    if await find_account(db, caller) is None:
        raise not_authenticated()
    if held.completed:  # and deleted since: the key is free for another
        await finish(db, caller, key, held.locked_until, kept=True, until=utc_now())
    return None


async def finish(
    db: Executor,
    caller: TokenSubject,
    key: Key,
    lease: datetime.datetime,
    *,
    kept: bool,
    until: datetime.datetime,
) -> None:
    with contextlib.suppress(ApiError):  # the database is away; the claim ends by itself
        await finish_key(db, caller.user_id, key.name, lease, kept=kept, until=until)


async def read_key(request: web.Request, document: Document) -> Key | None:
    """Return the key of a request, by its header or by the page's form; None where it has none."""
    sent = request.headers.getall(HEADER, ())
    field = "" if is_api(request) else request.get(FORM_VALUES, {}).get("idempotency_key", "")
    if sent:
        return Key(parse_key_header(sent), await fingerprint_document(document))
    if not field:
        return None
    # who goes back to the form and changes it means another scan
    print_of = await fingerprint_document(document)
    return Key(hashlib.sha256(f"{field} {print_of}".encode()).hexdigest(), print_of)


def parse_key_header(sent: Sequence[str]) -> str:
    """Return the key in the header: in quotation marks as the draft has it, or bare as many clients do."""
    value = sent[0].strip() if len(sent) == 1 else ""
    quoted = STRING.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    if not TEXT.fullmatch(key) or len(key) > MAX_KEY_LENGTH or (value.startswith('"') and not quoted):
        wrong = f"This takes 1 to {MAX_KEY_LENGTH} printable ASCII characters, once."
        raise invalid_request("The Idempotency-Key cannot be used.", **{HEADER: wrong})
    return key


async def fingerprint_document(document: Document) -> str:
    """Return the SHA-256 of all that was sent."""
    name = document.upload.filename if document.upload else None
    sent = (document.digest, name, document.text, document.force_llm)
    return hashlib.sha256(msgspec.json.encode(sent)).hexdigest()
