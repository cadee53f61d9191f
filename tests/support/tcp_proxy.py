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
    """Forward each chunk after a delay."""

    async def way(chunk: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return chunk

    return way


def cut_after(after: int = 0, *, reset: bool = True) -> Transform:
    """Forward `after` more bytes, then close by RST or by FIN."""
    left = after

    async def way(chunk: bytes) -> bytes:
        nonlocal left
        if len(chunk) > left:
            raise CutConnection(chunk[:left], reset=reset)
        left -= len(chunk)
        return chunk

    return way


def flip_byte(at: int, mask: int = 0xFF) -> Transform:
    """Flip the bits of `mask` in the byte at offset `at`, counted from now on."""
    seen = 0

    async def way(chunk: bytes) -> bytes:
        nonlocal seen
        place, seen = at - seen, seen + len(chunk)
        if not 0 <= place < len(chunk):
            return chunk
        return chunk[:place] + bytes([chunk[place] ^ mask]) + chunk[place + 1 :]

    return way


class Proxy:
    """Forwards connections to a port of 127.0.0.1; `up` and `down` transform requests and responses."""

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
        """Accept connections; the port stays the same after the first call."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop accepting connections, and close all open ones."""
        if self._server:
            self._server.close()
        await self.cut_all()

    async def heal(self) -> None:
        """Forward unchanged again; connections opened before are closed."""
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
        task = asyncio.ensure_future(self._pass_on(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers, reset = [writer], True
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(there_writer)
            ways = [
                asyncio.ensure_future(self._copy(reader, there_writer, lambda chunk: self.up(chunk))),
                asyncio.ensure_future(self._copy(there_reader, writer, lambda chunk: self.down(chunk))),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                ended = await asyncio.gather(*ways, return_exceptions=True)
            reset = not all(end is None or isinstance(end, asyncio.CancelledError) for end in ended)
        except OSError:
            pass
        finally:
            for one in writers:
                close_writer(one, reset=reset)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Transform) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            try:
                writer.write(await way(chunk))
            except CutConnection as end:
                writer.write(end.last)
                if end.reset:
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
