"""A fault-injecting TCP proxy between RiskScan and PostgreSQL or the AI service."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

CHUNK_BYTES = 16 * 1024
NO_LINGER = struct.pack("ii", 1, 0)

Transform = Callable[[bytes], Awaitable[bytes]]


class CutConnection(Exception):
    """Raised to close the connection in both directions after sending `last`."""

    def __init__(self, last: bytes, *, reset: bool) -> None:
        super().__init__(last)
        self.last, self.reset = last, reset


async def forward(chunk: bytes) -> bytes:
    """Forward the bytes unchanged."""
    return chunk


async def hold(chunk: bytes) -> bytes:
    """Forward nothing, and keep the connection open."""
    await asyncio.Event().wait()
    return chunk


def delay(seconds: float) -> Transform:
    """Return a transform that forwards each chunk after a delay."""

    async def transform(chunk: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return chunk

    return transform


def cut_after(limit: int = 0, *, reset: bool = True) -> Transform:
    """Return a transform that forwards `limit` more bytes, then closes with RST or FIN."""
    remaining = limit

    async def transform(chunk: bytes) -> bytes:
        nonlocal remaining
        if len(chunk) > remaining:
            raise CutConnection(chunk[:remaining], reset=reset)
        remaining -= len(chunk)
        return chunk

    return transform


def flip_byte(offset: int, mask: int = 0xFF) -> Transform:
    """Return a transform that flips the bits of `mask` in one byte; the offset counts from now on."""
    seen = 0

    async def transform(chunk: bytes) -> bytes:
        nonlocal seen
        index, seen = offset - seen, seen + len(chunk)
        if not 0 <= index < len(chunk):
            return chunk
        return chunk[:index] + bytes([chunk[index] ^ mask]) + chunk[index + 1 :]

    return transform


class Proxy:
    """Forwards connections to a local port; `up` transforms requests, `down` responses."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.up: Transform = forward
        self.down: Transform = forward
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def listen(self) -> None:
        """Accept connections, after the first call on the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop accepting connections, and close all open ones."""
        if self._server:
            self._server.close()
        await self.cut_all()

    async def heal(self) -> None:
        """Close all connections, and forward new ones unchanged."""
        self.up = self.down = forward
        await self.cut_all()
        if self._server and not self._server.is_serving():
            await self.listen()

    async def cut_all(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._relay(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers, reset = [writer], True
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(target_writer)
            directions = [
                asyncio.ensure_future(self._copy(reader, target_writer, lambda chunk: self.up(chunk))),
                asyncio.ensure_future(self._copy(target_reader, writer, lambda chunk: self.down(chunk))),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                outcomes = await asyncio.gather(*directions, return_exceptions=True)
            reset = not all(
                outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes
            )
        except OSError:
            pass
        finally:
            for open_writer in writers:
                close_writer(open_writer, reset=reset)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transform: Transform
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            try:
                writer.write(await transform(chunk))
            except CutConnection as cut:
                writer.write(cut.last)
                if cut.reset:
                    await writer.drain()
                    raise
                return
            await writer.drain()


def close_writer(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if not reset:
        writer.close()
        return
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
