"""The call to the AI service, and what each of its failures becomes."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from multipart import content_disposition_quote

from . import server_timing
from .auth.authentication import USER_ID
from .concurrency import AI_CALLS
from .errors import REQUEST_ID, ApiError, unavailable
from .metrics import METRICS
from .request.uploads import Document
from .schemas import Findings, Risk
from .settings import SETTINGS

AI_SESSION = web.AppKey("AI", aiohttp.ClientSession)
CONNECT_SECONDS = 10
# a POST on a connection that the service is just closing is lost; servers keep idle ones for 2 s or more
KEEPALIVE_SECONDS = 1.0
MAX_RESPONSE_BYTES = 10 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
MAX_MESSAGE = 500
CHUNK_BYTES = 128 * 1024
# refusals that are about this very document, which the client can mend
RELAYED_STATUSES = frozenset((400, 413, 415, 422, 429))
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # what PostgreSQL or UTF-8 cannot keep
FINDINGS_DECODER = msgspec.json.Decoder(Findings)
BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class InvalidResponse(Exception):
    """The AI service answered something else than what was agreed."""


def open_session() -> aiohttp.ClientSession:
    """Return the session that serves all calls of one application."""
    return aiohttp.ClientSession(
        # limit=0: the default would queue the 101st call without a word
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


async def scan(request: web.Request, document: Document) -> Findings:
    """Send the document to the AI service and return what it found, fit to be stored.

    Takes AI_SERVICE_TIMEOUT seconds at most, the wait for a turn included. Raises ApiError 503 `overloaded`
    where none comes, 503 `ai_service_unavailable`, 502 `ai_service_invalid_response`, or `ai_service_error`
    with the service's own status where that tells the client what to mend, else 502 (API.md, Statuses).
    """
    begin, outcome = time.perf_counter(), "cancelled"
    try:
        findings = await call(request, document)
        outcome = "ok"
        return findings
    except ApiError as exc:
        outcome = exc.code
        raise
    finally:
        seconds = time.perf_counter() - begin
        server_timing.add("ai", seconds)
        metrics = request.app[METRICS]
        if metrics is not None:
            metrics.count_ai_call(outcome, seconds)


async def call(request: web.Request, document: Document) -> Findings:
    app = request.app
    settings, session, turns = app[SETTINGS], app[AI_SESSION], app[AI_CALLS]
    boundary = secrets.token_hex(16)
    head, tail = multipart_envelope(document, boundary)
    size = len(head) + (document.upload.size if document.upload else 0) + len(tail)
    headers = {
        "Accept": "application/json",
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(size),
        "X-Request-ID": request[REQUEST_ID],
    }
    url = f"{settings.ai_service_url}/scan"
    deadline = asyncio.get_running_loop().time() + settings.ai_timeout_seconds
    try:
        async with (
            turns.slot(request[USER_ID], deadline),
            asyncio.timeout_at(deadline),
            session.post(
                url, data=body_stream(head, document, tail), headers=headers, allow_redirects=False
            ) as response,
        ):
            if response.status >= 400:
                raise to_api_error(response, await read_message(response))
            return read_findings(await read_body(response))
    except (aiohttp.ClientConnectionError, OSError) as exc:  # TimeoutError is one
        raise unavailable(
            "ai_service_unavailable", "The analysis service is not available right now.", retry_seconds=10
        ) from exc
    except (InvalidResponse, aiohttp.ClientError) as exc:  # the latter: no HTTP at all
        raise ApiError(
            502, "ai_service_invalid_response", "The analysis service answered something unusable."
        ) from exc


def multipart_envelope(document: Document, boundary: str) -> tuple[bytes, bytes]:
    """Return what goes before and after the bytes of the file (RFC 7578)."""
    head, tail = "", f"--{boundary}--\r\n"
    fields = {} if document.text is None else {"text": document.text}
    if document.force_llm is not None:
        fields["force_llm"] = "true" if document.force_llm else "false"
    for name, value in fields.items():
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    if document.upload:
        filename = content_disposition_quote(document.upload.filename)
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename={filename}\r\n'
        head += f"Content-Type: {document.upload.content_type}\r\n\r\n"
        tail = "\r\n" + tail
    return head.encode(), tail.encode()


async def body_stream(head: bytes, document: Document, tail: bytes) -> AsyncIterator[bytes]:
    if document.upload is None:
        yield head + tail
        return
    yield head
    while chunk := document.upload.content.read(CHUNK_BYTES):
        yield chunk
    yield tail


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a 200; raise NotTheContract for any other status and for more than 10 MB."""
    if response.status != 200:
        raise InvalidResponse(f"status {response.status}")
    return await read_limited(response, MAX_RESPONSE_BYTES)


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                raise InvalidResponse(f"more than {limit} bytes")
    except (aiohttp.ClientError, ConnectionError) as exc:
        raise InvalidResponse("cut off") from exc
    return bytes(body)


def read_findings(body: bytes) -> Findings:
    """Check an answer against the contract; raise NotTheContract where it is something else.

    NUL and lone surrogates become U+FFFD; fields beyond the three are dropped.
    """
    try:
        text = body.decode()
        if "\\u" not in text:  # an escape alone can bring what is to be mended
            return FINDINGS_DECODER.decode(text)
        # not msgspec's own decoder: it refuses lone surrogates
        answer = json.loads(text, parse_constant=reject_constant, parse_int=float)  # of any number of digits
        findings = msgspec.convert(answer, Findings)
    except (ValueError, RecursionError) as exc:  # msgspec's are ValueErrors
        raise InvalidResponse(str(exc)) from exc
    return Findings([sanitize(risk) for risk in findings.data], findings.source)


def reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def sanitize(risk: Risk) -> Risk:
    return Risk(
        UNSTORABLE.sub("\ufffd", risk.risk),
        UNSTORABLE.sub("\ufffd", risk.category),
        UNSTORABLE.sub("\ufffd", risk.context),
    )


def to_api_error(response: aiohttp.ClientResponse, message: str) -> ApiError:
    """Return what a 4xx or 5xx of the AI service becomes."""
    status = response.status if response.status in RELAYED_STATUSES or response.status == 503 else 502
    retry_after = response.headers.get("Retry-After", "")
    headers = {}
    if re.fullmatch(r"[0-9]{1,6}", retry_after, re.ASCII):
        headers["Retry-After"] = retry_after
    elif status in (429, 503):
        headers["Retry-After"] = "10"
    detail = message or f"The analysis service failed (status {response.status})."
    return ApiError(status, "ai_service_error", detail, headers=headers)


async def read_message(response: aiohttp.ClientResponse) -> str:
    """Return what an error answer says to people, empty where it says nothing of use."""
    try:
        body = (await read_limited(response, MAX_ERROR_BYTES)).decode()
    except (InvalidResponse, UnicodeDecodeError):
        return ""
    try:
        message = extract_message(json.loads(body))
    except (ValueError, RecursionError):
        message = body if response.content_type == "text/plain" else ""
    clean = BLANKS.sub(" ", UNSTORABLE.sub("\ufffd", message)).strip()
    return clean if len(clean) <= MAX_MESSAGE else clean[: MAX_MESSAGE - 1] + "…"


def extract_message(answer: Any) -> str:
    """Return the message of the usual shapes: `detail` (a text or FastAPI's list), `error`, `message`."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return " ".join(filter(None, map(extract_message, answer)))
    if isinstance(answer, dict):
        candidates = (extract_message(answer.get(name)) for name in ("detail", "msg", "message", "error"))
        return next(filter(None, candidates), "")
    return ""
