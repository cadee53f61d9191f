"""GET /metrics: Prometheus metrics of all workers of this host, enabled by METRICS_TOKEN."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from . import __version__
from .concurrency import ACTIVE_REQUESTS, AI_CALLS, SCANS_IN_FLIGHT
from .database import DATABASE
from .database.attempts import check_write
from .errors import ApiError, not_authenticated
from .request.authorization import bearer_token
from .settings import SETTINGS, is_sqlite, sqlite_path
from .shared_metrics import (
    BUCKETS_SECONDS,
    FOLDER,
    make_memory_gauge,
    read_resident_bytes,
    sample_periodically,
)

if TYPE_CHECKING:  # imported late: the import decides whether processes share their metrics
    from prometheus_client import CollectorRegistry

CHECK_SECONDS = 30
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters, histograms and gauges of this process."""

    def __init__(self) -> None:
        # imported here, because the import decides whether processes share their metrics
        from prometheus_client import CollectorRegistry, Counter, Histogram
        from prometheus_client.multiprocess import MultiProcessCollector

        own = self._exposed = CollectorRegistry()
        if FOLDER in os.environ:
            self._exposed = CollectorRegistry()
            MultiProcessCollector(self._exposed)  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "riskscan_requests", "Requests completed.", ("method", "route", "status"), registry=own
        )
        self._seconds = Histogram(
            "riskscan_request_seconds",
            "Time from the request's headers to its response.",
            ("method", "route"),
            buckets=BUCKETS_SECONDS,
            registry=own,
        )
        self._ai_calls = Counter(
            "riskscan_ai_calls",
            "Calls to the AI service, by outcome: ok, refused, cancelled or the error code.",
            ("outcome",),
            registry=own,
        )
        self._ai_seconds = Histogram(
            "riskscan_ai_call_seconds",
            "Duration of a call to the AI service, including the wait for a slot.",
            buckets=BUCKETS_SECONDS,
            registry=own,
        )
        self._errors = Counter(
            "riskscan_errors", "Error responses, by the code in them.", ("code",), registry=own
        )
        self._refusals = Counter(
            "riskscan_refusals", "Requests refused by a limit, by its name.", ("limit",), registry=own
        )
        self._audit_entries = Counter(
            "riskscan_audit_entries", "Entries for the audit log, by event.", ("event",), registry=own
        )
        self._add_gauges(own)
        self._add_gauges_of_host(own)

    def _add_gauges(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Gauge

        self._in_progress = Gauge(
            "riskscan_under_way",
            "Requests, scans and AI calls in progress, and AI calls waiting for a slot.",
            ("what",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._connections = Gauge(
            "riskscan_database_connections",
            "Database connections in use, and their limit.",
            ("what",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._memory = make_memory_gauge(registry)

    def _add_gauges_of_host(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Gauge

        self._writable = Gauge(
            "riskscan_database_writable",
            "1, or 0 once a write has failed because the disk is full or the database read-only.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._disk = Gauge(
            "riskscan_free_disk_bytes",
            "Free space on the disk of temporary files, and of the SQLite database.",
            ("what",),
            multiprocess_mode="livemin",
            registry=registry,
        )
        build_info = Gauge(
            "riskscan_build_info",
            "1, with the version of RiskScan and of Python.",
            ("version", "python"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        build_info.labels(__version__, platform.python_version()).set(1)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a completed request."""
        method = method if method in hdrs.METH_ALL else "OTHER"  # clients can invent any number of methods
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_ai_call(self, outcome: str, seconds: float) -> None:
        """Count a call to the AI service; `outcome` is ok, refused, cancelled or the code of its error."""
        self._ai_calls.labels(outcome).inc()
        self._ai_seconds.observe(seconds)

    def count_error(self, error: ApiError) -> None:
        """Count an error response, and the limit that it comes from."""
        self._errors.labels(error.code).inc()
        if error.limit:
            self._refusals.labels(error.limit).inc()

    def count_audit_entry(self, event: str) -> None:
        self._audit_entries.labels(event).inc()

    def sample(self, app: web.Application) -> None:
        """Set the gauges of this process."""
        db, ai_calls = app[DATABASE], app[AI_CALLS]
        for what, value in (
            ("requests", app[ACTIVE_REQUESTS].requests),
            ("scans", app[SCANS_IN_FLIGHT].active),
            ("ai_calls", ai_calls.active),
            ("ai_calls_waiting", ai_calls.waiting),
        ):
            self._in_progress.labels(what).set(value)
        self._connections.labels("used").set(db.in_use)
        self._connections.labels("most").set(db.size)
        self._writable.set(not db.write_error)
        self._sample_disk("temporary", tempfile.gettempdir())
        url = app[SETTINGS].database_url
        if is_sqlite(url):
            self._sample_disk("database", str(sqlite_path(url).parent))
        if resident := read_resident_bytes():
            self._memory.labels("web").set(resident)

    def _sample_disk(self, what: str, folder: str) -> None:
        with contextlib.suppress(OSError):  # there is no such folder any more
            self._disk.labels(what).set(shutil.disk_usage(folder).free)

    def text(self) -> bytes:
        """Return the metrics of all workers in the Prometheus text format 0.0.4."""
        from prometheus_client import generate_latest

        return generate_latest(self._exposed)


METRICS: web.AppKey[Metrics | None] = web.AppKey("METRICS")


def configure(app: web.Application) -> None:
    """Collect metrics and register GET /metrics if METRICS_TOKEN is set."""
    app[METRICS] = Metrics() if app[SETTINGS].metrics_token else None
    if app[METRICS]:
        app.router.add_get("/metrics", show)
        app.cleanup_ctx.append(sample_gauges)


async def show(request: web.Request) -> web.StreamResponse:
    """Return the metrics. Raises 401 `not_authenticated` without METRICS_TOKEN as the Bearer token."""
    token = (bearer_token(request) or "").encode(errors="surrogateescape")
    if not hmac.compare_digest(token, request.app[SETTINGS].metrics_token.encode()):
        raise not_authenticated("METRICS_TOKEN is required as the Bearer token.")
    metrics = request.app[METRICS]
    assert metrics is not None  # only registered when metrics are enabled
    metrics.sample(request.app)
    body = await asyncio.to_thread(metrics.text)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})


async def sample_gauges(app: web.Application) -> AsyncIterator[None]:
    """Sample the gauges while the application runs, and check whether the database can be written again."""
    metrics = app[METRICS]
    assert metrics is not None  # only registered when metrics are enabled
    sampling = sample_periodically(lambda: metrics.sample(app))
    tasks = [asyncio.create_task(sampling), asyncio.create_task(check_writes(app))]
    yield
    for task in tasks:
        task.cancel()


async def check_writes(app: web.Application) -> None:
    """Check whether the database can write again once that has failed, without waiting for a health check."""
    db = app[DATABASE]
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        if db.write_error:
            with contextlib.suppress(ApiError):
                await check_write(db)
