"""The child processes that do the work: scorers that stay, and one reader for each document."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import Any

from riskscan.ai_service.errors import ServiceError, unreadable

# one exchange with a scorer is a small batch: tens of milliseconds
EXCHANGE_SECONDS = 20
LINE_BYTES = 32 * 1024 * 1024
READER_SECONDS = 52
READERS = 4
OUTPUT_BYTES = 32 * 1024 * 1024


class Scorers:
    """A few processes that split and score text, each serving one small batch at a time.

    Waiting is first come, first served, and every scan asks for one batch after another, so that
    scans take turns and a short one waits for a batch of a long one, never for all of it.
    """

    def __init__(self, count: int) -> None:
        self._slots = asyncio.Semaphore(count)
        self._idle: list[asyncio.subprocess.Process] = []

    async def ask(self, operation: str, argument: Any) -> Any:
        """Run one operation of scorer.py and return its answer."""
        line = json.dumps([operation, argument], separators=(",", ":")).encode() + b"\n"
        async with self._slots:
            while True:
                used = bool(self._idle)
                process = self._idle.pop() if used else await _start("scorer", limit=LINE_BYTES)
                try:
                    async with asyncio.timeout(EXCHANGE_SECONDS):
                        answer = await _exchange(process, line)
                    break
                except (ConnectionError, EOFError):
                    # one that was killed while it waited is replaced
                    await _kill(process)
                    if not used:
                        raise
                except BaseException:
                    await _kill(process)
                    raise
            self._idle.append(process)
        return json.loads(answer)

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await _kill(self._idle.pop())


async def _exchange(process: asyncio.subprocess.Process, line: bytes) -> bytes:
    assert process.stdin
    assert process.stdout
    process.stdin.write(line)
    await process.stdin.drain()
    answer = await process.stdout.readline()
    if not answer.endswith(b"\n"):
        raise EOFError("A scoring process ended in the middle of its work.")
    return answer


class Readers:
    """Reads documents, each in a process of its own under limits, a few at a time."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(READERS)

    async def read(self, filename: str, data: bytes | bytearray) -> list[Any]:
        """Return the document's units (see sentences.Unit) as JSON lists; raises ServiceError."""
        async with self._slots:
            with tempfile.TemporaryDirectory(prefix="riskscan-") as scratch:
                process = await _start("reader", filename, limit=LINE_BYTES, TMPDIR=scratch)
                try:
                    async with asyncio.timeout(READER_SECONDS):
                        answer = await _document(process, data)
                except TimeoutError:
                    raise unreadable("Reading the document took too long.") from None
                finally:
                    await _kill(process)
        if not answer:
            raise unreadable(
                "The document could not be read: it is damaged or needs too much memory or time."
            )
        result = json.loads(answer)
        if isinstance(result, dict):
            raise ServiceError(result["status"], result["code"], result["detail"])
        return list(result)


async def _document(process: asyncio.subprocess.Process, data: bytes | bytearray) -> bytes:
    assert process.stdin
    assert process.stdout
    # a reader that refuses early stops reading: its answer still counts
    with contextlib.suppress(ConnectionError):
        process.stdin.write(len(data).to_bytes(8, "big"))
        process.stdin.write(data)
        await process.stdin.drain()
    try:
        answer = await process.stdout.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise unreadable("The document holds too much text.") from None
    return answer


async def _start(module: str, *arguments: str, limit: int, **env: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"riskscan.ai_service.{module}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=limit,
        # a group of its own: Tesseract goes with the reader that called it, and ^C reaches only the service
        start_new_session=True,
        env={**os.environ, "PYTHONUTF8": "1", "OMP_THREAD_LIMIT": "1", **env},
    )


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
    await asyncio.shield(process.wait())


@contextlib.asynccontextmanager
async def scorers(count: int) -> AsyncIterator[Scorers]:
    """Scorers that end with the block."""
    pool = Scorers(count)
    try:
        yield pool
    finally:
        await pool.close()
