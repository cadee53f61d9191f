"""Broken connections to PostgreSQL and the AI service, and full disks: clean errors, then recovery."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import os
import pwd
import re
import resource
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from riskscan import database
from riskscan.audit import AUDIT_LOG
from riskscan.concurrency import UPLOAD_MEMORY
from riskscan.database.migrate import DatabaseUnavailable, migrate
from riskscan.handlers import scans
from riskscan.settings import SQLITE, sqlite_path
from tests.support.ai import Ai
from tests.support.application import MakeSettings, Server, make_test_settings, serve
from tests.support.client import (
    Person,
    Reply,
    assert_error,
    assert_health,
    form,
    registered_person,
    wait_until_recovered,
)
from tests.support.database import short_timeouts
from tests.support.postgres import Postgres, database_name
from tests.support.tcp_proxy import (
    CutConnection,
    Proxy,
    Transform,
    cut_after,
    delay,
    flip_byte,
    forward,
    hold,
)

pytestmark = pytest.mark.slow

TEXT = "The budget is tight."


async def count_scans(person: Person) -> int:
    """Return the total of the list, and check that each scan can be read."""
    listed = (await person.get("/api/scans?limit=100")).json
    assert len(listed["scans"]) == listed["total"]
    for scan in listed["scans"]:
        assert (await person.get(f"/api/scans/{scan['scan_id']}")).json["risk_count"] == scan["risk_count"]
    found: int = listed["total"]
    return found


# asyncpg leaves a socket to the garbage collector when a connection is closed while connecting
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collect_garbage")
class TestDatabaseFaults:
    @pytest.fixture
    async def link(self, postgres: Postgres) -> AsyncIterator[Proxy]:
        """A proxy in front of PostgreSQL."""
        async with Proxy(postgres.port) as proxy:
            yield proxy

    @pytest.fixture
    def direct_url(self, postgres: Postgres) -> Iterator[str]:
        with postgres.migrated_database() as url:
            yield url

    @pytest.fixture
    def database_url(self, direct_url: str, postgres: Postgres, link: Proxy) -> str:
        return direct_url.replace(f":{postgres.port}/", f":{link.port}/")

    @pytest.mark.parametrize(
        ("direction", "make"),
        [
            ("down", lambda: cut_after()),
            ("down", lambda: cut_after(reset=False)),
            ("down", lambda: cut_after(30)),
            ("up", lambda: cut_after()),
            ("up", lambda: cut_after(30, reset=False)),
            ("down", lambda: hold),
            ("up", lambda: hold),
            ("down", lambda: delay(1)),
        ],
        ids=["RST", "FIN", "RST mid-response", "RST on request", "FIN mid-request",
             "responses held", "requests held", "late responses"],
    )  # fmt: skip
    async def test_broken_connection_is_an_error_and_recovers(
        self, make_settings: MakeSettings, link: Proxy, direction: str, make: Callable[[], Transform]
    ) -> None:
        async with serve(make_settings()) as server, registered_person(server) as ana:
            scan = await ana.scan(text=TEXT)
            path = f"/api/scans/{scan['scan_id']}"
            setattr(link, direction, make())
            requests = [ana.get("/api/auth/me"), ana.get("/api/scans"), ana.get(path)] * 10
            requests.append(ana.post("/api/scan", data=form(text=TEXT)))
            with short_timeouts():
                replies = await asyncio.gather(*requests)
            for reply in replies:
                assert_error(reply, 503, "database_unavailable")
            await link.heal()
            await wait_until_recovered(ana)
            assert await count_scans(ana) == 1
            assert (await ana.get(path)).json == scan

    async def test_refused_connection_is_a_503_and_recovers(
        self, make_settings: MakeSettings, link: Proxy
    ) -> None:
        async with serve(make_settings()) as server, registered_person(server) as ana:
            await link.refuse()
            assert_error(await ana.get("/api/auth/me"), 503, "database_unavailable")
            await link.heal()
            await wait_until_recovered(ana)

    async def test_slow_connection_succeeds(self, make_settings: MakeSettings, link: Proxy) -> None:
        async with serve(make_settings()) as server, registered_person(server) as ana:
            link.up = link.down = delay(0.05)
            await asyncio.gather(*(ana.scan(text=TEXT) for _ in range(20)))
            assert await count_scans(ana) == 20

    async def test_insert_with_a_lost_response_stores_the_scan_once(
        self, make_settings: MakeSettings, link: Proxy, postgres: Postgres, direct_url: str, ai: Ai
    ) -> None:
        async with serve(make_settings(database_pool_size=1)) as server, registered_person(server) as ana:
            await ana.scan(text=TEXT)  # prepares the statement: the next response is that of the insert
            await server.app[AUDIT_LOG].drain()  # its statements have responses too
            name = database_name(direct_url)
            inserted: list[int] = []

            async def lost(chunk: bytes) -> bytes:
                link.down = forward
                inserted.append(postgres.execute("SELECT count(*) FROM scans", name)[0][0])
                raise CutConnection(b"", reset=True)

            go = ai.hold_responses()
            ai.arrived.clear()
            asked = asyncio.create_task(ana.scan(text=TEXT))
            await ai.arrived.wait()
            link.down = lost
            go.set()
            scan = await asked
            assert inserted == [2]
            assert await count_scans(ana) == 2
            assert (await ana.get(f"/api/scans/{scan['scan_id']}")).json == scan

    async def test_delete_with_a_lost_response_is_a_503_and_done(
        self, make_settings: MakeSettings, link: Proxy
    ) -> None:
        async with serve(make_settings(database_pool_size=1)) as server, registered_person(server) as ana:
            scans_made = [await ana.scan(text=TEXT) for _ in range(2)]
            first, second = (f"/api/scans/{scan['scan_id']}" for scan in scans_made)
            assert (await ana.delete(first)).status == 200
            await server.app[AUDIT_LOG].drain()  # its statements have answers too
            answers = 0

            async def lost(
                chunk: bytes,
            ) -> bytes:  # of the authentication, BEGIN, the lock and DELETE they pass
                nonlocal answers
                answers += 1
                if answers == 5:
                    link.down = forward
                    raise CutConnection(b"", reset=False)
                return chunk

            link.down = lost
            assert_error(await ana.delete(second), 503, "database_unavailable")
            assert_error(await ana.get(second), 404, "not_found")
            assert await count_scans(ana) == 0

    async def test_shutdown_message_on_an_idle_connection_is_a_503(
        self, make_settings: MakeSettings, link: Proxy
    ) -> None:
        """A statement may start after PostgreSQL's last message and before the connection is closed."""
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
        message = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

        async def shut_down(chunk: bytes) -> bytes:
            link.down = forward
            return chunk + message

        async with serve(make_settings(database_pool_size=1)) as server, registered_person(server) as ana:
            assert (await ana.get("/api/auth/me")).status == 200  # prepares the statement
            for _ in range(5):  # the housekeeping after the start may meet the message instead
                link.down = shut_down
                await ana.get("/api/auth/me")
                reply = await ana.get("/api/auth/me")
                if reply.status != 200:
                    break
            assert_error(reply, 503, "database_unavailable")
            assert (await ana.get("/api/auth/me")).status == 200

    # yoyo warns this after its connection was closed
    @pytest.mark.filterwarnings("ignore:Nested transaction requested")
    async def test_migrations_resume_after_a_cut_at_any_point(self, postgres: Postgres, link: Proxy) -> None:
        """A worker that starts during an outage must retry instead of stopping the server."""
        url = postgres.create_database().replace(f":{postgres.port}/", f":{link.port}/")
        cuts = 0
        while True:
            link.down = cut_after(300 * cuts)
            try:
                await asyncio.to_thread(migrate, url)
                break
            except DatabaseUnavailable:
                cuts += 1
                await link.heal()
        assert cuts > 5  # at least a cut before, between and after the statements
        await link.heal()
        assert await asyncio.to_thread(migrate, url) == 0


SHORT_TIMEOUT = pytest.mark.settings(ai_timeout_seconds=1)


class TestAiServiceFaults:
    @pytest.fixture
    async def link(self, ai: Ai) -> AsyncIterator[Proxy]:
        """A proxy in front of the AI service."""
        async with Proxy(ai.port) as proxy:
            yield proxy

    @pytest.fixture
    def make_settings(self, make_settings: MakeSettings, link: Proxy) -> MakeSettings:
        return functools.partial(make_settings, ai_service_url=f"http://127.0.0.1:{link.port}")

    async def scan_large_document(self, person: Person) -> Reply:
        """Scan a document that is larger than the socket buffers."""
        document = ("plan.txt", TEXT.encode() * 100_000)
        return await person.post("/api/scan", data=form(file=document))

    @pytest.mark.parametrize(
        ("direction", "make", "status"),
        [
            pytest.param("down", lambda: cut_after(), 503, id="RST"),
            pytest.param("down", lambda: cut_after(reset=False), 503, id="FIN"),
            pytest.param("down", lambda: cut_after(30), 503, id="RST in the head"),
            pytest.param("down", lambda: cut_after(200, reset=False), 502, id="FIN in the body"),
            pytest.param("down", lambda: cut_after(200), 502, id="RST in the body"),
            pytest.param("up", lambda: cut_after(), 503, id="RST on request"),
            pytest.param("up", lambda: cut_after(100_000), 503, id="RST mid-upload"),
            pytest.param("up", lambda: cut_after(100_000, reset=False), 503, id="FIN mid-upload"),
            pytest.param("down", lambda: hold, 503, id="response held", marks=SHORT_TIMEOUT),
            pytest.param("up", lambda: hold, 503, id="request held", marks=SHORT_TIMEOUT),
            pytest.param("down", lambda: delay(2), 503, id="late response", marks=SHORT_TIMEOUT),
            pytest.param("down", lambda: flip_byte(0), 502, id="not HTTP"),
            pytest.param("down", lambda: flip_byte(9, 0x20), 502, id="no status"),
        ],
    )
    async def test_broken_connection_is_an_error_and_recovers(
        self, alice: Person, link: Proxy, direction: str, make: Callable[[], Transform], status: int
    ) -> None:
        setattr(link, direction, make())
        reply = await self.scan_large_document(alice)
        code = "ai_service_unavailable" if status == 503 else "ai_service_invalid_response"
        assert_error(reply, status, code)
        assert await count_scans(alice) == 0
        await link.heal()
        while (reply := await self.scan_large_document(alice)).status != 200:
            assert_error(reply, 503, "ai_service_unavailable")  # the short timeout of a busy machine
        assert await count_scans(alice) == 1

    async def test_refused_connection_is_a_503_and_recovers(self, alice: Person, link: Proxy) -> None:
        await link.refuse()
        assert_error(await self.scan_large_document(alice), 503, "ai_service_unavailable")
        await link.heal()
        assert (await self.scan_large_document(alice)).status == 200
        assert await count_scans(alice) == 1

    async def test_slow_connection_succeeds(self, alice: Person, link: Proxy) -> None:
        link.up = link.down = delay(0.02)
        assert (await alice.scan(text=TEXT))["risk_count"] == 2

    @SHORT_TIMEOUT
    async def test_corrupted_responses_never_cause_a_500(self, alice: Person, link: Proxy) -> None:
        while (first := await alice.post("/api/scan", data=form(text=TEXT))).status != 200:
            assert_error(first, 503, "ai_service_unavailable")  # the short timeout of a busy machine
        whole = first.json
        statuses = collections.Counter({200: 1})
        for offset in range(0, 420, 7):
            await link.heal()
            link.down = flip_byte(offset, 0x80 if offset % 2 else 0x11)
            reply = await alice.post("/api/scan", data=form(text=TEXT))
            statuses[reply.status] += 1
            if reply.status == 200:
                assert reply.json.keys() == whole.keys()
                assert reply.json["risk_count"] == len(reply.json["data"]) == whole["risk_count"]
            else:
                assert reply.json["error"].startswith("ai_service_"), reply.body
        assert statuses.keys() - {503} == {200, 502}
        await link.heal()
        assert await count_scans(alice) == statuses[200]


@contextlib.contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Limit the files of this process to `size` bytes; writes beyond fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def wal_size(database_url: str) -> int:
    """Return the size of SQLite's write-ahead log in bytes; it grows before the database file."""
    return os.path.getsize(f"{database_url.removeprefix(SQLITE)}-wal")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_full_disk_of_sqlite_is_a_503_and_recovers(
    make_settings: MakeSettings,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 0.5)
    async with serve(make_settings()) as server, registered_person(server) as ana:
        made = [await ana.scan(text=TEXT)]
        with limit_file_size(wal_size(database_url) + 20_000):
            while (reply := await ana.post("/api/scan", data=form(text=TEXT))).status == 200:
                made.append(reply.json)
            assert_error(reply, 503, "database_unavailable")
            assert (await ana.get(f"/api/scans/{made[0]['scan_id']}")).json == made[0]
            assert (await ana.get("/api/scans")).json["total"] == len(made)
            await assert_health(ana, 503, "unavailable")
        assert re.search(r"database_unavailable: SQLITE_(FULL|IOERR_WRITE) \[", caplog.text)
        assert re.search(r"is lost: the database stayed unavailable: SQLITE_(FULL|IOERR_WRITE)", caplog.text)
        await assert_health(ana, 200, "ok")
        made.append(await ana.scan(text=TEXT))
        assert await count_scans(ana) == len(made)


@pytest.fixture
def slow_inserts(database_url: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the INSERT of a scan take some 20 ms, as on a busy disk."""
    if database_url.startswith(SQLITE):
        with sqlite3.connect(sqlite_path(database_url)) as connection:
            connection.execute(
                "CREATE TRIGGER slow BEFORE INSERT ON scans BEGIN SELECT hex(randomblob(1000000)); END"
            )
        connection.close()
        yield
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = database_name(database_url)
    server.execute(
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON scans FOR EACH ROW EXECUTE FUNCTION slow()
        """,
        name,
    )
    yield
    server.execute("DROP FUNCTION slow CASCADE", name)  # the database is lent again


@pytest.mark.usefixtures("slow_inserts")
@pytest.mark.settings(database_pool_size=2)
async def test_crowd_of_one_user_loses_no_analysed_scan(
    alice: Person, ai: Ai, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """More scans than the database can save in the time for which a save is retried."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 1)
    monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 2)
    monkeypatch.setattr(scans, "RETRY_SECONDS", 0.1)

    async def scan(number: int) -> str:
        headers = {"Idempotency-Key": str(number)} if number % 3 == 0 else {}
        while True:
            reply = await alice.post("/api/scan", data=form(text=TEXT), headers=headers)
            if reply.status == 200:
                scan_id: str = reply.json["scan_id"]
                return scan_id
            assert_error(reply, 503, "overloaded")

    scan_ids = await asyncio.gather(*(scan(number) for number in range(200)))
    assert len(set(scan_ids)) == len(ai.calls) == 200
    assert (await alice.get("/api/scans")).json["total"] == 200
    assert "is lost" not in caplog.text


async def test_full_disk_of_temporary_files_is_a_503_and_recovers(server: Server, alice: Person) -> None:
    document = ("plan.txt", TEXT.encode() * 50_000)
    server.app[UPLOAD_MEMORY].free = 0
    with limit_file_size(256 * 1024):
        assert_error(await alice.post("/api/scan", data=form(file=document)), 503, "overloaded")
        assert (await alice.scan(text=TEXT))["risk_count"] == 2
    await alice.scan(file=document)
    assert await count_scans(alice) == 2


@pytest.fixture
def small_disk(postgres: Postgres) -> Iterator[Path]:
    """A 24 MB disk owned by the user that PostgreSQL runs as."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted for PostgreSQL, which takes root")
    folder = postgres.data.parent / "small"
    folder.mkdir()
    user = pwd.getpwnam("pgserver")
    options = f"size=24m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"a small disk cannot be mounted for PostgreSQL here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill_disk(path: Path) -> None:
    """Create a file that fills its disk."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_full_disk_of_postgresql_is_a_503_and_recovers(
    postgres: Postgres,
    small_disk: Path,
    ai: Ai,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 0.5)
    ai.findings = {
        "data": [{"risk": "r", "category": "Legal", "context": os.urandom(2000).hex()}],
        "source": "llm",
    }
    postgres.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    postgres.execute("CREATE DATABASE full_disk TEMPLATE template TABLESPACE small")
    settings = make_test_settings(postgres.url("full_disk"), ai.url)
    async with serve(settings) as server, registered_person(server) as ana:
        made = [await ana.scan(text=TEXT)]
        ballast = small_disk / "ballast"
        fill_disk(ballast)
        while (reply := await ana.post("/api/scan", data=form(text=TEXT))).status == 200:
            made.append(reply.json)
        assert_error(reply, 503, "database_unavailable")
        assert (await ana.get(f"/api/scans/{made[0]['scan_id']}")).json == made[0]
        await assert_health(ana, 503, "unavailable")
        assert "database_unavailable: DiskFullError 53100 [" in caplog.text
        ballast.unlink()
        await assert_health(ana, 200, "ok")
        made.append(await ana.scan(text=TEXT))
        listed = (await ana.get("/api/scans?limit=100")).json
        assert {scan["scan_id"] for scan in made} == {scan["scan_id"] for scan in listed["scans"]}
    postgres.execute("DROP DATABASE full_disk WITH (FORCE)")
    postgres.execute("DROP TABLESPACE small")
