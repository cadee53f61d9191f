"""The HTTP server in a worker, and the standard error shape for what aiohttp itself refuses."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

from aiohttp import web, web_protocol

from ..app import create_app
from ..concurrency import ACTIVE_REQUESTS
from ..database.migrate import SchemaTooNew
from ..errors import ApiError, error_from_status, internal_error, new_request_id
from ..middleware.request_log import NO_ROUTE, RequestEvent, access_log, init_request, record_request
from ..middleware.security_headers import OTHER_HEADERS
from ..responses import json_response, respond_error
from ..schemas import Error
from ..settings import Settings

BACKLOG = 1024
READ_BYTES = 64 * 1024  # aiohttp reads up to twice this of a body ahead
KEEPALIVE_SECONDS = 75  # longer than nginx keeps its idle connections (60 s)
DRAIN_SECONDS = 15.0  # on top of the AI service's timeout
CANNOT_START = 3  # the exit status of a worker that would fail again if it were restarted

log = logging.getLogger("riskscan.server")
error_log = logging.getLogger("riskscan.errors")


class RequestHandler(web_protocol.RequestHandler):
    """A connection handler that responds to HTTP parser errors, such as a bad start line, with JSON."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the error response, without `message`, which quotes the client's bytes."""
        request_id = new_request_id()
        if status >= 500:
            error_log.error("internal error [%s]", request_id, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response was already being sent")
        error: ApiError = internal_error() if status >= 500 else error_from_status(status)
        if isinstance(request, web.Request):  # `set_headers` needs its values if it was routed
            init_request(request, request_id)
        access_log.info(RequestEvent(request.method, NO_ROUTE, error.status, 0.0, request_id, None))
        response = json_response(Error(error.code, error.detail), status, error.headers)
        response.headers.update(OTHER_HEADERS)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Request-ID"] = request_id
        response.force_close()
        return response


class Server(web.Server):
    """A server that accepts connections with our `RequestHandler`, for which aiohttp has no option."""

    def __init__(self, server: web.Server) -> None:
        super().__init__(self.handle, request_factory=server.request_factory, **server._kwargs)
        self._handle = server.request_handler

    def __call__(self) -> RequestHandler:
        return RequestHandler(self, loop=self._loop, **self._kwargs)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond; an unknown Expect header, which aiohttp refuses before the middlewares, is a 417."""
        try:
            return await self._handle(request)
        except (web.HTTPExpectationFailed, UnicodeEncodeError):  # aiohttp quotes a header that is not UTF-8
            assert isinstance(request, web.Request)
            init_request(request, new_request_id())
            record_request(request, 417, 0.0)
            return await respond_error(request, error_from_status(417))


class Runner(web.AppRunner):
    """An AppRunner with the standard error shape throughout; request bodies stay compressed."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        # aiohttp would decompress on the event loop, even the rest of a body that was refused
        super().__init__(app, auto_decompress=False, **options)

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server())


def run_worker(
    settings: Settings, listening: socket.socket, parent_alive: int, report_serving: Callable[[], None]
) -> int:
    """Serve in this process, with uvloop where it is installed; return the exit status."""
    try:
        import uvloop

        loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(serve(settings, listening, parent_alive, report_serving))


async def serve(
    settings: Settings, listening: socket.socket, parent_alive: int, report_serving: Callable[[], None]
) -> int:
    """Serve until SIGTERM, or until the pipe `parent_alive` closes; complete the requests in flight.

    `report_serving` is called once connections are accepted.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    try:
        app = create_app(settings)
        # short: the requests in flight are waited for before, and only their last bytes are left to send
        runner = Runner(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            read_bufsize=READ_BYTES,
            shutdown_timeout=5,
        )
        await runner.setup()
    except SchemaTooNew as exc:
        log.error("cannot start: %s", exc)
        return CANNOT_START
    except Exception:
        log.exception("cannot start")
        return CANNOT_START
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    loop.add_reader(parent_alive, stopped.set)
    gc.freeze()  # long-lived startup objects: exclude them from collection
    gc.enable()
    await web.SockSite(runner, listening, backlog=BACKLOG).start()
    report_serving()
    await stopped.wait()
    loop.remove_reader(parent_alive)
    for site in runner.sites:
        await site.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.ai_timeout_seconds + DRAIN_SECONDS):
            await app[ACTIVE_REQUESTS].drain()
    await runner.cleanup()
    return 0
