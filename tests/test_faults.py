"""A bad way to PostgreSQL or to the AI service, and full disks: clean refusals, and well again afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import resource
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from ai import Ai
from conftest import OFF, SECRET, MakeSettings, Person, Reply, assert_error, form, serving, signed_in
from postgres import Postgres
from tcp_proxy import Cut, Proxy, Way, corrupted, cut, delayed, held, passed
from test_pool import well_within

from riskscan import database
from riskscan.database.migrate import DatabaseUnavailable, migrate
from riskscan.handlers import scans
from riskscan.settings import SQLITE, Settings

TEXT = "The budget is tight."


async def total(person: Person) -> int:
    """Return how many scans the list has, and check that each of them is there whole."""
    listed = (await person.get("/api/scans?limit=100")).json
    assert len(listed["scans"]) == listed["total"]
    for scan in listed["scans"]:
        assert (await person.get(f"/api/scans/{scan['scan_id']}")).json["risk_count"] == scan["risk_count"]
    found: int = listed["total"]
    return found


# asyncpg leaves a socket to the garbage collector where its connection is cut while it connects
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
class TestDatabase:
    @pytest.fixture
    async def link(self, postgres: Postgres) -> AsyncIterator[Proxy]:
        """The way to PostgreSQL."""
        async with Proxy(postgres.port) as proxy:
            yield proxy

    @pytest.fixture
    def direct_url(self, postgres: Postgres) -> str:
        return postgres.create(template="template")

    @pytest.fixture
    def database_url(self, direct_url: str, postgres: Postgres, link: Proxy) -> str:
        return direct_url.replace(f":{postgres.port}/", f":{link.port}/")

    @pytest.mark.parametrize(
        ("direction", "make"),
        [
            ("down", lambda: cut()),
            ("down", lambda: cut(reset=False)),
            ("down", lambda: cut(30)),
            ("up", lambda: cut()),
            ("up", lambda: cut(30, reset=False)),
            ("down", lambda: held),
            ("up", lambda: held),
            ("down", lambda: delayed(3)),
        ],
        ids=["RST", "FIN", "RST in an answer", "RST at a question", "FIN in a question",
             "no answers", "no questions", "late answers"],
    )  # fmt: skip
    async def test_a_broken_way(
        self, make_settings: MakeSettings, link: Proxy, direction: str, make: Callable[[], Way]
    ) -> None:
        async with serving(make_settings()) as server, signed_in(server) as ana:
            scan = await ana.scan(text=TEXT)
            path = f"/api/scans/{scan['scan_id']}"
            setattr(link, direction, make())
            asked = [ana.get("/api/auth/me"), ana.get("/api/scans"), ana.get(path)] * 10
            asked.append(ana.post("/api/scan", data=form(text=TEXT)))
            began = time.monotonic()
            replies = await asyncio.gather(*asked)
            assert time.monotonic() - began < 6
            for reply in replies:
                assert_error(reply, 503, "database_unavailable")
            await link.heal()
            await well_within(2, ana)
            assert await total(ana) == 1
            assert (await ana.get(path)).json == scan

    async def test_refused(self, make_settings: MakeSettings, link: Proxy) -> None:
        async with serving(make_settings()) as server, signed_in(server) as ana:
            await link.refuse()
            assert_error(await ana.get("/api/auth/me"), 503, "database_unavailable")
            await link.heal()
            await well_within(2, ana)

    async def test_a_slow_way_is_no_fault(self, make_settings: MakeSettings, link: Proxy) -> None:
        async with serving(make_settings()) as server, signed_in(server) as ana:
            link.up = link.down = delayed(0.05)
            await asyncio.gather(*(ana.scan(text=TEXT) for _ in range(20)))
            assert await total(ana) == 20

    async def test_a_scan_whose_insert_was_done_and_not_answered_is_kept_once(
        self, make_settings: MakeSettings, link: Proxy, postgres: Postgres, direct_url: str, ai: Ai
    ) -> None:
        async with serving(make_settings(database_pool_size=1)) as server, signed_in(server) as ana:
            await ana.scan(text=TEXT)  # prepares the statement, so that the next answer is that of the insert
            name = direct_url.rpartition("/")[2].partition("?")[0]
            inserted: list[int] = []

            async def lost(chunk: bytes) -> bytes:
                link.down = passed
                inserted.append(postgres.execute("SELECT count(*) FROM scans", name)[0][0])
                raise Cut(b"", reset=True)

            go = ai.holds()
            ai.arrived.clear()
            asked = asyncio.create_task(ana.scan(text=TEXT))
            await ai.arrived.wait()
            link.down = lost
            go.set()
            scan = await asked
            assert inserted == [2]
            assert await total(ana) == 2
            assert (await ana.get(f"/api/scans/{scan['scan_id']}")).json == scan

    async def test_a_delete_whose_answer_is_lost_is_done(
        self, make_settings: MakeSettings, link: Proxy
    ) -> None:
        async with serving(make_settings(database_pool_size=1)) as server, signed_in(server) as ana:
            scans_made = [await ana.scan(text=TEXT) for _ in range(2)]
            first, second = (f"/api/scans/{scan['scan_id']}" for scan in scans_made)
            assert (await ana.delete(first)).status == 200
            answers = 0

            async def lost(chunk: bytes) -> bytes:  # all but the first, which says who asks
                nonlocal answers
                answers += 1
                if answers == 2:
                    link.down = passed
                    raise Cut(b"", reset=False)
                return chunk

            link.down = lost
            assert_error(await ana.delete(second), 503, "database_unavailable")
            assert_error(await ana.get(second), 404, "not_found")
            assert await total(ana) == 0

    async def test_garbled_answers_are_no_bug(
        self, make_settings: MakeSettings, link: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flipped bit in a length makes asyncpg wait, so the waits are cut short here."""
        monkeypatch.setattr(database, "WAIT_SECONDS", 0.5)
        monkeypatch.setattr(database, "STATEMENT_SECONDS", 0.2)
        statuses = set()
        async with serving(make_settings(database_pool_size=1)) as server, signed_in(server) as ana:
            path = f"/api/scans/{(await ana.scan(text=TEXT))['scan_id']}"
            for place in [*range(0, 400, 9), *range(1, 120, 5)]:
                fresh = place % 2  # a connection's first bytes, or those of a prepared statement's answer
                if fresh:
                    await link.cut_all()
                else:
                    assert (await ana.get(path)).status == 200
                link.down = corrupted(place)
                reply = await ana.get(path)
                statuses.add(reply.status)
                if reply.status != 200:
                    assert_error(reply, 503, "database_unavailable")
                link.down = passed
                await link.cut_all()
                await well_within(2, ana)
        assert statuses == {200, 503}

    # by yoyo, of a connection that is no more
    @pytest.mark.filterwarnings("ignore:Nested transaction requested")
    async def test_migrations_that_are_cut_anywhere_wait_and_go_on(
        self, postgres: Postgres, link: Proxy
    ) -> None:
        """A worker that starts while the database goes away must not end with all the others."""
        url = postgres.create().replace(f":{postgres.port}/", f":{link.port}/")
        cuts = 0
        while True:
            link.down = cut(300 * cuts)
            try:
                await asyncio.to_thread(migrate, url)
                break
            except DatabaseUnavailable:
                cuts += 1
                await link.heal()
        assert cuts > 5  # before, between and after its statements
        await link.heal()
        assert await asyncio.to_thread(migrate, url) == 0


class TestAiService:
    @pytest.fixture
    async def link(self, ai: Ai) -> AsyncIterator[Proxy]:
        """The way to the AI service."""
        async with Proxy(ai.port) as proxy:
            yield proxy

    @pytest.fixture
    def make_settings(self, make_settings: MakeSettings, link: Proxy) -> MakeSettings:
        def make(**changes: object) -> Settings:
            address = f"http://127.0.0.1:{link.port}"
            return make_settings(**{"ai_service_url": address, "ai_timeout_seconds": 1, **changes})

        return make

    async def scanned(self, person: Person) -> Reply:
        """Scan a document that does not fit into the buffers on the way."""
        document = ("plan.txt", TEXT.encode() * 100_000)
        return await person.post("/api/scan", data=form(file=document))

    @pytest.mark.parametrize(
        ("direction", "make", "status"),
        [
            ("down", lambda: cut(), 503),
            ("down", lambda: cut(reset=False), 503),
            ("down", lambda: cut(30), 503),
            ("down", lambda: cut(200, reset=False), 502),
            ("down", lambda: cut(200), 502),
            ("up", lambda: cut(), 503),
            ("up", lambda: cut(100_000), 503),
            ("up", lambda: cut(100_000, reset=False), 503),
            ("down", lambda: held, 503),
            ("up", lambda: held, 503),
            ("down", lambda: delayed(2), 503),
            ("down", lambda: corrupted(0), 502),
            ("down", lambda: corrupted(9, 0x20), 502),
        ],
        ids=["RST", "FIN", "RST in the head", "FIN in the body", "RST in the body", "RST at the call",
             "RST in the upload", "FIN in the upload", "no answer", "no call", "a late answer",
             "no HTTP", "no status"],
    )  # fmt: skip
    async def test_a_broken_way(
        self, alice: Person, link: Proxy, direction: str, make: Callable[[], Way], status: int
    ) -> None:
        setattr(link, direction, make())
        reply = await self.scanned(alice)
        code = "ai_service_unavailable" if status == 503 else "ai_service_invalid_response"
        assert_error(reply, status, code)
        assert await total(alice) == 0
        await link.heal()
        assert (await self.scanned(alice)).status == 200
        assert await total(alice) == 1

    async def test_refused(self, alice: Person, link: Proxy) -> None:
        await link.refuse()
        assert_error(await self.scanned(alice), 503, "ai_service_unavailable")
        await link.heal()
        assert (await self.scanned(alice)).status == 200
        assert await total(alice) == 1

    async def test_a_slow_way_is_no_fault(self, alice: Person, link: Proxy) -> None:
        link.up = link.down = delayed(0.02)
        assert (await alice.scan(text=TEXT))["risk_count"] == 2

    async def test_garbled_answers_are_no_bug(self, alice: Person, link: Proxy) -> None:
        kept = 0
        for place in range(0, 420, 7):
            await link.heal()
            link.down = corrupted(place, 0x80 if place % 2 else 0x11)
            reply = await alice.post("/api/scan", data=form(text=TEXT))
            if reply.status == 200:
                kept += 1
            else:
                assert reply.json["error"].startswith("ai_service_"), reply.body
                assert reply.status in (502, 503)
        await link.heal()
        assert await total(alice) == kept


@contextlib.contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes; writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def log_size(database_url: str) -> int:
    """Return the bytes of SQLite's write-ahead log, which grows before the database does."""
    return os.path.getsize(f"{database_url.removeprefix(SQLITE)}-wal")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_of_sqlite(
    make_settings: MakeSettings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 0.5)
    async with serving(make_settings()) as server, signed_in(server) as ana:
        made = [await ana.scan(text=TEXT)]
        with no_room_beyond(log_size(database_url) + 20_000):
            while (reply := await ana.post("/api/scan", data=form(text=TEXT))).status == 200:
                made.append(reply.json)
            assert_error(reply, 503, "database_unavailable")
            assert (await ana.get(f"/api/scans/{made[0]['scan_id']}")).json == made[0]
            assert (await ana.get("/api/scans")).json["total"] == len(made)
        made.append(await ana.scan(text=TEXT))
        assert await total(ana) == len(made)


async def test_a_full_disk_of_temporary_files(alice: Person) -> None:
    document = ("plan.txt", TEXT.encode() * 50_000)
    with no_room_beyond(256 * 1024):
        assert_error(await alice.post("/api/scan", data=form(file=document)), 503, "overloaded")
        assert (await alice.scan(text=TEXT))["risk_count"] == 2
    await alice.scan(file=document)
    assert await total(alice) == 2


@pytest.fixture
def small_disk(postgres: Postgres) -> Iterator[Path]:
    """A disk of 24 MB that belongs to the user that PostgreSQL runs as."""
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


def fill(path: Path) -> None:
    """Make a file that takes all the room of its disk."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_a_full_disk_of_postgresql(
    postgres: Postgres, small_disk: Path, ai: Ai, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 0.5)
    ai.findings = {
        "data": [{"risk": "r", "category": "Legal", "context": os.urandom(2000).hex()}],
        "source": "llm",
    }
    postgres.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    postgres.execute("CREATE DATABASE full_disk TEMPLATE template TABLESPACE small")
    settings = Settings(
        database_url=postgres.url("full_disk"),
        jwt_secret=SECRET,
        ai_service_url=ai.url,
        bcrypt_cost=4,
        login_limit=OFF,
        register_limit=OFF,
    )
    async with serving(settings) as server, signed_in(server) as ana:
        made = [await ana.scan(text=TEXT)]
        ballast = small_disk / "ballast"
        fill(ballast)
        while (reply := await ana.post("/api/scan", data=form(text=TEXT))).status == 200:
            made.append(reply.json)
        assert_error(reply, 503, "database_unavailable")
        assert (await ana.get(f"/api/scans/{made[0]['scan_id']}")).json == made[0]
        ballast.unlink()
        made.append(await ana.scan(text=TEXT))
        listed = (await ana.get("/api/scans?limit=100")).json
        assert {scan["scan_id"] for scan in made} == {scan["scan_id"] for scan in listed["scans"]}
    postgres.execute("DROP DATABASE full_disk WITH (FORCE)")
    postgres.execute("DROP TABLESPACE small")
