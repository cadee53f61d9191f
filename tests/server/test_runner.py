"""The HTTP server: the standard error shape for what aiohttp refuses before the middlewares."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.program import Program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A program shared by tests that change nothing."""
    started = Program(tmp_path_factory.mktemp("program"), {"AI_SERVICE_URL": "http://127.0.0.1:1"})
    yield started
    started.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/health HTTP/9.9\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST /api/scan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        b"GET /api/health HTTP/1.1\nHost: x\n\n",
        b"GET /api/health HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"Host: x\r\n\r\n",
        b"GET /api/health?" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nExpect: \xff\r\n\r\n",
    ],
)
def test_http_parser_errors_have_the_standard_shape(program: Program, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", program.port)) as connection:
        connection.sendall(sent)
        answer = b""
        while b"}" not in answer and (received := connection.recv(65536)):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"400", b"417"), answer
    assert set(json.loads(body)) == {"error", "detail"}
    assert b"X-Request-ID: " in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert b"Content-Security-Policy: default-src 'none'" in head
    assert b"Cache-Control: no-store" in head
    assert b"Server: RiskScan\r\n" in head
    assert b"aiohttp" not in head
    assert answer.count(b"HTTP/1.") == 1  # the rest of the input is not read as a second request


async def test_other_servers_in_the_process_keep_their_own_errors(server: Server, ai: Ai) -> None:
    async def content_type(port: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return head.decode().partition("Content-Type: ")[2].partition("\r\n")[0]

    assert await content_type(server.port) == "application/json; charset=utf-8"
    assert await content_type(ai.port) == "text/plain; charset=utf-8"
