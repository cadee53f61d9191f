"""Prometheus metrics of all workers of one host, for who has METRICS_TOKEN; off where that is not set."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from aiohttp import hdrs, web

from .auth.access_tokens import bearer_token
from .concurrency import ACTIVE_REQUESTS, AI_CALLS, SCANS_IN_FLIGHT
from .database import DATABASE
from .errors import not_authenticated
from .settings import SETTINGS

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client looks when it is imported
SAMPLE_SECONDS = 1.0
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@contextlib.contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let the processes that are forked in this block count together, in files of a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="riskscan-metrics-") as folder:
        os.environ[FOLDER] = folder
        yield


class Metrics:
    """What is counted, and how much is under way."""

    def __init__(self) -> None:
        # not at the top: the library decides when it is imported whether processes count together
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        from prometheus_client.multiprocess import MultiProcessCollector

        own = self._shown = CollectorRegistry()
        self._folder = os.environ.get(FOLDER)
        if self._folder:
            self._shown = CollectorRegistry()
            MultiProcessCollector(self._shown)  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "riskscan_requests", "Requests answered.", ("method", "route", "status"), registry=own
        )
        self._seconds = Histogram(
            "riskscan_request_seconds",
            "Time from a request's headers to its answer.",
            ("method", "route"),
            buckets=BUCKETS_SECONDS,
            registry=own,
        )
        self._ai_calls = Counter(
            "riskscan_ai_calls", "Calls to the AI service, by ok or the error.", ("outcome",), registry=own
        )
        self._ai_seconds = Histogram(
            "riskscan_ai_call_seconds",
            "Time of a call to the AI service, the wait for a turn included.",
            buckets=BUCKETS_SECONDS,
            registry=own,
        )
        self._under_way = Gauge(
            "riskscan_under_way",
            "Requests, scans and calls to the AI service under way, and what waits for a turn.",
            ("what",),
            multiprocess_mode="livesum",
            registry=own,
        )
        self._connections = Gauge(
            "riskscan_database_connections",
            "Connections to the database that are in use, and how many there may be.",
            ("what",),
            multiprocess_mode="livesum",
            registry=own,
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        method = method if method in hdrs.METH_ALL else "OTHER"  # a client may make up any number of them
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_ai_call(self, outcome: str, seconds: float) -> None:
        """Count a call to the AI service: `ok`, `cancelled` or the code of the error that came of it."""
        self._ai_calls.labels(outcome).inc()
        self._ai_seconds.observe(seconds)

    def sample(self, app: web.Application) -> None:
        """Note how much this process has under way."""
        pool, turns = app[DATABASE], app[AI_CALLS]
        for what, number in (
            ("requests", app[ACTIVE_REQUESTS].requests),
            ("scans", app[SCANS_IN_FLIGHT].active),
            ("ai_calls", turns.active),
            ("ai_calls_waiting", turns.waiting),
        ):
            self._under_way.labels(what).set(number)
        self._connections.labels("used").set(pool.in_use)
        self._connections.labels("most").set(pool.size)

    def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format, version 0.0.4."""
        from prometheus_client import generate_latest
        from prometheus_client.multiprocess import mark_process_dead

        if self._folder:
            for file in Path(self._folder).glob("gauge_livesum_*.db"):
                pid = int(file.stem.rpartition("_")[2])
                if not is_alive(pid):
                    with contextlib.suppress(FileNotFoundError):  # another was first
                        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        return generate_latest(self._shown)


METRICS: web.AppKey[Metrics | None] = web.AppKey("METRICS")


def configure(app: web.Application) -> None:
    """Count, and answer GET /metrics, where METRICS_TOKEN is set."""
    app[METRICS] = Metrics() if app[SETTINGS].metrics_token else None
    if app[METRICS]:
        app.router.add_get("/metrics", show)
        app.cleanup_ctx.append(sample_periodically)


async def show(request: web.Request) -> web.StreamResponse:
    """Answer the metrics to who has METRICS_TOKEN as a Bearer token."""
    given = (bearer_token(request) or "").encode(errors="surrogateescape")
    if not hmac.compare_digest(given, request.app[SETTINGS].metrics_token.encode()):
        raise not_authenticated("This takes METRICS_TOKEN as a Bearer token.")
    metrics = request.app[METRICS]
    assert metrics is not None  # there is no such route else
    metrics.sample(request.app)
    body = await asyncio.to_thread(metrics.text)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})


async def sample_periodically(app: web.Application) -> AsyncIterator[None]:
    """Sample again and again: another worker may be the one that is asked."""

    metrics = app[METRICS]
    assert metrics is not None  # it is not called else

    async def sample() -> None:
        while True:
            metrics.sample(app)
            await asyncio.sleep(SAMPLE_SECONDS)

    task = asyncio.create_task(sample())
    yield
    task.cancel()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
