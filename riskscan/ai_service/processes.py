"""The child processes: a pool that splits and scores text, and one process for each document that is read."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from .. import PACKAGE
from ..concurrency import FairSemaphore, half
from .errors import InternalError, ServiceError, UnreadableDocument
from .settings import SYSTEM_VARIABLES, select_variables

# one operation is a small batch and takes tens of milliseconds
OPERATION_SECONDS = 20
ALONE_SECONDS = 2.0
MAX_LINE_BYTES = 32 * 1024 * 1024
READING_SECONDS = 52
MAX_READERS = 4


class ScoringPool:
    """A few processes that run scorer.py, each on one small batch at a time.

    Users take turns, and every scan queues batch by batch. A user gets half of the processes, so that a short
    scan of another, which takes four operations, does not wait for a batch of a long scan at each; all of
    them once nobody else has scanned for ALONE_SECONDS.
    """

    def __init__(self, size: int) -> None:
        self.slots = FairSemaphore(size, half(size), alone_seconds=ALONE_SECONDS)
        self._idle: list[asyncio.subprocess.Process] = []

    async def run(self, user: str, operation: str, argument: Any) -> Any:
        """Run an operation of scorer.py for a user and return its result."""
        async with self.slots.slot(user, None):
            request = json.dumps([operation, argument], separators=(",", ":")).encode() + b"\n"
            while True:
                reused = bool(self._idle)
                process = self._idle.pop() if reused else await _start("ai_service.scorer")
                try:
                    async with asyncio.timeout(OPERATION_SECONDS):
                        response = await _exchange_lines(process, request)
                    break
                except (ConnectionError, EOFError):
                    await _kill(process)
                    # a process that was killed while it was idle is replaced
                    if not reused:
                        raise
                except BaseException:
                    await _kill(process)
                    raise
            self._idle.append(process)
        result = json.loads(response)
        if isinstance(result, dict):
            raise InternalError(result["trace"])
        return result

    async def close(self) -> None:
        """Kill the processes."""
        while self._idle:
            await _kill(self._idle.pop())


async def _exchange_lines(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert process.stdin
    assert process.stdout
    process.stdin.write(request)
    await process.stdin.drain()
    response = await process.stdout.readline()
    if not response.endswith(b"\n"):
        raise EOFError("A scoring process exited before it responded.")
    return response


class DocumentText(NamedTuple):
    """What was read of a document: units (see sentences.Unit) as JSON lists, and notes for people."""

    units: list[Any]
    notes: list[str]


class DocumentReaders:
    """Reads documents, each in a process of its own with limited resources.

    A few are read at a time, at most half of them for one user. `module` is the program that reads them.
    """

    def __init__(self, module: str = "ai_service.reader") -> None:
        self._module = module
        self.slots = FairSemaphore(MAX_READERS, half(MAX_READERS))

    async def read(self, user: str, filename: str, data: bytes | bytearray) -> DocumentText:
        """Read a document; raises ServiceError."""
        result = await self.run(user, filename, data)
        return DocumentText(result["units"], result["notes"])

    async def run(self, user: str, filename: str, data: bytes | bytearray) -> dict[str, Any]:
        """Return what the program responds; raises ServiceError."""
        async with self.slots.slot(user, None):
            with tempfile.TemporaryDirectory(prefix="riskscan-") as scratch:
                try:
                    async with asyncio.timeout(READING_SECONDS):
                        result = await process_document(self._module, scratch, filename, data)
                except TimeoutError:
                    raise UnreadableDocument("Reading the document took too long.") from None
        if "trace" in result:
            raise UnreadableDocument(
                "The document could not be read: it is damaged or needs too much memory or time.",
                f"the reader failed: {result['trace']}",
            )
        if "status" in result:
            raise ServiceError(result["status"], result["code"], result["detail"])
        return result


async def process_document(module: str, scratch: str, head: str, data: bytes | bytearray) -> dict[str, Any]:
    """Return what a module responds to what it must know of a document, and the document; it is then killed.

    If it died, that is its exit status as `trace`. `scratch` is the folder of its temporary files.
    """
    process = await _start(module, TMPDIR=scratch)
    try:
        line = await _send_document(process, head, data)
    finally:
        await _kill(process)
    if not line:
        return {"trace": f"exit status {process.returncode}"}
    response: dict[str, Any] = await asyncio.to_thread(json.loads, line)
    return response


async def _send_document(process: asyncio.subprocess.Process, head: str, data: bytes | bytearray) -> bytes:
    """Send the document and return the response line; empty if the process died."""
    assert process.stdin
    assert process.stdout
    # a reader that refuses early stops reading, but its response still counts
    with contextlib.suppress(ConnectionError):
        for part in (head.encode("utf-8", "replace"), data):
            process.stdin.write(len(part).to_bytes(8, "big"))
            process.stdin.write(part)
        await process.stdin.drain()
    try:
        return await process.stdout.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise UnreadableDocument("The document holds too much text.") from None


async def _start(module: str, **env: str) -> asyncio.subprocess.Process:
    """Start a module of riskscan, with pipes and without secrets."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"riskscan.{module}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # libraries write warnings that may quote the document
        stderr=asyncio.subprocess.DEVNULL,
        # not where the caller is: -m would import what lies there, and a checkout's riskscan is here
        cwd=PACKAGE.parent,
        limit=MAX_LINE_BYTES,
        **_own_process_group(),
        # no secrets: a document may take over the library that reads it
        env={
            **select_variables(os.environ, (*SYSTEM_VARIABLES, "AI_ENCODER")),
            "PYTHONUTF8": "1",
            "OMP_THREAD_LIMIT": "1",
            # each thread of OCR would reserve 64 MB of the address space that a reader is allowed
            "MALLOC_ARENA_MAX": "2",
            **env,
        },
    )


def _own_process_group() -> dict[str, Any]:
    """Return the argument that puts a process into a group of its own.

    Tesseract is killed with its reader, and ^C reaches only the service. Not a session, among which Linux
    shares the CPU before it looks at niceness (autogroup, sched(7)).
    """
    if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        return {"process_group": 0}
    return {"preexec_fn": os.setpgrp}  # uvloop, on which the web server runs, has no process_group


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process and its children, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
    await asyncio.shield(process.wait())


@contextlib.asynccontextmanager
async def scoring_pool(size: int) -> AsyncIterator[ScoringPool]:
    """Yield a pool and close it at the end of the block."""
    pool = ScoringPool(size)
    try:
        yield pool
    finally:
        await pool.close()
