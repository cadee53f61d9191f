"""A fake AI service on a real socket; the test sets its response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from aiohttp import web

RISKS = [
    {"risk": "Budget may run out", "category": "Financial", "context": "The budget is tight."},
    {"risk": "Deadline is aggressive", "category": "Schedule", "context": "The deadline is aggressive."},
]
FINDINGS = {"data": RISKS, "source": "model"}
# as a service sends them that says where a risk stands, how sure it is, and why
EXPLAINED = [
    {
        "risk": "The budget is tight",
        "category": "Financial",
        "context": "The budget is tight.",
        "place": "p. 7 · 4.2 Payment",
        "score": 0.6,
        "why": [
            {"text": "budget", "weight": 0.4, "start": 4},
            {"text": "tight", "weight": 0.8, "start": 14},
            {"text": "is", "weight": -0.3, "start": 11},
            {"text": "stands in a risk section", "weight": 0.2, "start": None},
        ],
    },
    {**RISKS[1], "place": "p. 2", "score": 0.7},
    {"risk": "Costs may rise", "category": "Financial", "context": "Steel may cost more.", "score": 0.9},
]
NOTES = [
    "Pages 11 to 14 were not read, because they are pictures.",
    "The sheet “Old risks” is hidden, but was read.",
]


class Part(NamedTuple):
    """A received part of a multipart body."""

    headers: dict[str, str]
    body: bytes


class Call(NamedTuple):
    """A request to POST /scan."""

    headers: dict[str, str]
    parts: dict[str, Part]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Ai:
    """A fake AI service: records its calls and responds with JSON, by a handler, or on the raw connection."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.probes = 0
        self.info: Any = {"service": "test"}
        self.answers_probes = asyncio.Event()
        self.answers_probes.set()
        self.arrived = asyncio.Event()
        self.handler: Handler = self.return_findings
        self.raw_handler: RawHandler | None = None
        self.findings: Any = FINDINGS
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def return_findings(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.findings)

    def respond_with(
        self, status: int = 200, body: Any = None, *, headers: dict[str, str] | None = None, kind: str = ""
    ) -> None:
        """Send this response to every call; a body that is not bytes is sent as JSON."""

        async def handler(request: web.Request) -> web.StreamResponse:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            all_headers = {"Content-Type": kind or "application/json", **(headers or {})}
            return web.Response(status=status, body=data, headers=all_headers)

        self.handler = handler

    def hold_responses(self) -> asyncio.Event:
        """Delay every response until the returned event is set."""
        release = asyncio.Event()

        async def handler(request: web.Request) -> web.StreamResponse:
            await release.wait()
            return await self.return_findings(request)

        self.handler = handler
        return release

    async def scan(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls.append(Call(dict(request.headers), parse_multipart(body, request.headers["Content-Type"])))
        self.arrived.set()
        return await self.handler(request)

    async def probe(self, request: web.Request) -> web.StreamResponse:
        self.probes += 1
        await self.answers_probes.wait()
        return web.json_response(self.info)

    async def serve(self) -> Callable[[], Coroutine[Any, Any, None]]:
        """Start on a free port; return a function that stops the server."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/scan", self.scan)
        app.router.add_get("/", self.probe)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        protocol = runner.server
        assert protocol is not None

        def create_protocol() -> asyncio.BaseProtocol:
            if self.raw_handler is None:
                return protocol()
            reader = asyncio.StreamReader()
            return asyncio.StreamReaderProtocol(reader, self.raw_handler)

        server = await asyncio.get_running_loop().create_server(create_protocol, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]

        async def stop() -> None:
            server.close()
            await runner.cleanup()

        return stop


def parse_multipart(body: bytes, content_type: str) -> dict[str, Part]:
    """Return the parts of a multipart body by name; parsed by hand, because parsers tolerate bad bytes."""
    boundary = content_type.partition("boundary=")[2].encode()
    assert body.endswith(b"--" + boundary + b"--\r\n")
    parts = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        name = headers["Content-Disposition"].partition('name="')[2].partition('"')[0]
        parts[name] = Part(headers, content.removesuffix(b"\r\n"))
    return parts
