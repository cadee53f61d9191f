"""Shared fixtures: real SQLite files, a real PostgreSQL, the application and an AI service on sockets."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from riskscan.database.migrate import migrate
from riskscan.settings import SQLITE, Settings
from tests.support.ai import Ai
from tests.support.application import SECRET, MakeSettings, Server, make_test_settings, serve
from tests.support.client import Person
from tests.support.command_line import CommandLine
from tests.support.database import wait_patiently
from tests.support.postgres import Postgres, given_database
from tests.support.program import Program, Start

# deterministic examples and no deadline; --hypothesis-profile=default generates new ones
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")
wait_patiently()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need PostgreSQL; slow tests come first, so that processes end at the same time."""
    for item in items:
        assert isinstance(item, pytest.Function)
        params = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "postgresql" in params or "distributed" in params or "postgres" in item.fixturenames:
            item.add_marker("postgresql")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run, or for each process of pytest-xdist."""
    server = Postgres()
    server.start()
    server.create_template()
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
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database without rows; the test runs on SQLite and on PostgreSQL.

    With TEST_DATABASE_URL that is the PostgreSQL. A test may also ask for `distributed`, on which
    deploy/citus.sql was run.
    """
    if request.param == "sqlite":
        path = tmp_path / "riskscan.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"{SQLITE}{path}"
    elif request.param == "distributed":
        server: Postgres = request.getfixturevalue("postgres")
        with server.distributed_database() as url:
            yield url
    elif given := os.environ.get("TEST_DATABASE_URL"):
        with given_database(given) as url:
            yield url
    else:
        server = request.getfixturevalue("postgres")
        with server.migrated_database() as url:
            yield url


@pytest.fixture
async def ai() -> AsyncIterator[Ai]:
    """A fake AI service on a real socket; the test sets its response."""
    service = Ai()
    stop = await service.serve()
    yield service
    await stop()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**changes): settings of the server, for a test or a class")


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, database_url: str, ai: Ai) -> MakeSettings:
    """Make settings for the test's database and AI service, with the changes of its `settings` markers."""
    marked: dict[str, Any] = {}
    for marker in request.node.iter_markers("settings"):  # the test's own come first
        marked = {**marker.kwargs, **marked}

    def make(**changes: Any) -> Settings:
        return make_test_settings(
            **{"database_url": database_url, "ai_service_url": ai.url, **marked, **changes}
        )

    return make


@pytest.fixture
async def server(make_settings: MakeSettings) -> AsyncIterator[Server]:
    """The application, on the test's database and AI service."""
    async with serve(make_settings()) as started:
        yield started


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
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """The command line of a user who has not logged in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return CommandLine(folder, monkeypatch, capsys)


@pytest.fixture
async def bob(people: Callable[[], Person]) -> Person:
    person = people()
    await person.register("bob@example.com")
    return person


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `run.py` with only the given variables set."""
    started: list[Program] = []

    def run(**environ: str) -> Program:
        started.append(Program(tmp_path, environ))
        return started[-1]

    yield run
    for program in started:
        program.close()


@pytest.fixture
def collect_garbage() -> Iterator[None]:
    """Let a test get the warnings of what it leaves to the garbage collector, rather than a later test."""
    yield
    gc.collect()


@pytest.fixture(params=["sqlite", "postgresql"])
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    """No settings (SQLite), or an empty PostgreSQL database and a secret."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    return {"DATABASE_URL": url.replace("postgresql:", "postgres:"), "JWT_SECRET": SECRET}
