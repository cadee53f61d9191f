"""Serves the application on a real socket."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jinja2
import msgspec
from aiohttp import web
from jinja2.bccache import Bucket

from riskscan import template_filters
from riskscan.app import create_app
from riskscan.database.rows import utc_now
from riskscan.schemas import Scan
from riskscan.server.runner import Runner
from riskscan.settings import Rate, Settings

SECRET = "a-secret-of-the-tests-that-is-long-enough"
SAMPLES = Path(__file__).parents[1] / "samples"
OFF = Rate(0, 1)
NOWHERE = "http://127.0.0.1:1"  # a port where nothing listens


class MakeSettings(Protocol):
    def __call__(self, **changes: Any) -> Settings: ...


def make_test_settings(database_url: str, ai_service_url: str = NOWHERE, **changes: Any) -> Settings:
    """Return settings with cheap bcrypt and no rate limits."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "jwt_secret": SECRET,
        "ai_service_url": ai_service_url,
        "bcrypt_cost": 4,
        "login_limit": OFF,
        "register_limit": OFF,
        "scan_limit": OFF,
    }
    return Settings(**{**values, **changes})


class CompiledTemplates(jinja2.BytecodeCache):
    """Keeps the compiled templates of a language for the next application of the process."""

    def __init__(self) -> None:
        self.code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.code:
            bucket.bytecode_from_string(self.code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key] = bucket.bytecode_to_string()


COMPILED: dict[web.AppKey[jinja2.Environment], CompiledTemplates] = {}


class Server(NamedTuple):
    """A running application and its address."""

    app: web.Application
    url: str
    port: int


@contextlib.asynccontextmanager
async def serve(settings: Settings, **options: Any) -> AsyncIterator[Server]:
    """Serve the application on a free port during the block; `options` go to the runner."""
    app = create_app(settings)
    for key in template_filters.ENVIRONMENTS.values():
        app[key].bytecode_cache = COMPILED.setdefault(key, CompiledTemplates())
    runner = Runner(app, access_log=None, shutdown_timeout=1, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port = runner.addresses[0][1]
    try:
        yield Server(app, f"http://127.0.0.1:{port}", port)
    finally:
        await runner.cleanup()


def make_scan() -> Scan:
    now = utc_now()
    data = msgspec.Raw(b'[{"risk":"r","category":"Legal","context":"c"}]')
    return Scan(str(uuid.uuid4()), "plan.pdf", data, "model", 1, now, now, [], None, 1)
