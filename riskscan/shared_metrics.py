"""What the processes of a host share of their Prometheus metrics: a folder of files, and how they measure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported late: the import decides whether processes share their metrics
    from prometheus_client import CollectorRegistry, Gauge

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads this variable when it is imported
SAMPLE_SECONDS = 1.0
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@contextlib.contextmanager
def shared_by_processes() -> Iterator[None]:
    """Let the processes started in this block share their metrics, by files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="riskscan-metrics-") as folder:
        os.environ[FOLDER] = folder
        yield


def shared_folder() -> dict[str, str]:
    """Return the variable with which another program shares the metrics; empty unless they are shared."""
    return {FOLDER: os.environ[FOLDER]} if FOLDER in os.environ else {}


def mark_process_dead(pid: int) -> None:
    """Drop the gauges of a process that has exited; does nothing unless metrics are shared."""
    if FOLDER in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


async def sample_periodically(sample: Callable[[], None]) -> None:
    """Call a function that sets gauges every second, as another process may be asked for them."""
    while True:
        sample()
        await asyncio.sleep(SAMPLE_SECONDS)


def make_memory_gauge(registry: CollectorRegistry) -> Gauge:
    """Return the gauge of memory, which the web server and the embedded AI service have in common."""
    from prometheus_client import Gauge

    return Gauge(
        "riskscan_resident_memory_bytes",
        "Memory of the processes, those they start included; what they share counts for each.",
        ("what",),
        multiprocess_mode="livesum",
        registry=registry,
    )


def read_resident_bytes() -> int:
    """Return the resident memory of this process and its children; 0 where there is no /proc."""
    own = str(os.getpid())
    pids, pages = [own], 0
    with contextlib.suppress(OSError):
        pids += Path(f"/proc/self/task/{own}/children").read_text().split()
    for pid in pids:
        with contextlib.suppress(OSError):  # it has exited
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
