"""The application: its route table, its middlewares, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import aiohttp_session
import jinja2
from aiohttp import hdrs, web

from . import (
    accounts,
    ai_client,
    compare,
    cors,
    db,
    export,
    headers,
    health,
    metrics,
    openapi,
    pages,
    scans,
    tokens,
)
from .auth import DatabaseSessionStorage, require_same_origin
from .backpressure import AI_CALLS, SCANS_IN_FLIGHT, ConcurrencyLimit, FairSemaphore, half
from .errors import ApiError, error_from_status
from .migrate import DatabaseUnavailable, is_current, migrate
from .passwords import PASSWORDS, Passwords
from .pool import Database
from .replies import Handler, error_middleware
from .settings import SETTINGS, Settings
from .traffic import ACTIVE_REQUESTS, ActiveRequests

PACKAGE = Path(__file__).parent
MAINTENANCE_SECONDS = 600
BACKOFF_SECONDS = (0.5, 1, 1.5)

ROUTES = [
    web.get("/", accounts.home),
    web.post("/api/auth/register", accounts.register),
    web.post("/register", accounts.register),
    web.get("/register", accounts.register_page),
    web.post("/api/auth/login", accounts.login),
    web.post("/login", accounts.login),
    web.get("/login", accounts.login_page),
    web.post("/api/auth/logout", accounts.logout),
    web.post("/logout", accounts.logout),
    web.get("/api/auth/me", accounts.me),
    web.get("/account", accounts.account_page),
    web.post("/api/auth/password", accounts.change_password),
    web.post("/account/password", accounts.change_password),
    web.delete("/api/auth/me", accounts.delete),
    web.post("/account/delete", accounts.delete),  # a form can only POST
    web.get("/api/tokens", tokens.index),
    web.post("/api/tokens", tokens.create),
    web.post("/account/tokens", tokens.create),
    web.get("/account/tokens", accounts.account_page),  # the address that the new token was shown at
    web.delete("/api/tokens/{token_id}", tokens.delete),
    web.post("/account/tokens/{token_id}/delete", tokens.delete),
    web.post("/api/scan", scans.create),
    web.post("/scan", scans.create),
    web.get("/scan", scans.scan_page),
    web.get("/api/scans", scans.index),
    web.get("/scans", scans.index),
    web.get("/api/scans/export", export.export_all),  # before {scan_id}
    web.get("/scans/export", export.export_all),
    web.get("/api/stats", scans.stats),
    web.get("/scans/overview", scans.stats),
    web.get("/api/scans/{scan_id}", scans.show),
    web.get("/scans/{scan_id}", scans.show),
    web.get("/api/scans/{scan_id}/compare", compare.show),
    web.get("/scans/{scan_id}/compare", compare.show),
    web.delete("/api/scans/{scan_id}", scans.delete),
    web.post("/scans/{scan_id}/delete", scans.delete),
    web.get("/api/scans/{scan_id}/export", export.export_scan),
    web.get("/scans/{scan_id}/export", export.export_scan),
    web.get("/api/health", health.show),
    web.get("/api/health/live", health.live),
    web.get("/api/openapi.json", openapi.document),
    web.get("/api/docs", openapi.docs),
    web.get("/static/{name:.+}", pages.static_file),
]

log = logging.getLogger("riskscan.app")


def create_app(settings: Settings) -> web.Application:
    """Return the application; it migrates the database when it starts."""
    app = web.Application(
        middlewares=[
            headers.request_id_middleware,
            error_middleware,
            gate,
            aiohttp_session.session_middleware(DatabaseSessionStorage()),
        ]
    )
    app[SETTINGS] = settings
    app[SCANS_IN_FLIGHT] = ConcurrencyLimit(settings.max_scans_in_flight)
    calls = settings.ai_max_concurrency // settings.workers
    app[AI_CALLS] = FairSemaphore(calls, share=half(calls))
    app[export.WORKBOOK_SLOTS] = FairSemaphore(export.MAX_WORKBOOKS, share=export.MAX_WORKBOOKS)
    app[ACTIVE_REQUESTS] = ActiveRequests()
    app[headers.ACCESS_LOG] = headers.AccessLog()
    app.add_routes(ROUTES)
    app[openapi.OPENAPI_JSON] = openapi.build(app)
    environment = aiohttp_jinja2.setup(
        app, loader=jinja2.FileSystemLoader(PACKAGE / "templates"), undefined=jinja2.StrictUndefined
    )
    pages.configure(environment, settings)
    app.on_response_prepare.append(headers.set_headers)
    cors.configure(app)
    app.cleanup_ctx.extend([passwords, ai_session, database])
    metrics.configure(app)
    return app


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in what may come in: nothing while the process ends, and nothing that another site sends."""
    if request.method == hdrs.METH_OPTIONS:
        if cors.is_preflight_for_unknown_path(request):
            return web.Response()
        if not cors.is_preflight(request):
            return respond_options(request)
    require_same_origin(request)
    with request.app[ACTIVE_REQUESTS]:
        return await handler(request)


def respond_options(request: web.Request) -> web.Response:
    """Answer which methods a path takes (RFC 9110, section 9.3.7)."""
    resource = request.match_info.route.resource
    if resource is None:
        raise error_from_status(404)
    # a path may be registered in several places
    same = [other for other in request.app.router.resources() if other.canonical == resource.canonical]
    methods = sorted({route.method for other in same for route in other})
    return web.Response(status=204, headers={hdrs.ALLOW: ",".join(methods)})


async def passwords(app: web.Application) -> AsyncIterator[None]:
    app[PASSWORDS] = Passwords(app[SETTINGS].bcrypt_cost)
    yield
    app[PASSWORDS].close()


async def ai_session(app: web.Application) -> AsyncIterator[None]:
    app[health.AI_PROBE] = health.AiProbe()
    async with ai_client.open_session() as app[ai_client.AI_SESSION]:
        yield


async def database(app: web.Application) -> AsyncIterator[None]:
    """Migrate and open the database; while it is away, requests are answered 503 and it is tried again."""
    pool = app[db.DATABASE] = Database(app[SETTINGS])
    await pool.connect()
    pool.ready = await try_migrate(app)
    stopping = asyncio.Event()
    housekeeping = asyncio.create_task(run_maintenance(app, stopping))
    yield
    stopping.set()  # not cancelled: a statement under way ends by itself
    await housekeeping
    await pool.disconnect()


async def try_migrate(app: web.Application) -> bool:
    """Migrate where that is needed; return False where the database is away."""
    if await is_current(app[db.DATABASE]):
        return True
    try:
        await asyncio.to_thread(migrate, app[SETTINGS].database_url)
    except DatabaseUnavailable as exc:
        log.warning("waiting for the database: %s", exc)
        return False
    return True


async def run_maintenance(app: web.Application, stopping: asyncio.Event) -> None:
    """Migrate as soon as the database is there; then drop what has expired, now and then."""
    pool = app[db.DATABASE]
    tries = 0
    while not pool.ready and not stopping.is_set():
        await sleep_unless_stopping(BACKOFF_SECONDS[min(tries, len(BACKOFF_SECONDS) - 1)], stopping)
        tries += 1
        try:
            pool.ready = await try_migrate(app)
        except Exception:  # this process serves already, and the database may be mended meanwhile
            log.exception("the migrations fail; they are tried again")
    while not stopping.is_set():
        try:
            await db.delete_expired(pool)
        except ApiError as exc:
            log.warning("expired sessions and counters are still there: %s", exc.detail)
        except Exception:
            log.exception("expired sessions and counters are still there")
        await sleep_unless_stopping(MAINTENANCE_SECONDS, stopping)


async def sleep_unless_stopping(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
