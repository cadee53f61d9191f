"""The HTTP interface of the service: POST /scan and GET /."""

import asyncio
import contextlib
import heapq
import json
import logging
import math
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from .. import __version__
from ..concurrency import MemoryBudget
from ..errors import REQUEST_ID, read_request_id
from ..logs import Event
from ..shared_metrics import sample_periodically
from .document_kind import recognize_kind
from .errors import InternalError, ServiceError, UnreadableDocument, format_trace
from .llm import Answer, DocumentTooLong, LanguageModel, LanguageModelError, NamedSentence
from .metrics import METRICS, make_metrics
from .notes import (
    HELP_AFTER_FAILURE,
    HELP_TOO_LONG,
    HELP_WITHOUT_MODEL,
    TOO_LONG,
    describe_foreign_parts,
    describe_left_out,
    describe_part_read,
    limit_notes,
)
from .places import describe_place
from .processes import DocumentReaders, DocumentText, ScoringPool, scoring_pool
from .reading.blocks import Place
from .scan_form import ScanForm, read_form, too_many_documents
from .settings import SETTINGS, Settings

SCORING_POOL = web.AppKey("SCORING_POOL", ScoringPool)
DOCUMENT_READERS = web.AppKey("DOCUMENT_READERS", DocumentReaders)
LANGUAGE_MODEL: web.AppKey[LanguageModel | None] = web.AppKey("LANGUAGE_MODEL")
MEMORY_BUDGET = web.AppKey("MEMORY_BUDGET", MemoryBudget)
# a batch takes some tens of milliseconds, whatever the units say
BATCH_UNITS = 40
BATCH_CHARS = 6_000
# a longer text is split by a reader process, like a file, so that it does not block the scoring pool
LONG_TEXT_CHARS = 20_000
SCAN_SECONDS = 57
# reserved for the built-in analyser, in case the language model fails
BUILT_IN_SECONDS = 8
# more than the response can hold, because alike sentences are merged
MAX_CANDIDATES = 1_000

log = logging.getLogger(__name__)


class ScanEvent(Event, frozen=True):
    """A completed scan; `languages` are those of its sentences, if the built-in analyser read them."""

    sentences: int
    findings: int
    source: str
    languages: str
    milliseconds: float
    request_id: str


class ErrorEvent(Event, frozen=True):
    """An error response; `cause` quotes no document."""

    status: int
    error: str
    cause: str
    request_id: str


class FallbackEvent(Event, frozen=True):
    """A scan that the built-in analyser takes over from the language model."""

    cause: str
    request_id: str


class Analysis(NamedTuple):
    """The findings of a document with their source, the languages of its sentences if known, and notes.

    Findings are dicts of the fields of findings.Finding.
    """

    source: str
    findings: list[dict[str, Any]]
    languages: list[str]
    notes: list[str]


async def scan(request: web.Request) -> web.Response:
    """Find the risks in a document, a text, or both."""
    metrics = request.app[METRICS]
    with metrics.measure_scan() if metrics else contextlib.nullcontext():
        return await analyse(request)


async def analyse(request: web.Request) -> web.Response:
    started = time.monotonic()
    app = request.app
    # without a key each request counts as a user, and may have what the others leave
    user = request.headers.get("X-User-Key") or uuid.uuid4().hex
    with app[MEMORY_BUDGET].reserve(user) as allocate:
        form = await read_form(request, app[SETTINGS].max_upload_bytes, allocate)
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                units, notes = await read_form_parts(app, user, form)
                seconds_left = SCAN_SECONDS - (time.monotonic() - started)
                analysis = await find_risks(request, user, units, form.force_llm, seconds_left)
        except TimeoutError:
            raise ServiceError(
                503, "overloaded", "The service is too busy to finish this scan in time."
            ) from None
    milliseconds = round((time.monotonic() - started) * 1000, 1)
    source, findings, languages, _ = analysis
    data = [to_answer(finding, units) for finding in findings]
    log.info(
        ScanEvent(len(units), len(data), source, ", ".join(languages), milliseconds, request[REQUEST_ID])
    )
    notes = limit_notes([*analysis.notes, *notes])
    return web.json_response({"data": data, "source": source} | ({"notes": notes} if notes else {}))


def to_answer(finding: dict[str, Any], units: list[Any]) -> dict[str, Any]:
    """Return a finding as the response has it, with the place of its unit."""
    answer = {name: finding[name] for name in ("risk", "category", "context")}
    # the last item of a unit is its place
    places = [Place(*units[position][-1]) for position in (finding["position"], *finding["alike"])]
    if place := describe_place(places[0], places[1:]):
        answer["place"] = place
    if finding["why"]:
        answer["why"] = json.loads(finding["why"])
    if finding["score"]:
        answer["score"] = round(1 / (1 + math.exp(-finding["score"])), 3)
    return answer


async def read_form_parts(app: web.Application, user: str, form: ScanForm) -> DocumentText:
    """Read the file, then the text."""
    parts: list[DocumentText] = []
    if form.filename or form.file:
        parts.append(await app[DOCUMENT_READERS].read(user, form.filename or "file", form.file))
    if len(form.text) > LONG_TEXT_CHARS:
        parts.append(await app[DOCUMENT_READERS].read(user, "", form.text.encode("utf-8", "replace")))
    elif form.text.strip():
        parts.append(DocumentText(await app[SCORING_POOL].run(user, "split", form.text), []))
    units = [unit for part in parts for unit in part.units]
    if not units:
        raise UnreadableDocument("No readable text found.")
    return DocumentText(units, [note for part in parts for note in part.notes])


async def find_risks(
    request: web.Request, user: str, units: list[Any], force_llm: bool, seconds_left: float
) -> Analysis:
    """Find risks with the language model, or with the built-in analyser without one or when it fails."""
    app = request.app
    language_model = app[LANGUAGE_MODEL]
    notes, help_with_languages = [], HELP_WITHOUT_MODEL
    if language_model:
        seconds = min(app[SETTINGS].llm_timeout, seconds_left - BUILT_IN_SECONDS)
        try:
            answer = await language_model.find_risks(user, [unit[0] for unit in units], seconds)
            if not answer.unread:
                return await verify_findings(app[SCORING_POOL], user, answer.named)
            if force_llm:
                raise LanguageModelError(answer.cause)
            log.warning(FallbackEvent(f"the language model read a part: {answer.cause}", request[REQUEST_ID]))
            return await complete_answer(app[SCORING_POOL], user, units, answer)
        except LanguageModelError as error:
            cause = f"the language model failed: {error}"
            if force_llm:
                detail = f"The language model failed: {error}."
                raise ServiceError(503, "llm_unavailable", detail, cause) from None
            log.warning(FallbackEvent(cause, request[REQUEST_ID]))
            help_with_languages = HELP_AFTER_FAILURE
            if isinstance(error, DocumentTooLong):
                notes, help_with_languages = [TOO_LONG], HELP_TOO_LONG
    elif force_llm:
        cause = "force_llm was sent, but LLM_BASE_URL is not set"
        raise ServiceError(503, "llm_not_configured", "This server has no language model.", cause)
    analysis = await score_units(app[SCORING_POOL], user, units, help_with_languages)
    return analysis._replace(notes=notes + analysis.notes)


async def complete_answer(pool: ScoringPool, user: str, units: list[Any], answer: Answer) -> Analysis:
    """Let the built-in analyser read what the language model did not."""
    named = await verify_findings(pool, user, answer.named)
    unread = [units[position] for position in answer.unread]
    others = await score_units(pool, user, unread, HELP_AFTER_FAILURE)
    known = {finding["context"]: finding for finding in named.findings}
    found = list(named.findings)
    for finding in others.findings:
        finding["position"], *finding["alike"] = (
            answer.unread[position] for position in (finding["position"], *finding["alike"])
        )
        if same := known.get(finding["context"]):
            same["alike"] += [finding["position"], *finding["alike"]]
        else:
            found.append(finding)
    found.sort(key=lambda finding: int(finding["position"]))
    note = describe_part_read(len(units) - len(unread), len(units))
    return Analysis("model", found, others.languages, [note, *named.notes, *others.notes])


async def verify_findings(pool: ScoringPool, user: str, named: list[NamedSentence]) -> Analysis:
    """Verify what the language model named."""
    found, left_out = await pool.run(user, "verify", named[:MAX_CANDIDATES])
    has_more = len(named) > MAX_CANDIDATES
    return Analysis("llm", found, [], describe_left_out(len(found), left_out, has_more, "first"))


async def score_units(pool: ScoringPool, user: str, units: list[Any], help_with_languages: str) -> Analysis:
    """Score the units in batches and return the findings in document order."""
    sentences: Counter[str] = Counter()
    chars: Counter[str] = Counter()
    languages = await identify_languages(pool, user, units)
    for unit, language in zip(units, languages, strict=True):
        sentences[language] += 1
        chars[language] += len(unit[0])
    notes = describe_foreign_parts(sentences, chars, help_with_languages)
    candidates = await find_candidates(pool, user, units, languages)
    surest = choose_surest(candidates)
    reasons = {finding[0]: finding.pop() for finding in surest}  # they stay here
    if not surest:
        return Analysis("model", [], list(sentences), notes)
    found, left_out = await pool.run(user, "select", surest)
    for finding in found:
        finding["why"] = reasons[finding["position"]]
    notes += describe_left_out(len(found), left_out, len(surest) < len(candidates), "surest")
    return Analysis("model", found, list(sentences), notes)


async def identify_languages(pool: ScoringPool, user: str, units: list[Any]) -> list[str]:
    """Return the language of each unit; batch by batch, because it may be that of the unit before."""
    languages: list[str] = []
    for _, batch in split_into_batches(units):
        languages += await pool.run(user, "identify", [[unit[0] for unit in batch], *languages[-1:]])
    return languages


async def find_candidates(pool: ScoringPool, user: str, units: list[Any], languages: list[str]) -> list[Any]:
    """Score the units, as many batches at a time as the pool allows; return the candidates in their order."""
    kind = recognize_kind([unit[0] for unit in units])
    tasks = []
    for start, batch in split_into_batches(units):
        before = units[start - 1][0] if start else ""
        scored, their_languages = list(map(to_scored, batch)), languages[start : start + len(batch)]
        argument = [start, scored, their_languages, before, len(units), kind]
        tasks.append(asyncio.create_task(pool.run(user, "score", argument)))
    try:
        return [finding for found in await asyncio.gather(*tasks) for finding in found]
    finally:
        for task in tasks:  # of the others if one has failed
            task.cancel()


def to_scored(unit: list[Any]) -> list[Any]:
    """Return what the score of a unit depends on: text, kind, section and headings; the place stays here."""
    return [*unit[:3], Place(*unit[3]).headings]


def choose_surest(candidates: list[Any]) -> list[Any]:
    """Return the candidates with the highest scores, which are their fifth items."""
    return heapq.nlargest(MAX_CANDIDATES, candidates, key=lambda finding: float(finding[4]))


def split_into_batches(units: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Return batches that are small in units and in characters, each with the position of its first unit."""
    start = chars = 0
    for position, unit in enumerate(units):
        if position - start == BATCH_UNITS or (position > start and chars + len(unit[0]) > BATCH_CHARS):
            yield start, units[start:position]
            start, chars = position, 0
        chars += len(unit[0])
    yield start, units[start:]


async def show_info(request: web.Request) -> web.Response:
    """Describe the service and whether it has a language model."""
    settings = request.app[SETTINGS]
    language_model = request.app[LANGUAGE_MODEL]
    return web.json_response(
        {
            "service": "riskscan-ai",
            "status": "ok",
            "version": __version__,
            "model": settings.llm_model or "built-in",
            "llm_configured": bool(settings.llm_base_url),
            "llm_paused": bool(language_model and language_model.paused),
        }
    )


@web.middleware
async def handle_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn exceptions into {"error", "detail"}, and log them."""
    request[REQUEST_ID] = read_request_id(request)
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except ServiceError as exc:
        error = exc
        if error.status == 503:
            headers["Retry-After"] = "5"
    except web.HTTPException as exc:
        error = ServiceError(exc.status, exc.reason.lower().replace(" ", "_"), f"{exc.reason}.")
        if "Allow" in exc.headers:
            headers["Allow"] = exc.headers["Allow"]
    except ConnectionError:
        raise
    except Exception as exc:
        error = InternalError(format_trace(exc))
    level = logging.ERROR if error.status == 500 else logging.WARNING if error.cause else logging.INFO
    log.log(level, ErrorEvent(error.status, error.code, error.cause, request[REQUEST_ID]))
    return web.json_response(
        {"error": error.code, "detail": error.detail}, status=error.status, headers=headers
    )


async def run_processes(app: web.Application) -> AsyncIterator[None]:
    """Run the child processes while the application runs."""
    app[DOCUMENT_READERS] = DocumentReaders()
    async with scoring_pool(app[SETTINGS].workers) as app[SCORING_POOL]:
        yield


async def sample_metrics(app: web.Application) -> AsyncIterator[None]:
    """Sample the gauges, if there are metrics, while the application runs."""
    metrics = app[METRICS]
    if metrics is None:
        yield
        return

    readers, scorers = app[DOCUMENT_READERS].slots, app[SCORING_POOL].slots
    task = asyncio.create_task(sample_periodically(lambda: metrics.sample(readers, scorers)))
    yield
    task.cancel()


async def connect_language_model(app: web.Application) -> AsyncIterator[None]:
    """Hold a client session for the language model, if one is configured, while the application runs."""
    app[LANGUAGE_MODEL] = None
    if not app[SETTINGS].llm_base_url:
        yield
        return
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        app[LANGUAGE_MODEL] = language_model = LanguageModel(session, app[SETTINGS])
        yield
        await language_model.close()


def create_app(settings: Settings | None = None) -> web.Application:
    """Build the application."""
    # scan_form.py limits the size of a body while reading it
    app = web.Application(middlewares=[handle_errors])
    app[SETTINGS] = settings or Settings()
    app[MEMORY_BUDGET] = MemoryBudget(too_many_documents)
    app[METRICS] = make_metrics()
    app.cleanup_ctx.extend((run_processes, sample_metrics, connect_language_model))
    app.add_routes([web.post("/scan", scan), web.get("/", show_info)])
    return app
