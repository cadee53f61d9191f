"""Shared fixtures: real SQLite files, a real PostgreSQL, the application and an AI service on sockets."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import aiohttp
import hypothesis
import pytest
from ai import Ai
from aiohttp import web
from postgres import Postgres
from yarl import URL

from riskscan.app import create_app
from riskscan.database.migrate import migrate
from riskscan.server.runner import Runner
from riskscan.settings import SQLITE, Rate, Settings

SECRET = "a-secret-of-the-tests-that-is-long-enough"
PASSWORD = "correct horse"
SAMPLES = Path(__file__).parent / "samples"
OFF = Rate(0, 1)

# deterministic examples and no deadline; --hypothesis-profile=default generates new ones
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run, with a migrated database `template`."""
    server = Postgres()
    server.start()
    server.execute("CREATE DATABASE template")
    migrate(server.url("template"))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"{SQLITE}{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "riskscan.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"{SQLITE}{path}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database(template="template")


@pytest.fixture
async def ai() -> AsyncIterator[Ai]:
    """A fake AI service on a real socket; the test sets its response."""
    service = Ai()
    stop = await service.serve()
    yield service
    await stop()


class MakeSettings(Protocol):
    def __call__(self, **changes: Any) -> Settings: ...


@pytest.fixture
def make_settings(database_url: str, ai: Ai) -> MakeSettings:
    """Make settings for the test's database and AI service, with cheap bcrypt and no rate limits."""

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "database_url": database_url,
            "jwt_secret": SECRET,
            "ai_service_url": ai.url,
            "bcrypt_cost": 4,
            "login_limit": OFF,
            "register_limit": OFF,
            "scan_limit": OFF,
        }
        return Settings(**{**values, **changes})

    return make


class Server(NamedTuple):
    """The application on a socket, as in production."""

    app: web.Application
    url: str
    port: int


@contextlib.asynccontextmanager
async def serve(settings: Settings, **options: Any) -> AsyncIterator[Server]:
    """Serve the application on a free port during the block; `options` go to the runner."""
    app = create_app(settings)
    runner = Runner(app, access_log=None, shutdown_timeout=1, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port = runner.addresses[0][1]
    try:
        yield Server(app, f"http://127.0.0.1:{port}", port)
    finally:
        await runner.cleanup()


@pytest.fixture
async def server(make_settings: MakeSettings) -> AsyncIterator[Server]:
    """The application, on the test's database and AI service."""
    async with serve(make_settings()) as started:
        yield started


class Person:
    """A client with its own cookie jar; logged in if it has a token."""

    def __init__(self, server: Server) -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        self.url = server.url
        self.session = aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(limit=0))
        self.token = ""
        self.email = ""
        self.id = ""

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request; the path is sent as given, already percent-encoded."""
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Reply(response.status, response.headers.copy(), await response.read(), response.cookies)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self.request("POST", path, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.request("DELETE", path, **options)

    async def register(self, email: str, password: str = PASSWORD) -> None:
        """Register, and send the access token from now on."""
        reply = await self.post("/api/auth/register", json={"email": email, "password": password})
        assert reply.status == 201, reply.body
        self.email, self.id, self.token = email, reply.json["user_id"], reply.json["access_token"]
        self.session.headers["Authorization"] = f"Bearer {self.token}"
        self.session.cookie_jar.clear()

    async def scan(self, **fields: Any) -> dict[str, Any]:
        """Scan a text, or a file given as (name, bytes); return the scan."""
        reply = await self.post("/api/scan", data=form(**fields))
        assert reply.status == 200, reply.body
        scan: dict[str, Any] = reply.json
        return scan


class Reply:
    """A response with its whole body."""

    def __init__(self, status: int, headers: Any, body: bytes, cookies: Any) -> None:
        self.status, self.headers, self.body, self.cookies = status, headers, body, cookies

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json", self.body
        return json.loads(self.body)


def form(**fields: Any) -> aiohttp.FormData:
    """Return a multipart form of text fields and files; a file is (name, bytes) or (name, bytes, type)."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, tuple):
            filename, content, *kind = value
            data.add_field(
                name, io.BytesIO(content), filename=filename, content_type=kind[0] if kind else None
            )
        else:
            data.add_field(name, value)
    return data


@pytest.fixture
async def people(server: Server) -> AsyncIterator[Callable[[], Person]]:
    """Make clients of the server; all are closed after the test."""
    made: list[Person] = []

    def make() -> Person:
        made.append(Person(server))
        return made[-1]

    yield make
    for person in made:
        await person.session.close()


@pytest.fixture
async def guest(people: Callable[[], Person]) -> Person:
    """A client that is not logged in."""
    return people()


@pytest.fixture
async def alice(people: Callable[[], Person]) -> Person:
    person = people()
    await person.register("alice@example.com")
    return person


@pytest.fixture
async def bob(people: Callable[[], Person]) -> Person:
    person = people()
    await person.register("bob@example.com")
    return person


@contextlib.asynccontextmanager
async def registered_person(server: Server, email: str = "ana@example.com") -> AsyncIterator[Person]:
    """Register a client on a server that the test started itself."""
    person = Person(server)
    try:
        await person.register(email)
        yield person
    finally:
        await person.session.close()


def assert_error(reply: Reply, status: int, code: str, **fields: Any) -> str:
    """Check the full shape of an error response; return its detail."""
    assert (reply.status, reply.json.get("error")) == (status, code), reply.body
    body = dict(reply.json)
    detail = body.pop("detail")
    assert isinstance(detail, str)
    assert detail
    assert body.pop("error") == code
    named = body.pop("fields", {})
    if fields:
        assert set(named) == set(fields)
    assert all(isinstance(text, str) and text for text in named.values())
    assert body.pop("error_description", detail) == detail
    assert body == {}
    assert reply.headers["X-Request-ID"]
    if status == 401:
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    if status in (429, 503):
        assert int(reply.headers["Retry-After"]) >= 1
    return detail
