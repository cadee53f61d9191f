"""The HTTP face of the service: POST /scan and GET /."""

import asyncio
import heapq
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from riskscan import __version__
from riskscan.ai_service.errors import ServiceError, unreadable
from riskscan.ai_service.forms import Memory, ScanForm, read_form
from riskscan.ai_service.llm import Llm, LlmError
from riskscan.ai_service.processes import Readers, Scorers, scorers
from riskscan.ai_service.settings import SETTINGS, Settings

SCORERS = web.AppKey("SCORERS", Scorers)
LLM: web.AppKey[Llm | None] = web.AppKey("LLM")
MEMORY = web.AppKey("MEMORY", Memory)
READERS = web.AppKey("READERS", Readers)
BATCH = 40
# a longer text is split in a process of its own, like a file, so that it holds up nobody
LONG_TEXT = 20_000
SCAN_SECONDS = 57
SPARE_SECONDS = 8
# more than are answered, since near-duplicates go
MOST_FOUND = 1_000

log = logging.getLogger(__name__)


async def scan(request: web.Request) -> web.Response:
    """Find the risks in a document, a text, or both."""
    started = time.monotonic()
    app = request.app
    with app[MEMORY].hold() as take:
        form = await read_form(request, app[SETTINGS].max_upload_bytes, take)
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                units = await read_units(app, form)
                left = SCAN_SECONDS - (time.monotonic() - started)
                source, data = await analyse(app, units, form.force_llm, left)
        except TimeoutError:
            raise ServiceError(
                503, "overloaded", "The service is too busy to finish this scan in time."
            ) from None
    milliseconds = (time.monotonic() - started) * 1000
    log.info("scan: %d sentences, %d findings (%s), %.0f ms", len(units), len(data), source, milliseconds)
    return web.json_response({"data": data, "source": source})


async def read_units(app: web.Application, form: ScanForm) -> list[Any]:
    """Split what was sent into units, the file's first."""
    units: list[Any] = []
    if form.filename or form.file:
        units += await app[READERS].read(form.filename or "file", form.file)
    if len(form.text) > LONG_TEXT:
        units += await app[READERS].read("", form.text.encode("utf-8", "replace"))
    elif form.text.strip():
        units += await app[SCORERS].ask("split", form.text)
    if not units:
        raise unreadable("There is no text in it to read.")
    return units


async def analyse(
    app: web.Application, units: list[Any], force_llm: bool, left: float
) -> tuple[str, list[dict[str, str]]]:
    """Find the risks by the language model, if there is one and it answers, or else by the local model."""
    settings, model = app[SETTINGS], app[LLM]
    if model:
        try:
            # the local model needs some of the time if the language model fails
            named = await model.find(
                [unit[0] for unit in units], min(settings.llm_timeout, left - SPARE_SECONDS)
            )
            return "llm", list(await app[SCORERS].ask("check", named))
        except LlmError as error:
            log.warning("language model: %s", error)
            if force_llm:
                raise ServiceError(503, "llm_unavailable", f"The language model failed: {error}.") from None
    elif force_llm:
        raise ServiceError(
            503, "llm_not_configured", "No language model is configured on this service (LLM_BASE_URL)."
        )
    return "model", await score(app[SCORERS], units)


async def score(pool: Scorers, units: list[Any]) -> list[dict[str, str]]:
    """Score the units batch by batch and return the findings in document order."""
    found: list[Any] = []
    expected = 0.0
    for start in range(0, len(units), BATCH):
        batch, of_batch = await pool.ask("score", units[start : start + BATCH])
        found += [[start + item[0], *item[1:]] for item in batch]
        expected += of_batch
    found = heapq.nlargest(MOST_FOUND, found, key=lambda item: float(item[-1]))
    return list(await pool.ask("finish", [found, expected, len(units)])) if found else []


async def about(request: web.Request) -> web.Response:
    """Say what this service is and whether a language model is configured."""
    settings = request.app[SETTINGS]
    return web.json_response(
        {
            "service": "riskscan-ai",
            "status": "ok",
            "version": __version__,
            "model": settings.llm_model or "built-in",
            "llm_configured": bool(settings.llm_base_url),
        }
    )


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every error as {"error", "detail"}."""
    try:
        return await handler(request)
    except ServiceError as refusal:
        status, code, detail = refusal.status, refusal.code, refusal.detail
        headers = {"Retry-After": "5"} if status == 503 else {}
    except web.HTTPException as error:
        status, code, detail = error.status, error.reason.lower().replace(" ", "_"), f"{error.reason}."
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    except ConnectionError:
        raise
    except Exception:
        log.exception("scan failed")
        status, code, detail, headers = (
            500,
            "internal_error",
            "The analysis failed; this is a fault in the service.",
            {},
        )
    log.info("refused: %d %s", status, code)
    return web.json_response({"error": code, "detail": detail}, status=status, headers=headers)


async def processes(app: web.Application) -> AsyncIterator[None]:
    """Keep the working processes for the life of the service."""
    app[READERS] = Readers()
    async with scorers(app[SETTINGS].workers) as app[SCORERS]:
        yield


async def language_model(app: web.Application) -> AsyncIterator[None]:
    """Keep the connection to the language model, if one is configured."""
    app[LLM] = None
    if not app[SETTINGS].llm_base_url:
        yield
        return
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        app[LLM] = Llm(session, app[SETTINGS])
        yield


def create_app(settings: Settings | None = None) -> web.Application:
    """Build the service."""
    # bodies are counted as they stream in, by forms.py
    app = web.Application(middlewares=[errors])
    app[SETTINGS] = settings or Settings()
    app[MEMORY] = Memory()
    app.cleanup_ctx.extend((processes, language_model))
    app.add_routes([web.post("/scan", scan), web.get("/", about)])
    return app
