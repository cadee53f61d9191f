"""CORS: the origins in CORS_ORIGINS may call the API with credentials, any method and any header."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import aiohttp_cors
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..errors import error_from_status
from ..request.paths import is_api
from ..settings import SETTINGS

PREFLIGHT_SECONDS = 600

Hook = Callable[[web.Request, web.StreamResponse], Awaitable[object]]


def configure(app: web.Application) -> None:
    """Allow the origins on every route under /api, and on errors outside of all routes."""
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        allow_credentials=True,
        expose_headers="*",
        allow_headers="*",
        allow_methods="*",
        max_age=PREFLIGHT_SECONDS,
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(app[SETTINGS].cors_origins, options))
    # wrap the hook that setup() has just appended (so this directly follows it): the hook is slow, and only
    # needed for an allowed origin
    library_hook = app.on_response_prepare.pop()
    app.on_response_prepare.append(functools.partial(set_headers, library_hook))
    for resource in {route.resource for route in app.router.routes()}:
        if resource is not None and resource.canonical.startswith("/api/"):
            cors.add(resource)
            for route in resource:
                if route.method != hdrs.METH_OPTIONS:
                    cors.add(route)


def is_preflight(request: web.BaseRequest) -> bool:
    return request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers


def is_preflight_for_unknown_path(request: web.Request) -> bool:
    """Return whether this is a preflight by an allowed origin for an unknown path.

    It succeeds, so that the page can read the 404 of the request that follows.
    """
    unknown = request.match_info.http_exception is not None
    return unknown and is_preflight(request) and is_api(request) and allowed_origin(request) != ""


async def set_headers(library_hook: Hook, request: web.Request, response: web.StreamResponse) -> None:
    """Set the CORS headers; aiohttp-cors omits `Vary`, and sets none at all where no route matches."""
    if not is_api(request):
        return
    headers = response.headers
    headers.add(hdrs.VARY, hdrs.ORIGIN)
    origin = allowed_origin(request)
    if not origin:
        return
    await library_hook(request, response)
    if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN in headers:
        return
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
    if is_preflight(request):
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = request.headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD]
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_SECONDS)
        requested = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
        if requested:
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = requested
    else:
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ",".join(headers.keys())


def allowed_origin(request: web.Request) -> str:
    """Return the origin of the request if it is allowed, else an empty text."""
    origin = request.headers.get(hdrs.ORIGIN, "")
    return origin if origin in request.app[SETTINGS].cors_origins else ""


@web.middleware
async def preflight_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Respond to OPTIONS requests, except preflights of known paths, which aiohttp-cors handles."""
    if request.method == hdrs.METH_OPTIONS:
        if is_preflight_for_unknown_path(request):
            return web.Response()
        if not is_preflight(request):
            return respond_options(request)
    return await handler(request)


def respond_options(request: web.Request) -> web.Response:
    """Respond with the methods that a path allows (RFC 9110, section 9.3.7)."""
    resource = request.match_info.route.resource
    if resource is None:
        raise error_from_status(404)
    # a path may be registered in several places
    same = [other for other in request.app.router.resources() if other.canonical == resource.canonical]
    methods = sorted({route.method for other in same for route in other})
    return web.Response(status=204, headers={hdrs.ALLOW: ",".join(methods)})
