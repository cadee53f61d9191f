"""A TCP proxy that passes bytes on, well or badly: between RiskScan and PostgreSQL, or the AI service."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

CHUNK_BYTES = 16 * 1024
NO_LINGER = struct.pack("ii", 1, 0)

Way = Callable[[bytes], Awaitable[bytes]]


class Cut(Exception):
    """The connection ends here, in both directions, after these last bytes."""

    def __init__(self, last: bytes, *, reset: bool) -> None:
        super().__init__(last)
        self.last, self.reset = last, reset


async def passed(chunk: bytes) -> bytes:
    """Pass on what comes."""
    return chunk


async def held(chunk: bytes) -> bytes:
    """Pass on nothing, and never end."""
    await asyncio.Event().wait()
    return chunk


def delayed(seconds: float) -> Way:
    """Pass on each chunk later."""

    async def way(chunk: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return chunk

    return way


def cut(after: int = 0, *, reset: bool = True) -> Way:
    """Pass on so many bytes from now on; then end by RST, or by FIN."""
    left = after

    async def way(chunk: bytes) -> bytes:
        nonlocal left
        if len(chunk) > left:
            raise Cut(chunk[:left], reset=reset)
        left -= len(chunk)
        return chunk

    return way


def corrupted(at: int, mask: int = 0xFF) -> Way:
    """Flip bits of one byte, counted from now on."""
    seen = 0

    async def way(chunk: bytes) -> bytes:
        nonlocal seen
        place, seen = at - seen, seen + len(chunk)
        if not 0 <= place < len(chunk):
            return chunk
        return chunk[:place] + bytes([chunk[place] ^ mask]) + chunk[place + 1 :]

    return way


class Proxy:
    """Passes connections on to a port of 127.0.0.1; `up` and `down` say how bytes go there and come back."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.up: Way = passed
        self.down: Way = passed
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def listen(self) -> None:
        """Take connections, on a port that stays the same."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take no connections any more, and cut those that there are."""
        if self._server:
            self._server.close()
        await self.cut_all()

    async def heal(self) -> None:
        """Pass everything on again. What was held is not: its connections are cut."""
        self.up = self.down = passed
        await self.cut_all()
        if self._server and not self._server.is_serving():
            await self.listen()

    async def cut_all(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
                close(one, reset=reset)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            try:
                writer.write(await way(chunk))
            except Cut as end:
                writer.write(end.last)
                if end.reset:
                    await writer.drain()
                    raise
                return
            await writer.drain()


def close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if not reset:
        writer.close()
        return
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
