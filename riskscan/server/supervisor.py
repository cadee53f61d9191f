"""The processes: one that looks after the others, the workers that answer, and the embedded AI service."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from ..app import create_app
from ..concurrency import ACTIVE_REQUESTS
from ..metrics import mark_process_dead, shared_by_workers
from ..settings import Settings
from .runner import Runner

BACKLOG = 1024
READ_BYTES = 64 * 1024  # twice this of a body is read ahead
KEEPALIVE_SECONDS = 75  # longer than the 60 s for which nginx keeps its connections
MAX_DESCRIPTORS = 65_536  # a scan in flight needs two
CANNOT_START = 3  # the exit status of a worker that would fail the same way again
RESTART_SECONDS = 1.0
DRAIN_SECONDS = 15.0  # beside the time that the AI service may take
EMBEDDED_AI = "the embedded AI service"

log = logging.getLogger("riskscan.server")


class Process(Protocol):
    """A child process."""

    pid: int

    def poll(self) -> int | None: ...
    def send_signal(self, signum: int) -> None: ...


class Worker:
    """A forked child that runs `main` and ends with what it returns."""

    def __init__(self, main: Callable[[], int]) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                status = main()
            except BaseException:
                log.exception("a worker failed")
            finally:
                os._exit(status)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)


class Supervisor:
    """Starts the children, restarts those that die, and ends them all on SIGTERM or SIGINT."""

    def __init__(self, starters: dict[str, Callable[[], Process]], listening: socket.socket) -> None:
        self.starters = starters
        self.listening = listening
        self.children: dict[str, Process] = {}
        self.not_before: dict[str, float] = {}
        self.stops = 0
        self.failed = False
        self._wake, wake = socket.socketpair()
        for end in (self._wake, wake):
            end.setblocking(False)
        self._wake_end = wake
        signal.set_wakeup_fd(wake.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)

    def run(self) -> int:
        """Look after the children until told to stop; return the exit status."""
        while not self.stops and not self.failed:
            self._start_missing()
            self._wait(RESTART_SECONDS if len(self.children) < len(self.starters) else None)
            self._reap()
        self.listening.close()  # a connection is refused when no process has the socket any more
        told: dict[str, int] = {}  # by child, the signal that it was sent
        while self.children:
            signum = signal.SIGKILL if self.stops > 1 else signal.SIGTERM  # a second one ends it now
            # the workers need the AI service for what is in flight
            workers = [name for name in self.children if name != EMBEDDED_AI]
            for name in workers or [EMBEDDED_AI]:
                if told.get(name) != signum:
                    told[name] = signum
                    self.children[name].send_signal(signum)
            self._wait(None)
            self._reap()
        return 1 if self.failed else 0

    def release(self) -> None:
        """Give back, in a child, what belongs to the parent."""
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        self._wake.close()
        self._wake_end.close()

    def _start_missing(self) -> None:
        for name, start in self.starters.items():
            if name not in self.children and time.monotonic() >= self.not_before.get(name, 0):
                self.not_before[name] = time.monotonic() + RESTART_SECONDS
                self.children[name] = start()

    def _wait(self, seconds: float | None) -> None:
        select.select([self._wake], [], [], seconds)
        try:
            arrived = self._wake.recv(4096)
        except BlockingIOError:
            return
        self.stops += sum(signum in (signal.SIGTERM, signal.SIGINT) for signum in arrived)

    def _reap(self) -> None:
        for name, child in list(self.children.items()):
            status = child.poll()
            if status is None:
                continue
            del self.children[name]
            mark_process_dead(child.pid)
            if status == CANNOT_START:
                self.failed = True
            elif not self.stops:
                log.error("%s (process %d) ended with status %d; starting another", name, child.pid, status)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises OSError where HOST:PORT can't be had."""
    raise_descriptor_limit()
    listening = listen(settings.host, settings.port)
    starters: dict[str, Callable[[], Process]] = {}
    supervisor = Supervisor(starters, listening)
    life, alive = os.pipe()  # `alive` closes with this process, however it ends
    embedded: EmbeddedAi | None = None
    if not settings.ai_service_url:
        embedded = EmbeddedAi()
        settings = dataclasses.replace(settings, ai_service_url=embedded.url)
        starters[EMBEDDED_AI] = embedded.start

    def work() -> int:
        supervisor.release()
        os.close(alive)
        if embedded:
            embedded.release()
        return run_worker(settings, listening, life)

    for number in range(1, settings.workers + 1):
        starters[f"worker {number}"] = lambda: Worker(work)
    host, port = listening.getsockname()[:2]
    print(f"RiskScan is on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    with shared_by_workers() if settings.metrics_token else contextlib.nullcontext():
        return supervisor.run()


def listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class EmbeddedAi:
    """The AI service that RiskScan brings along: a process of its own on a free loopback port.

    The socket is ours, so that its port stays the same and calls wait while the process is restarted.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> Process:
        self._close_input()
        descriptor = self._socket.fileno()
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "riskscan.ai_service", "--fd", str(descriptor), "--stop-with-stdin"],
            cwd=Path(__file__).parents[2],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,  # closes with this process, however it ends, and the service with it
            process_group=0,  # Ctrl-C is sent to a whole group, and the workers are still to finish
        )
        return self._process

    def release(self) -> None:
        """Give back, in a worker, what belongs to the parent."""
        self._close_input()
        self._socket.close()

    def _close_input(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()


def run_worker(settings: Settings, listening: socket.socket, life: int) -> int:
    try:
        import uvloop

        loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(serve(settings, listening, life))


async def serve(settings: Settings, listening: socket.socket, life: int) -> int:
    """Serve on the socket until SIGTERM, or until the parent is gone; finish what is in flight."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    try:
        app = create_app(settings)
        # what is in flight is waited for before the runner is cleaned up: it has only its last bytes to send
        runner = Runner(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            read_bufsize=READ_BYTES,
            shutdown_timeout=5,
        )
        await runner.setup()
    except Exception:
        log.exception("cannot start")
        return CANNOT_START
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    loop.add_reader(life, stopped.set)
    gc.freeze()  # what is there by now stays, and need not be looked at again
    gc.enable()
    await web.SockSite(runner, listening, backlog=BACKLOG).start()
    await stopped.wait()
    loop.remove_reader(life)
    for site in runner.sites:
        await site.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.ai_timeout_seconds + DRAIN_SECONDS):
            await app[ACTIVE_REQUESTS].drain()
    await runner.cleanup()
    return 0
