"""The application: its middlewares, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import logging
from collections.abc import AsyncIterator

import aiohttp_jinja2
import aiohttp_session
import jinja2
from aiohttp import web

from . import PACKAGE, ai_client, metrics, openapi, template_filters
from .ai_service.processes import DocumentReaders
from .audit import write_audit_log
from .auth.passwords import PASSWORDS, Passwords
from .auth.sessions import DatabaseSessionStorage
from .compression import StaticBody
from .concurrency import (
    ACTIVE_REQUESTS,
    AI_CALLS,
    DATABASE_TURNS,
    DECODING,
    SCANS_IN_FLIGHT,
    TEXT_MEMORY,
    UPLOAD_MEMORY,
    ActiveRequests,
    ConcurrencyLimit,
    FairSemaphore,
    MemoryBudget,
    UploadMemory,
    half,
    overloaded,
)
from .database import DATABASE, Database
from .database.attempts import delete_expired_attempts
from .database.audit_log import delete_entries_before
from .database.daily_usage import delete_expired_usage
from .database.drivers import error_name
from .database.idempotency_keys import delete_expired_keys
from .database.late_scans import fill_late_scans
from .database.migrate import DatabaseUnavailable, SchemaTooNew, is_current, migrate
from .database.rows import utc_now
from .database.sessions import delete_expired_sessions
from .database.shares import delete_expired_shares
from .errors import ApiError
from .handlers import exports, imports, marks
from .handlers.api_docs import OPENAPI_JSON
from .middleware import cors
from .middleware.csrf import csrf_middleware
from .middleware.draining import draining_middleware
from .middleware.errors import error_middleware
from .middleware.query import QUERY_FIELDS, query_middleware
from .middleware.request_log import ACCESS_LOG, AccessLog, request_id_middleware
from .middleware.security_headers import set_headers
from .responses import FORM_LOADERS
from .routes import LOADERS, OPERATIONS, make_query_fields, make_routes
from .settings import SETTINGS, Settings

MAINTENANCE_SECONDS = 600
BACKOFF_SECONDS = (0.5, 1, 1.5)

log = logging.getLogger("riskscan.app")


def create_app(settings: Settings) -> web.Application:
    """Return the application, which migrates the database when it starts."""
    app = web.Application(
        middlewares=[
            request_id_middleware,
            error_middleware,
            cors.preflight_middleware,
            csrf_middleware,
            draining_middleware,
            query_middleware,
            aiohttp_session.session_middleware(DatabaseSessionStorage()),
        ]
    )
    app[SETTINGS] = settings
    app[SCANS_IN_FLIGHT] = ConcurrencyLimit(settings.max_scans_in_flight, "scans in flight")
    app[TEXT_MEMORY] = MemoryBudget(functools.partial(overloaded, "texts in memory"))
    app[UPLOAD_MEMORY] = UploadMemory(settings.upload_memory_bytes)
    ai_calls = settings.ai_max_concurrency // settings.workers
    app[AI_CALLS] = FairSemaphore(ai_calls, half(ai_calls), "calls of the AI service")
    app[exports.WORKBOOK_SLOTS] = FairSemaphore(exports.MAX_WORKBOOKS, exports.MAX_WORKBOOKS, "workbooks")
    app[marks.MARKING_SLOTS] = FairSemaphore(marks.MAX_MARKINGS, marks.MARKINGS_PER_USER, "documents to mark")
    app[imports.READERS] = DocumentReaders("register_reader")
    turns = half(settings.database_pool_size)
    app[DATABASE_TURNS] = FairSemaphore(turns, half(turns), "turns at the database")
    app[DECODING] = asyncio.Lock()
    app[ACTIVE_REQUESTS] = ActiveRequests()
    app[ACCESS_LOG] = AccessLog()
    app.add_routes(make_routes())
    app[QUERY_FIELDS] = make_query_fields()
    app[FORM_LOADERS] = LOADERS
    document = build_openapi()
    app[OPENAPI_JSON] = StaticBody(lambda: document)
    for language, key in template_filters.ENVIRONMENTS.items():
        environment = aiohttp_jinja2.setup(
            app,
            app_key=key,
            loader=jinja2.FileSystemLoader(PACKAGE / "templates"),
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.i18n"],
        )
        template_filters.configure(environment, settings, language)
    app.on_response_prepare.append(set_headers)
    cors.configure(app)
    app.cleanup_ctx.extend([passwords, ai_session, database, write_audit_log])
    metrics.configure(app)
    return app


@functools.cache  # it takes as long as all else in create_app, which tests call thousands of times
def build_openapi() -> bytes:
    return openapi.build(OPERATIONS)


async def passwords(app: web.Application) -> AsyncIterator[None]:
    app[PASSWORDS] = Passwords(app[SETTINGS].bcrypt_cost)
    yield
    app[PASSWORDS].close()


async def ai_session(app: web.Application) -> AsyncIterator[None]:
    app[ai_client.AI_PROBE] = ai_client.AiProbe()
    async with ai_client.open_session(app[SETTINGS].ai_service_url) as app[ai_client.AI_SESSION]:
        yield
        await ai_client.stop_probe(app)


async def database(app: web.Application) -> AsyncIterator[None]:
    """Connect and migrate the database; while it is unavailable, requests get 503; migrating is retried."""
    db = app[DATABASE] = Database(app[SETTINGS])
    await db.connect()
    db.ready = await try_migrate(app)
    stopping = asyncio.Event()
    maintenance = asyncio.create_task(run_maintenance(app, stopping))
    yield
    stopping.set()  # rather than cancel a statement in flight
    await maintenance
    await db.disconnect()


async def try_migrate(app: web.Application) -> bool:
    """Migrate unless the schema is current; return False if the database is unavailable.

    Raises SchemaTooNew.
    """
    if await is_current(app[DATABASE]):
        return True
    try:
        await asyncio.to_thread(migrate, app[SETTINGS].database_url)
    except DatabaseUnavailable as exc:
        log.warning("waiting for the database: %s", exc)
        return False
    return True


async def run_maintenance(app: web.Application, stopping: asyncio.Event) -> None:
    """Migrate once the database is available; then delete expired rows periodically."""
    db = app[DATABASE]
    attempts = 0
    while not db.ready and not stopping.is_set():
        await sleep_unless_stopping(BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS) - 1)], stopping)
        attempts += 1
        try:
            db.ready = await try_migrate(app)
        except SchemaTooNew as exc:
            log.error("cannot serve: %s", exc)
        except Exception:  # keep serving: an operator may repair the database
            log.exception("migration failed; retrying")
    while not stopping.is_set():
        try:
            await delete_expired_sessions(db)
            await delete_expired_attempts(db)
            await delete_expired_keys(db)
            await delete_expired_shares(db)
            await delete_expired_usage(db)
            if retention := app[SETTINGS].audit_retention_days:
                await delete_entries_before(db, utc_now() - datetime.timedelta(days=retention))
            if filled := await fill_late_scans(db, stopping):
                log.info("indexed %d scans that an earlier version has stored", filled)
        except ApiError as exc:
            cause = error_name(exc.__cause__ or exc)
            log.warning("could not delete expired rows and index late scans: %s", cause)
        except Exception:
            log.exception("could not delete expired rows and index late scans")
        await sleep_unless_stopping(MAINTENANCE_SECONDS, stopping)


async def sleep_unless_stopping(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
