"""The scans of documents by a server, which keeps them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from ..ai_service.errors import UnreadableDocument
from ..client.api import Api, ServerError
from ..client.login import Login
from ..schemas import Finding, Scan
from .analysis import Handle, Result, find_lines, scan_in_order
from .documents import Document, describe_os_error
from .terminal import to_printable

AT_ONCE = 4
# of every request: the server cannot be reached, or the token is not valid or must not do this
UNUSABLE = {0, 401, 403}
NOT_SENT = "Not sent, as the server takes no more for now."


async def scan_on_server(
    documents: Sequence[Document], login: Login, handle: Handle, *, only_new: bool
) -> None:
    """Scan the documents and pass their results to `handle` in the same order.

    With `only_new`, documents whose bytes the server has are left out. Once a quota is used up no more are
    sent. Raises ServerError if the server cannot be reached or refuses the token; other errors are results.
    """
    seen: set[str] = set()
    quota_used_up = asyncio.Event()

    async def scan(document: Document) -> Result | None:
        try:
            return await scan_with(api, document, seen if only_new else None, quota_used_up)
        except ServerError as error:
            if error.status in UNUSABLE:
                raise
            if error.is_quota_used_up:
                quota_used_up.set()
            return Result(document, error=str(error))

    async with Api(login.server, login.token) as api:
        await scan_in_order(documents, AT_ONCE, scan, handle)


async def scan_with(
    api: Api, document: Document, seen: set[str] | None = None, quota_used_up: asyncio.Event | None = None
) -> Result | None:
    """Scan a document; with `seen`, return None if its bytes are among them or on the server.

    Raises ServerError. A document that cannot be read is a result, and so is one that is not sent.
    """
    try:
        data = document.read()
        if seen is not None and await is_known(api, data, seen):
            return None
        if quota_used_up and quota_used_up.is_set():
            return Result(document, error=NOT_SENT)
        return await scan_document(api, document, data)
    except UnreadableDocument as error:
        return Result(document, error=error.detail)
    except UnicodeDecodeError:
        return Result(document, error="A server takes only text in UTF-8 from standard input.")
    except OSError as error:
        return Result(document, error=describe_os_error(error))


async def is_known(api: Api, data: bytes, seen: set[str]) -> bool:
    """Return whether the server has these bytes, or they are in `seen`, to which they are added."""
    digest = hashlib.sha256(data).hexdigest()
    if digest in seen:
        return True
    seen.add(digest)
    return await api.has_scan_of(digest)


async def scan_document(api: Api, document: Document, data: bytes) -> Result:
    if document.path:
        name = to_printable(PurePath(document.name).name)
        scan = await api.create_scan(data, name)
    else:
        scan = await api.create_scan(data.decode())
    findings = await read_findings(api, scan)
    # in a thread: a sentence that is not in the file as it was read is searched for through all of it
    lines = await asyncio.to_thread(list, find_lines(data, [one.context for one in findings]))
    if document.path:  # as it was named here, with its folder
        scan = msgspec.structs.replace(scan, filename=document.name)
    return Result(document, scan, findings, lines, server=api.server)


async def read_findings(api: Api, scan: Scan) -> list[Finding]:
    """Return the findings of a scan; without places and reviews for a token that may only scan."""
    try:
        return await api.read_findings(scan.scan_id) if scan.risk_count else []
    except ServerError as error:
        if error.status != 403:
            raise
    return [
        Finding(number, risk.risk, risk.category, risk.context, None, None, None)
        for number, risk in enumerate(scan.risks, 1)
    ]
