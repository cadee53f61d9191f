"""The metrics of the embedded service, which the web server exposes with its own (GET /metrics)."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from aiohttp import web

from ..concurrency import FairSemaphore
from ..shared_metrics import BUCKETS_SECONDS, make_memory_gauge, read_resident_bytes, shared_folder
from .errors import ServiceError


class Metrics:
    """The counters, histograms and gauges of this process, in the files that all processes share."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # few services need it

        registry = CollectorRegistry()
        self._scans = Counter(
            "riskscan_ai_service_scans",
            "Scans completed by the embedded AI service, by outcome: ok, refused (for the document), "
            "unavailable (busy, or without the language model), failed or cancelled.",
            ("outcome",),
            registry=registry,
        )
        self._seconds = Histogram(
            "riskscan_ai_service_scan_seconds",
            "Duration of a scan in the embedded AI service.",
            buckets=BUCKETS_SECONDS,
            registry=registry,
        )
        self._in_progress = Gauge(
            "riskscan_ai_service_under_way",
            "Scans in progress, busy processes for documents and sentences, and what waits for them.",
            ("what",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._memory = make_memory_gauge(registry)

    @contextlib.contextmanager
    def measure_scan(self) -> Iterator[None]:
        """Count the scan in this block, and measure how long it takes."""
        started, outcome = time.monotonic(), "failed"
        self._in_progress.labels("scans").inc()
        try:
            yield
            outcome = "ok"
        except ServiceError as exc:
            outcome = "refused" if exc.status < 500 else "unavailable" if exc.status == 503 else "failed"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._in_progress.labels("scans").dec()
            self._scans.labels(outcome).inc()
            self._seconds.observe(time.monotonic() - started)

    def sample(self, readers: FairSemaphore, scorers: FairSemaphore) -> None:
        """Set the gauges of the processes."""
        for what, slots in (("readers", readers), ("scorers", scorers)):
            self._in_progress.labels(what).set(slots.active)
            self._in_progress.labels(f"{what}_waiting").set(slots.waiting)
        if resident := read_resident_bytes():
            self._memory.labels("ai_service").set(resident)


METRICS: web.AppKey[Metrics | None] = web.AppKey("METRICS")


def make_metrics() -> Metrics | None:
    """Return the metrics if the web server, which starts this process, shares them with it."""
    return Metrics() if shared_folder() else None
