"""The call to the AI service, and the error that each of its failures becomes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from . import server_timing
from .concurrency import AI_CALLS
from .errors import ApiError, Sentence, unavailable
from .metrics import METRICS
from .request.uploads import SPOOL_BYTES, Document, Upload
from .schemas import (
    MAX_CUE,
    MAX_CUES,
    MAX_NOTE_LENGTH,
    MAX_NOTES,
    MAX_PLACE,
    AiResponse,
    Cue,
    Detail,
    Findings,
    Risk,
)
from .settings import SETTINGS

PROBE_SECONDS = 2
# for which the answer of a probe is new, and after which it is too old to be given while the next one runs
FRESH_SECONDS, STALE_SECONDS = 5, 15
# of what pages say about the language model
MODEL_FRESH_SECONDS, MODEL_STALE_SECONDS = 60, 3600
EMBEDDED = "unix:"  # the embedded service's URL is this and a path; an operator's begins with http
CONNECT_SECONDS = 10
# a POST on a connection that the service is closing is lost; servers keep idle ones for 2 s or more
KEEPALIVE_SECONDS = 1.0
MAX_RESPONSE_BYTES = 10 * 1024 * 1024
MAX_ERROR_BYTES = MAX_INFO_BYTES = 64 * 1024
MAX_MESSAGE = 500
CHUNK_BYTES = 128 * 1024
# errors about the document or the rate of requests, relayed because the client can act on them
RELAYED_STATUSES = frozenset((400, 413, 415, 422, 429))
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # PostgreSQL or UTF-8 cannot store them
RESPONSE_DECODER = msgspec.json.Decoder(AiResponse)
# what the contract leaves out as a rule, and escapes, which may be NUL or lone surrogates
OPTIONAL = ('"notes"', '"place"', '"score"', '"why"', "\\u")
BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class InvalidResponse(Exception):
    """The response of the AI service breaks its contract."""


class AiProbe:
    """The last probe of the AI service, cached so that frequent health checks do not reach it.

    `language_model` says whether the service has one, None as long as it has not said.
    """

    def __init__(self) -> None:
        self.healthy = False
        self.language_model: bool | None = None
        self.probed_at = -math.inf  # time.monotonic()
        self.running: asyncio.Task[None] | None = None


AI_SESSION = web.AppKey("AI_SESSION", aiohttp.ClientSession)
AI_PROBE = web.AppKey("AI_PROBE", AiProbe)


def open_session(service_url: str) -> aiohttp.ClientSession:
    """Return the session for all calls of one application; its URLs are relative to the service's."""
    # no limit: the default would silently queue the 101st call
    options: dict[str, Any] = {"limit": 0, "keepalive_timeout": KEEPALIVE_SECONDS}
    connector: aiohttp.BaseConnector
    if service_url.startswith(EMBEDDED):
        base_url = "http://localhost"
        connector = aiohttp.UnixConnector(service_url.removeprefix(EMBEDDED), **options)
    else:
        base_url, connector = service_url, aiohttp.TCPConnector(**options)
    return aiohttp.ClientSession(
        f"{base_url}/",
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


async def is_healthy(
    app: web.Application, fresh: float = FRESH_SECONDS, stale: float = STALE_SECONDS
) -> bool:
    """Return whether the AI service responds, by a probe of at most `stale` seconds ago.

    One of more than `fresh` seconds ago is repeated in the background; only for one that is stale, and the
    first, is waited, at most 2 seconds.
    """
    probe = app[AI_PROBE]
    age = time.monotonic() - probe.probed_at
    if age >= fresh and (probe.running is None or probe.running.done()):
        probe.running = asyncio.create_task(run_probe(app))  # concurrent checks share one probe
    if age >= stale and probe.running:
        await asyncio.shield(probe.running)  # a client that leaves does not end it for the others
    return probe.healthy


async def stop_probe(app: web.Application) -> None:
    """End a probe in the background."""
    running = app[AI_PROBE].running
    if running:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def run_probe(app: web.Application) -> None:
    """Ask the AI service; any status below 500 is healthy. `llm_configured` says if it has a model."""
    probe = app[AI_PROBE]
    healthy, info = False, None
    with contextlib.suppress(aiohttp.ClientError, OSError, InvalidResponse, ValueError, RecursionError):
        async with (
            asyncio.timeout(PROBE_SECONDS),
            app[AI_SESSION].get("", allow_redirects=False) as response,
        ):
            healthy = response.status < 500
            info = json.loads(await read_limited(response, MAX_INFO_BYTES))
    probe.healthy, probe.probed_at = healthy, time.monotonic()
    if info is None:
        return
    said = info.get("llm_configured") if isinstance(info, dict) else None
    probe.language_model = said if isinstance(said, bool) else None


async def refresh_language_model(app: web.Application) -> None:
    """Ask the AI service whether it has a language model, unless it answered within a minute; waited for
    only if it has not been asked for an hour."""
    fresh = MODEL_FRESH_SECONDS if app[AI_PROBE].healthy else FRESH_SECONDS
    await is_healthy(app, fresh, MODEL_STALE_SECONDS)


def offers_language_model(app: web.Application) -> bool:
    """Return whether pages offer the language model: unless the AI service said that it has none."""
    return app[AI_PROBE].language_model is not False


async def scan(app: web.Application, document: Document, user_id: str, request_id: str) -> Findings:
    """Send the document to the AI service and return its findings.

    Takes at most AI_SERVICE_TIMEOUT seconds, the wait for a slot included. Raises ApiError 503 `overloaded`
    if no slot is free in that time, 503 `ai_service_unavailable`, 502 `ai_service_invalid_response`, or
    `ai_service_error` with the service's own status if the client can act on it, else 502.
    """
    begin, outcome = time.perf_counter(), "cancelled"
    try:
        findings = await call(app, document, user_id, request_id)
        outcome = "ok"
        return findings
    except ApiError as exc:
        outcome = "refused" if exc.status < 500 else exc.code  # for the document, or for too many of them
        raise
    finally:
        seconds = time.perf_counter() - begin
        server_timing.add("ai", seconds)
        metrics = app[METRICS]
        if metrics is not None:
            metrics.count_ai_call(outcome, seconds)


async def call(app: web.Application, document: Document, user_id: str, request_id: str) -> Findings:
    settings = app[SETTINGS]
    deadline = asyncio.get_running_loop().time() + settings.ai_timeout_seconds
    body = to_form(document)()
    headers = {"Accept": "application/json", "Content-Type": body.content_type, "X-Request-ID": request_id}
    if settings.ai_service_url.startswith(EMBEDDED):
        headers["X-User-Key"] = make_user_key(settings.jwt_secret, user_id)
    in_memory = document.upload is None or document.upload.size <= SPOOL_BYTES
    # one write instead of one per part: -0.1 of 1.1 ms of CPU per scan, 29 November
    data = await body.as_bytes() if in_memory and len(document.text or "") <= SPOOL_BYTES else body
    try:
        async with (
            app[AI_CALLS].slot(user_id, deadline),
            asyncio.timeout_at(deadline),
            app[AI_SESSION].post("scan", data=data, headers=headers, allow_redirects=False) as response,
        ):
            if response.status >= 400:
                raise to_api_error(response, await read_message(response))
            return read_findings(await read_body(response))
    except (aiohttp.ClientConnectionError, OSError) as exc:  # TimeoutError is an OSError
        raise unavailable(
            "ai_service_unavailable", "The analysis service is not available right now.", retry_seconds=10
        ) from exc
    except (InvalidResponse, aiohttp.ClientError) as exc:  # the latter: not HTTP at all
        raise ApiError(
            502, "ai_service_invalid_response", "The analysis service returned an invalid response."
        ) from exc


def make_user_key(secret: str, user_id: str) -> str:
    """Return a key that tells users apart without naming them; it is the same in all workers."""
    return hmac.digest(secret.encode(), f"ai-service-user {user_id}".encode(), hashlib.sha256).hex()


def to_form(document: Document) -> aiohttp.FormData:
    """Return the document as multipart/form-data (RFC 7578), with its file name in UTF-8."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if document.text is not None:
        form.add_field("text", TextPayload(document.text))
    if document.force_llm is not None:
        form.add_field("force_llm", "true" if document.force_llm else "false")
    if document.upload:
        filename = document.upload.filename.replace('"', "%22")  # as browsers do (WHATWG HTML)
        form.add_field("file", FilePayload(document.upload), filename=filename)
    return form


class TextPayload(aiohttp.Payload):
    """A text that is encoded while it is sent; aiohttp would keep two copies until the response."""

    def __init__(self, text: str) -> None:
        super().__init__(text, content_type="text/plain; charset=utf-8")
        self._size = sum(map(len, self.encode_in_slices()))

    def encode_in_slices(self) -> Iterator[bytes]:
        for begin in range(0, len(self._value), CHUNK_BYTES):
            yield self._value[begin : begin + CHUNK_BYTES].encode()

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self.decode().encode()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value
        return text

    async def write(self, writer: AbstractStreamWriter) -> None:
        for piece in self.encode_in_slices():
            await writer.write(piece)


class FilePayload(aiohttp.Payload):
    """An uploaded file that is read on the event loop; aiohttp would use threads, 0.5 ms of CPU per MB."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.content, content_type=upload.content_type)
        self._size = upload.size

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        content: bytes = self._value.read()
        return content

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise NotImplementedError

    async def write(self, writer: AbstractStreamWriter) -> None:
        while chunk := self._value.read(CHUNK_BYTES):
            await writer.write(chunk)


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a 200. Raises InvalidResponse for another status or more than 10 MB."""
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
    """Return the findings in a response body. Raises InvalidResponse if it breaks the contract.

    NUL and lone surrogates become U+FFFD. Notes, places, scores and reasons of another type than the contract
    has are dropped, and so are all other fields.
    """
    try:
        text = body.decode()
        if not any(name in text for name in OPTIONAL):
            response = RESPONSE_DECODER.decode(text)
            return Findings(response.data, response.source)
        # msgspec's own decoder refuses lone surrogates
        # int() refuses numbers of thousands of digits
        decoded = json.loads(text, parse_constant=reject_constant, parse_int=float)
        response = msgspec.convert(decoded, AiResponse)
    except (ValueError, RecursionError) as exc:  # msgspec's are ValueErrors
        raise InvalidResponse(str(exc)) from exc
    details = [clean_detail(item) for item in decoded["data"]]
    return Findings(
        [sanitize(risk) for risk in response.data],
        response.source,
        clean_notes(decoded.get("notes")),
        details if any(detail != Detail() for detail in details) else [],
    )


def clean_detail(item: dict[str, Any]) -> Detail:
    """Return the place, score and reasons of a finding, as far as they are what the contract says."""
    place, score, why = item.get("place"), item.get("score"), item.get("why")
    cues = why[:MAX_CUES] if isinstance(why, list) else []
    return Detail(
        place=(clean_line(place, MAX_PLACE) or None) if isinstance(place, str) else None,
        score=score if isinstance(score, float) and 0 <= score <= 1 else None,
        why=[cue for cue in (clean_cue(cue, item["context"]) for cue in cues) if cue] or None,
    )


def clean_cue(cue: Any, context: str) -> Cue | None:
    """Return a reason, None if it is not one; its start only where the sentence has its text there."""
    text, weight, start = map(cue.get, ("text", "weight", "start")) if isinstance(cue, dict) else (None,) * 3
    if not isinstance(text, str) or not isinstance(weight, float) or not math.isfinite(weight):
        return None
    clean = clean_line(text, MAX_CUE)
    if not clean:
        return None
    offset = int(start) if isinstance(start, float) and start.is_integer() else -1
    if 0 <= offset < len(context) and context.startswith(text, offset):
        return Cue(UNSTORABLE.sub("\ufffd", text[:MAX_CUE]), weight, offset)
    return Cue(clean, weight)


def clean_notes(notes: Any) -> list[str]:
    """Return at most 20 lines of at most 300 characters each; blank notes and other types are dropped."""
    texts = notes if isinstance(notes, list) else []
    lines = (clean_line(text, MAX_NOTE_LENGTH) for text in texts if isinstance(text, str))
    return list(itertools.islice(filter(None, lines), MAX_NOTES))


def reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def sanitize(risk: Risk) -> Risk:
    return Risk(
        UNSTORABLE.sub("\ufffd", risk.risk),
        UNSTORABLE.sub("\ufffd", risk.category),
        UNSTORABLE.sub("\ufffd", risk.context),
    )


def to_api_error(response: aiohttp.ClientResponse, message: str) -> ApiError:
    """Return the error for a 4xx or 5xx of the AI service."""
    status = response.status if response.status in RELAYED_STATUSES or response.status == 503 else 502
    retry_after = response.headers.get("Retry-After", "")
    headers = {}
    if re.fullmatch(r"[0-9]{1,6}", retry_after, re.ASCII):
        headers["Retry-After"] = retry_after
    elif status in (429, 503):
        headers["Retry-After"] = "10"
    detail = message or Sentence("The analysis service failed (status %(status)s).", status=response.status)
    return ApiError(status, "ai_service_error", detail, headers=headers)


async def read_message(response: aiohttp.ClientResponse) -> str:
    """Return the message in an error response, empty if it has none."""
    try:
        body = (await read_limited(response, MAX_ERROR_BYTES)).decode()
    except (InvalidResponse, UnicodeDecodeError):
        return ""
    try:
        message = extract_message(json.loads(body))
    except (ValueError, RecursionError):
        message = body if response.content_type == "text/plain" else ""
    return clean_line(message, MAX_MESSAGE)


def clean_line(text: str, limit: int) -> str:
    """Return a text as one line without control characters; a longer one is cut and ends with an ellipsis."""
    clean = BLANKS.sub(" ", UNSTORABLE.sub("\ufffd", text)).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def extract_message(body: Any) -> str:
    """Return the message of the usual shapes: `detail` (a text or FastAPI's list), `error`, `message`."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return " ".join(filter(None, map(extract_message, body)))
    if isinstance(body, dict):
        candidates = (extract_message(body.get(name)) for name in ("detail", "msg", "message", "error"))
        return next(filter(None, candidates), "")
    return ""
