"""`run.py` with a monitor on each worker's event loop that records steps of tasks that block it.

Each new maximum is appended to a file in the folder WATCH_FOLDER,
as milliseconds and the name of the innermost coroutine.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Coroutine, Generator
from contextvars import Context
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[2]))

import run


class LoopMonitor:
    """Measures the wall time of task steps, less the time spent waiting for a CPU.

    It does not measure timer delay, which on a busy machine mostly sums up
    many short steps.
    """

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / str(os.getpid()), "w")  # noqa: SIM115
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._longest = self._began = self._starved = 0.0

    def cpu_wait(self) -> float:
        """Return the seconds that the loop's thread was runnable but waited for a CPU (proc(5))."""
        return int(os.pread(self._schedstat, 100, 0).split()[1]) / 1e9

    def begin(self) -> None:
        self._starved, self._began = self.cpu_wait(), time.perf_counter()

    def end(self, coroutine: Any) -> None:
        took = time.perf_counter() - self._began
        if took > self._longest and (blocked := took - (self.cpu_wait() - self._starved)) > self._longest:
            self._longest = blocked
            while asyncio.iscoroutine(inner := getattr(coroutine, "cr_await", None)):
                coroutine = inner
            print(f"{blocked * 1000:.1f} {coroutine.__qualname__}", file=self._file, flush=True)


class MonitoredCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine wrapper that measures each step."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], watch: LoopMonitor) -> None:
        self._coroutine, self._watch = coroutine, watch

    def send(self, value: Any) -> Any:
        self._watch.begin()
        try:
            return self._coroutine.send(value)
        finally:
            self._watch.end(self._coroutine)

    def throw(self, *exc: Any) -> Any:
        self._watch.begin()
        try:
            return self._coroutine.throw(*exc)
        finally:
            self._watch.end(self._coroutine)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


class MonitoredSite(web.SockSite):
    """A site that monitors the tasks started after it listens."""

    async def start(self) -> None:
        await super().start()
        watch = LoopMonitor(Path(os.environ["WATCH_FOLDER"]))

        def make(
            loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None
        ) -> asyncio.Task[Any]:
            return asyncio.Task(MonitoredCoroutine(coroutine, watch), loop=loop, context=context)

        asyncio.get_running_loop().set_task_factory(make)


if __name__ == "__main__":
    web.SockSite = MonitoredSite  # type: ignore[misc]
    sys.exit(run.main())
