"""GET /metrics: Prometheus metrics of all workers of this host, enabled by METRICS_TOKEN."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .auth.access_tokens import bearer_token
from .concurrency import ACTIVE_REQUESTS, AI_CALLS, SCANS_IN_FLIGHT
from .database import DATABASE
from .errors import not_authenticated
from .settings import SETTINGS

if TYPE_CHECKING:  # imported late: the import decides whether processes share their metrics
    from prometheus_client import CollectorRegistry

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads this variable when it is imported
SAMPLE_SECONDS = 1.0
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@contextlib.contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let the processes forked in this block share their metrics, by files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="riskscan-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        yield


def mark_process_dead(pid: int) -> None:
    """Drop the gauges of a worker that has exited; does nothing unless metrics are shared."""
    if SHARED_FOLDER in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Metrics:
    """The counters, histograms and gauges of this process."""

    def __init__(self) -> None:
        # imported here, because the import decides whether processes share their metrics
        from prometheus_client import CollectorRegistry, Counter, Histogram
        from prometheus_client.multiprocess import MultiProcessCollector

        own = self._exposed = CollectorRegistry()
        if SHARED_FOLDER in os.environ:
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
            "Calls to the AI service, by outcome: ok, cancelled or the error code.",
            ("outcome",),
            registry=own,
        )
        self._ai_seconds = Histogram(
            "riskscan_ai_call_seconds",
            "Duration of a call to the AI service, including the wait for a slot.",
            buckets=BUCKETS_SECONDS,
            registry=own,
        )
        self._add_gauges(own)

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

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a completed request."""
        method = method if method in hdrs.METH_ALL else "OTHER"  # clients can invent any number of methods
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_ai_call(self, outcome: str, seconds: float) -> None:
        """Count a call to the AI service; `outcome` is ok, cancelled or the code of its error."""
        self._ai_calls.labels(outcome).inc()
        self._ai_seconds.observe(seconds)

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
        app.cleanup_ctx.append(sample_periodically)


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


async def sample_periodically(app: web.Application) -> AsyncIterator[None]:
    """Sample every second, because another worker may serve GET /metrics."""
    metrics = app[METRICS]
    assert metrics is not None  # only registered when metrics are enabled

    async def sample() -> None:
        while True:
            metrics.sample(app)
            await asyncio.sleep(SAMPLE_SECONDS)

    task = asyncio.create_task(sample())
    yield
    task.cancel()
