"""The supervisor process: it starts and restarts the workers and the embedded AI service, and stops them."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import logging
import os
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from .. import PACKAGE
from ..ai_client import EMBEDDED
from ..ai_service.settings import SERVICE_VARIABLES, select_variables
from ..settings import Settings
from ..shared_metrics import mark_process_dead, shared_by_processes, shared_folder
from .runner import BACKLOG, CANNOT_START, run_worker

MAX_DESCRIPTORS = 65_536  # a scan in flight needs two
RESTART_SECONDS = 1.0
MAX_FOLDER_BYTES = 70  # the path of a socket has at most 103 bytes on macOS, 107 on Linux
EMBEDDED_AI = "the embedded AI service"
SOCKET_MODE = 0o660  # for a proxy in the same group

log = logging.getLogger("riskscan.server")


class Process(Protocol):
    """A child process."""

    pid: int

    def poll(self) -> int | None: ...
    def send_signal(self, signum: int) -> None: ...


class Worker:
    """A forked child that runs `main` and exits with the status it returns."""

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
    """Starts the children, restarts those that exit, and stops them all on SIGTERM or SIGINT."""

    def __init__(
        self, starters: dict[str, Callable[[], Process]], listening: socket.socket, workers: int
    ) -> None:
        self.starters = starters
        self.listening = listening
        self.workers = workers
        self.serving: set[int] = set()  # the numbers of the workers that have accepted connections
        self.serving_r, self.serving_w = os.pipe()  # each worker writes its number to it, as a byte
        self.children: dict[str, Process] = {}
        self.not_before: dict[str, float] = {}
        self.stop_signals = 0
        self.failed = False
        self._wakeup_r, self._wakeup_w = socket.socketpair()
        self._wakeup_r.setblocking(False)
        self._wakeup_w.setblocking(False)
        signal.set_wakeup_fd(self._wakeup_w.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)

    def run(self) -> int:
        """Keep the children running until SIGTERM or SIGINT; return the exit status."""
        while not self.stop_signals and not self.failed:
            self._start_missing()
            self._wait(RESTART_SECONDS if len(self.children) < len(self.starters) else None)
            self._reap()
        notify_systemd("STOPPING=1")
        stop_listening(self.listening)
        signalled: dict[str, int] = {}  # the last signal sent to each child
        while self.children:
            # a second SIGTERM or SIGINT kills the children
            signum = signal.SIGKILL if self.stop_signals > 1 else signal.SIGTERM
            # the workers need the AI service for the requests in flight, so it stops last
            workers = [name for name in self.children if name != EMBEDDED_AI]
            for name in workers or [EMBEDDED_AI]:
                if signalled.get(name) != signum:
                    signalled[name] = signum
                    self.children[name].send_signal(signum)
            self._wait(None)
            self._reap()
        return 1 if self.failed else 0

    def close_in_child(self) -> None:
        """Reset the signal handlers and close the parent's ends, in a forked worker."""
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        self._wakeup_r.close()
        self._wakeup_w.close()
        os.close(self.serving_r)

    def _start_missing(self) -> None:
        for name, start in self.starters.items():
            if name not in self.children and time.monotonic() >= self.not_before.get(name, 0):
                self.not_before[name] = time.monotonic() + RESTART_SECONDS
                self.children[name] = start()

    def _wait(self, seconds: float | None) -> None:
        """Wait for a signal or a worker that serves, or for `seconds`."""
        readable, _, _ = select.select([self._wakeup_r.fileno(), self.serving_r], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            signals = self._wakeup_r.recv(4096)  # one byte each
            self.stop_signals += sum(signum in (signal.SIGTERM, signal.SIGINT) for signum in signals)
        if self.serving_r in readable:
            served = len(self.serving)
            self.serving.update(os.read(self.serving_r, 4096))
            # once, not when a worker is restarted, and not after STOPPING=1
            if served < self.workers == len(self.serving) and not self.stop_signals and not self.failed:
                notify_systemd("READY=1")

    def _reap(self) -> None:
        for name, child in list(self.children.items()):
            status = child.poll()
            if status is None:
                continue
            del self.children[name]
            mark_process_dead(child.pid)
            if status == CANNOT_START:
                self.failed = True
            elif not (self.stop_signals or self.failed):
                log.error("%s (process %d) ended with status %d; starting another", name, child.pid, status)


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises OSError if HOST:PORT can't be bound.

    The embedded AI service reads its own settings from `environ`.
    """
    raise_descriptor_limit()
    path = settings.socket_path
    listening = listen_on_socket(path) if path else listen(settings.host, settings.port)
    starters: dict[str, Callable[[], Process]] = {}
    supervisor = Supervisor(starters, listening, settings.workers)
    parent_alive_r, parent_alive_w = os.pipe()  # the write end closes with this process, however it ends
    embedded: EmbeddedAi | None = None
    if not settings.ai_service_url:
        embedded = EmbeddedAi(environ)
        settings = dataclasses.replace(settings, ai_service_url=embedded.url)
        starters[EMBEDDED_AI] = embedded.start

    def work(number: int) -> int:
        supervisor.close_in_child()
        os.close(parent_alive_w)
        if embedded:
            embedded.close_in_child()

        def report_serving() -> None:
            os.write(supervisor.serving_w, bytes([number]))

        return run_worker(settings, listening, parent_alive_r, report_serving)

    for number in range(1, settings.workers + 1):
        starters[f"worker {number}"] = functools.partial(Worker, functools.partial(work, number))
    print(f"RiskScan is on {settings.host if path else address_url(listening)}", flush=True)
    with (
        shared_by_processes() if settings.metrics_token else contextlib.nullcontext(),
        contextlib.closing(embedded) if embedded else contextlib.nullcontext(),
    ):
        return supervisor.run()


def listen(host: str, port: int) -> socket.socket:
    """Bind an address; `::` accepts IPv4 connections too. Raises OSError."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    dual = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


def listen_on_socket(path: str) -> socket.socket:
    """Bind a Unix socket, replacing one that a killed process left. Raises OSError, also if it is in use."""
    with (
        contextlib.suppress(FileNotFoundError, ConnectionRefusedError),
        socket.socket(socket.AF_UNIX) as probe,
    ):
        probe.setblocking(False)
        probe.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)  # for the owner alone until now, by the umask
    os.chmod(path, SOCKET_MODE)
    listening.listen(BACKLOG)
    return listening


def stop_listening(listening: socket.socket) -> None:
    """Close the socket here: new connections are refused once the workers have closed it too."""
    if listening.family == socket.AF_UNIX:
        # now rather than in the end, when the file may be that of the next process
        with contextlib.suppress(OSError):
            os.unlink(listening.getsockname())
    listening.close()


def notify_systemd(state: str) -> None:
    """Report a state such as READY=1 to systemd if it asked for that (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract address
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification:
            notification.sendto(state.encode(), address)
    except OSError as exc:
        log.warning("systemd cannot be notified of %s: %s", state, exc)


def address_url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


class EmbeddedAi:
    """The AI service that comes with RiskScan, as a separate process on a Unix socket.

    The socket is in a private folder, so that no other user of the machine can connect. The supervisor holds
    it: calls wait while the process is restarted.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = select_variables(environ, SERVICE_VARIABLES)
        self._process: subprocess.Popen[bytes] | None = None
        folder = tempfile.gettempdir()
        if len(os.fsencode(folder)) > MAX_FOLDER_BYTES:
            folder = "/tmp"  # noqa: S108  # only its own user can read the folder that is made in it
        self._folder = tempfile.mkdtemp(prefix="riskscan-", dir=folder)
        path = f"{self._folder}/ai.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen(BACKLOG)
        self.url = f"{EMBEDDED}{path}"

    def start(self) -> Process:
        self._close_stdin()
        descriptor = self._socket.fileno()
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "riskscan.ai_service", "--fd", str(descriptor), "--stop-with-stdin"],
            cwd=PACKAGE.parent,  # so that -m finds riskscan, installed or in a checkout
            env=self._environ | shared_folder(),
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,  # closes when the supervisor ends, however it ends, and stops the service
            process_group=0,  # Ctrl-C signals the whole group, and the workers still need the service
        )
        return self._process

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close_in_child(self) -> None:
        """Close the parent's ends of the socket and of the pipe, in a forked worker."""
        self._close_stdin()
        self._socket.close()

    def _close_stdin(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
