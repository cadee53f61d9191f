"""The contract's error shape for what aiohttp refuses before a request reaches the application."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ..errors import ApiError, error_from_status, internal_error, new_request_id
from ..middleware.request_log import NO_ROUTE, RequestEvent, access_log, init_request, record_request
from ..middleware.security_headers import API_HEADERS
from ..responses import json_response, respond_error
from ..schemas import Error

log = logging.getLogger("riskscan.errors")


def handle_error(
    handler: RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,
) -> web.StreamResponse:
    """Answer what the HTTP parser refuses (a bad start line, a long header, a broken chunk) as JSON.

    `message` quotes the sender's bytes, so it is left out.
    """
    request_id = new_request_id()
    if status >= 500:
        log.error("internal error [%s]", request_id, exc_info=exc)
    if request.writer.output_size > 0:  # the answer is on its way already
        raise ConnectionError("the answer was cut short")
    error: ApiError = internal_error() if status >= 500 else error_from_status(status)
    if isinstance(request, web.Request):  # its headers are set as any other's
        init_request(request, request_id)
    access_log.info(RequestEvent(request.method, NO_ROUTE, error.status, 0.0, request_id, None))
    response = json_response(Error(error.code, error.detail), status, error.headers)
    response.headers.update(API_HEADERS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Request-ID"] = request_id
    response.force_close()
    return response


class Runner(web.AppRunner):
    """An AppRunner whose every refusal has the contract's shape; bodies arrive as they were sent."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        # aiohttp would unpack, on the loop, even the rest of a body that was refused
        super().__init__(app, auto_decompress=False, **options)

    async def _make_server(self) -> web.Server:
        RequestHandler.handle_error = handle_error  # type: ignore[method-assign,assignment]  # aiohttp has no hook
        server = await super()._make_server()
        inner = server.request_handler

        async def outer(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await inner(request)
            # an unknown Expect, which aiohttp quotes before the middlewares, though it be no UTF-8
            except (web.HTTPExpectationFailed, UnicodeEncodeError):
                assert isinstance(request, web.Request)
                init_request(request, new_request_id())
                record_request(request, 417, 0.0)
                return respond_error(request, error_from_status(417))

        server.request_handler = outer
        return server
