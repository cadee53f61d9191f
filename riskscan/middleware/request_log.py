"""Request IDs, the access log and the request metrics."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from .. import server_timing
from ..auth.authentication import USER_ID
from ..errors import CLIENT_CLOSED_REQUEST, REQUEST_ID, read_request_id
from ..logs import Event
from ..metrics import METRICS

NO_ROUTE = "(no route)"

access_log = logging.getLogger("riskscan.access")


@web.middleware
async def request_id_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its ID; log and count it when it is done."""
    init_request(request, read_request_id(request))
    begin = time.perf_counter()
    status = CLIENT_CLOSED_REQUEST  # if the handler is cancelled
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as exc:
        status = exc.status
        raise
    finally:
        record_request(request, status, time.perf_counter() - begin)
    return response


def init_request(request: web.Request, request_id: str) -> None:
    """Set the request ID, and start the timings of the request."""
    request[REQUEST_ID] = request_id
    server_timing.start()


class RequestEvent(Event, frozen=True):
    """A completed request, with its route instead of its path and query, which may be confidential."""

    method: str
    route: str
    status: int
    milliseconds: float
    request_id: str
    user_id: str | None

    def __str__(self) -> str:
        begin = f"{self.method} {self.route} {self.status} {self.milliseconds:.1f} ms"
        return f"{begin} request={self.request_id} user={self.user_id or '-'}"


def record_request(request: web.Request, status: int, seconds: float) -> None:
    """Write a request to the access log, and count it."""
    app, resource = request.app, request.match_info.route.resource
    route = resource.canonical if resource else NO_ROUTE
    if access_log.isEnabledFor(logging.INFO):
        milliseconds, user_id = round(seconds * 1000, 1), request.get(USER_ID)
        event = RequestEvent(request.method, route, status, milliseconds, request[REQUEST_ID], user_id)
        app[ACCESS_LOG].add(event)
    metrics = app[METRICS]
    if metrics is not None:
        metrics.count_request(request.method, route, status, seconds)


class AccessLog:
    """Logs the requests completed in one turn of the event loop together.

    Saves 5 % of the CPU time of a small request under load, as the code stays in the caches (29 November).
    """

    def __init__(self) -> None:
        self._completed: list[RequestEvent] = []

    def add(self, event: RequestEvent) -> None:
        if not self._completed:
            asyncio.get_running_loop().call_soon(self._write)
        self._completed.append(event)

    def _write(self) -> None:
        completed, self._completed = self._completed, []
        for event in completed:
            access_log.info(event)


ACCESS_LOG = web.AppKey("ACCESS_LOG", AccessLog)
