"""Turn everything that a handler raises into a response."""

from __future__ import annotations

import contextlib
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from ..database.drivers import error_name
from ..database.rows import TokenRevoked
from ..errors import (
    CLIENT_CLOSED_REQUEST,
    REQUEST_ID,
    ApiError,
    Sentence,
    error_from_status,
    internal_error,
    invalid_token,
    not_authenticated,
)
from ..request.authorization import bearer_token
from ..request.body import MAX_FORM_BYTES, join_shared_text, read_fields
from ..request.connection import has_left
from ..responses import SCAN_PATH, SHARE_PATH, respond_error

log = logging.getLogger("riskscan.errors")


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an error response."""
    try:
        return await handler(request)
    except (ApiError, TokenRevoked) as exc:
        error = exc if isinstance(exc, ApiError) else revoked(request)
        if error.status >= 500:
            log.warning("%s: %s [%s]", error.code, cause_name(error), request[REQUEST_ID])
        if error.status in (401, 429, 503) and request.path in (SCAN_PATH, SHARE_PATH):
            # the body is still unread: read it, to redisplay the text or carry it through the log-in
            with contextlib.suppress(ApiError):
                await read_fields(request, MAX_FORM_BYTES // 2)  # to leave room for the log-in's own fields
                if request.path == SHARE_PATH:
                    join_shared_text(request)
        return await respond_error(request, error)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
        error = error_from_status(exc.status, allow)
        if exc.status == 404 and request.path.endswith("/"):
            error.detail = Sentence("This address does not exist. Leave out the slash at its end.")
        return await respond_error(request, error)
    except Exception as exc:
        if isinstance(exc, ConnectionError) and has_left(request):
            return web.Response(status=CLIENT_CLOSED_REQUEST)  # for the log and the metrics
        log.exception("internal error [%s]", request[REQUEST_ID])
        return await respond_error(request, internal_error())


def revoked(request: web.Request) -> ApiError:
    """Return the 401 for TokenRevoked."""
    if bearer_token(request) is None:
        return not_authenticated()
    return invalid_token("The access token has been revoked, or its account was deleted.")


def cause_name(exc: BaseException) -> str:
    """Return the name of the cause; its message may quote user input."""
    return error_name(exc.__cause__) if exc.__cause__ else "refused"
