"""Runs `run.py` and records the task steps that block each worker's event loop for 10 ms or longer.

Each is appended to a file in LOOP_MONITOR_FOLDER, one file per process: milliseconds and the name of the
innermost coroutine.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import time
from collections.abc import Coroutine, Generator
from contextvars import Context
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[2]))

from riskscan.__main__ import main

LONG_SECONDS = 0.01


class LoopMonitor:
    """Measures the wall time of each task step, minus the time spent waiting for a CPU.

    Timer delay would not do: on a busy machine it is mostly the sum of many short steps.
    """

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / str(os.getpid()), "w")  # noqa: SIM115
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._started = self._waited = 0.0

    def cpu_wait(self) -> float:
        """Return how many seconds the thread of the loop has waited for a CPU (schedstat, proc(5))."""
        return int(os.pread(self._schedstat, 100, 0).split()[1]) / 1e9

    def start_step(self) -> None:
        self._waited, self._started = self.cpu_wait(), time.perf_counter()

    def end_step(self, coroutine: Any) -> None:
        duration = time.perf_counter() - self._started
        if (
            duration >= LONG_SECONDS
            and (blocked := duration - (self.cpu_wait() - self._waited)) >= LONG_SECONDS
        ):
            while inspect.iscoroutine(inner := getattr(coroutine, "cr_await", None)):
                coroutine = inner
            print(f"{blocked * 1000:.1f} {coroutine.__qualname__}", file=self._file, flush=True)


class MonitoredCoroutine(Coroutine[Any, Any, Any]):
    """Wraps a coroutine and measures each of its steps."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], monitor: LoopMonitor) -> None:
        self._coroutine, self._monitor = coroutine, monitor

    def send(self, value: Any) -> Any:
        self._monitor.start_step()
        try:
            return self._coroutine.send(value)
        finally:
            self._monitor.end_step(self._coroutine)

    def throw(self, *exc: Any) -> Any:
        self._monitor.start_step()
        try:
            return self._coroutine.throw(*exc)
        finally:
            self._monitor.end_step(self._coroutine)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


class MonitoredSite(web.SockSite):
    """A site that, once it listens, monitors every new task."""

    async def start(self) -> None:
        await super().start()
        monitor = LoopMonitor(Path(os.environ["LOOP_MONITOR_FOLDER"]))

        def create_task(
            loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None
        ) -> asyncio.Task[Any]:
            return asyncio.Task(MonitoredCoroutine(coroutine, monitor), loop=loop, context=context)

        asyncio.get_running_loop().set_task_factory(create_task)


if __name__ == "__main__":
    web.SockSite = MonitoredSite  # type: ignore[misc]
    sys.exit(main())
