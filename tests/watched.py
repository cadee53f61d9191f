"""`run.py`, with a watch on the event loop of each worker: whether a step of a task ever blocks it.

The longest go to a file in the folder WATCH_FOLDER: a line each time that one took longer than those before,
with its milliseconds and the coroutine that it came to.
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

sys.path.insert(0, str(Path(__file__).parent.parent))

import run


class Watch:
    """Measures the steps of tasks by the clock, less the time in which there was no processor for them.

    Not how late a timer is: where a machine is short of processors that is mostly the work of many steps that
    had to wait together.
    """

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / str(os.getpid()), "w")  # noqa: SIM115
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._longest = self._began = self._starved = 0.0

    def starved(self) -> float:
        """Return the seconds in which the loop's thread could have run and had no processor (proc(5))."""
        return int(os.pread(self._schedstat, 100, 0).split()[1]) / 1e9

    def begin(self) -> None:
        self._starved, self._began = self.starved(), time.perf_counter()

    def end(self, coroutine: Any) -> None:
        took = time.perf_counter() - self._began
        if took > self._longest and (blocked := took - (self.starved() - self._starved)) > self._longest:
            self._longest = blocked
            while asyncio.iscoroutine(inner := getattr(coroutine, "cr_await", None)):
                coroutine = inner
            print(f"{blocked * 1000:.1f} {coroutine.__qualname__}", file=self._file, flush=True)


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine whose steps are measured."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], watch: Watch) -> None:
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


class WatchedSite(web.SockSite):
    """A site whose tasks are watched from the moment that it takes connections."""

    async def start(self) -> None:
        await super().start()
        watch = Watch(Path(os.environ["WATCH_FOLDER"]))

        def make(
            loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None
        ) -> asyncio.Task[Any]:
            return asyncio.Task(Watched(coroutine, watch), loop=loop, context=context)

        asyncio.get_running_loop().set_task_factory(make)


if __name__ == "__main__":
    web.SockSite = WatchedSite  # type: ignore[misc]
    sys.exit(run.main())
