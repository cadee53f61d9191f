"""Database connections: bounded, reused, and restored after every outage."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from riskscan.audit import AUDIT_LOG
from riskscan.database import DATABASE, Database, Executor, ping
from riskscan.database.attempts import delete_expired_attempts, increment_attempts
from riskscan.database.drivers import to_positional_binds
from riskscan.database.migrate import is_current, migrate, open_backend
from riskscan.database.rows import Account, TokenRevoked, TokenSubject, utc_now
from riskscan.database.scan_queries import CursorPosition, compute_stats, list_scans
from riskscan.database.scans import delete_scan, find_scan, insert_scan
from riskscan.database.sessions import insert_session
from riskscan.database.users import (
    EmailTaken,
    delete_user,
    find_account,
    find_account_by_email,
    insert_user,
    update_password,
)
from riskscan.errors import ApiError
from riskscan.handlers import scans
from riskscan.schemas import Filter, Findings, User
from riskscan.settings import SQLITE, Settings
from tests.support.ai import Ai
from tests.support.application import MakeSettings, make_scan, make_test_settings, serve
from tests.support.client import (
    PASSWORD,
    Person,
    Reply,
    assert_error,
    assert_health,
    form,
    registered_person,
    wait_until_recovered,
)
from tests.support.database import connected_database, short_timeouts
from tests.support.postgres import Postgres


@pytest.fixture
async def pool(make_settings: MakeSettings) -> AsyncIterator[Database]:
    async with connected_database(make_settings(database_pool_size=3)) as db:
        yield db


async def test_account_round_trips(pool: Database) -> None:
    made = await insert_user(pool, "ana@example.com", "hash")
    assert await find_account_by_email(pool, "ana@example.com") == made
    assert await find_account(pool, TokenSubject(made.user.id, 0)) == made
    assert made.user.created_at.tzinfo is datetime.UTC
    with pytest.raises(EmailTaken):
        await insert_user(pool, "ana@example.com", "hash")


async def test_scan_round_trips(pool: Database) -> None:
    owner = (await insert_user(pool, "ana@example.com", "hash")).user.id
    scan = make_scan()
    await insert_scan(pool, owner, scan, Findings(scan.risks, "model"))
    caller = TokenSubject(owner, 0)
    found = await find_scan(pool, caller, scan.scan_id)
    assert found is not None
    assert found.risks == scan.risks
    assert (found.created_at, found.filename, found.risk_count) == (scan.created_at, "plan.pdf", 1)
    listed = await list_scans(pool, caller, 5)
    assert (listed.total, listed.categories) == (1, ['{"Legal":1}'])
    with pytest.raises(TokenRevoked):
        await insert_scan(pool, str(uuid.uuid4()), make_scan(), Findings([], "model"))


def make_account(subject: TokenSubject) -> Account:
    user = User(subject.user_id, "ana@example.com", utc_now(), utc_now())
    return Account(user, "hash", subject.token_version)


STATEMENTS_OF_A_SUBJECT: list[Callable[[Database, TokenSubject], Awaitable[object]]] = [
    find_account,
    lambda db, subject: delete_user(db, make_account(subject)),
    compute_stats,
    lambda db, subject: list_scans(db, subject, 5),
    lambda db, subject: list_scans(db, subject, 5, offset=5),
    lambda db, subject: list_scans(db, subject, 5, after=CursorPosition(utc_now(), str(uuid.uuid4()))),
    lambda db, subject: list_scans(db, subject, 5, scan_filter=Filter(source="llm")),
    lambda db, subject: compute_stats(db, subject, Filter(source="llm")),
    lambda db, subject: find_scan(db, subject, str(uuid.uuid4())),
]


@pytest.mark.parametrize("run", STATEMENTS_OF_A_SUBJECT)
async def test_statements_verify_the_token_of_their_subject(
    pool: Database, run: Callable[[Database, TokenSubject], Awaitable[object]]
) -> None:
    account = await insert_user(pool, "ana@example.com", "hash")
    subject = account.subject
    await update_password(pool, account, "new hash")
    with pytest.raises(TokenRevoked):
        await run(pool, subject)
    with pytest.raises(TokenRevoked):
        await run(pool, TokenSubject(str(uuid.uuid4()), 0))
    await run(pool, TokenSubject(account.user.id, 1))


async def test_database_refuses_an_unknown_source(pool: Database) -> None:
    owner = (await insert_user(pool, "ana@example.com", "hash")).user.id
    scan = msgspec.structs.replace(make_scan(), source="guess")
    with pytest.raises(Exception, match="source"):
        await insert_scan(pool, owner, scan, Findings(scan.risks, "model"))
    assert await list_scans(pool, TokenSubject(owner, 0), 5) == (0, [], [], [])


async def test_deletes_cascade_and_update_the_scan_count(pool: Database) -> None:
    owner = await insert_user(pool, "ana@example.com", "hash")
    scans = [make_scan() for _ in range(5)]
    await asyncio.gather(
        *(insert_scan(pool, owner.user.id, scan, Findings(scan.risks, "model")) for scan in scans)
    )
    await delete_scan(pool, owner.user.id, scans[0].scan_id)
    listed = await list_scans(pool, TokenSubject(owner.user.id, 0), 2)
    assert (listed.total, len(listed.scans)) == (4, 2)
    await insert_session(pool, "x", owner.user.id, 0, utc_now())
    await delete_user(pool, owner)
    for table in ("users", "scans", "sessions"):
        assert await pool.fetch_all(f"SELECT 1 AS one FROM {table}", {}) == []


async def test_scans_with_equal_timestamps_are_all_listed(pool: Database) -> None:
    owner = (await insert_user(pool, "ana@example.com", "hash")).user.id
    moment = utc_now()
    for _ in range(5):
        await insert_scan(
            pool, owner, msgspec.structs.replace(make_scan(), created_at=moment), Findings([], "model")
        )
    seen: list[str] = []
    after = None
    while (found := await list_scans(pool, TokenSubject(owner, 0), 2, after=after)) and found.scans:
        seen += [listed.scan_id for listed in found.scans]
        after = CursorPosition(moment, seen[-1])
    assert len(seen) == len(set(seen)) == 5


async def test_more_statements_than_connections_all_run(pool: Database) -> None:
    names = [f"name {number % 7}" for number in range(200)]
    await asyncio.gather(*(increment_attempts(pool, name, 60) for name in names))
    assert (await increment_attempts(pool, "name 0", 60))[0] == names.count("name 0") + 1


async def test_cancelled_statements_leak_no_connection(pool: Database) -> None:
    for number in range(60):
        task = asyncio.create_task(increment_attempts(pool, f"name {number}", 60))
        for _ in range(number % 6):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await asyncio.gather(*(increment_attempts(pool, "after", 60) for _ in range(20)))
    assert (await increment_attempts(pool, "after", 60))[0] == 21
    assert pool.in_use == 0


@pytest.mark.parametrize("share", [True, False])
async def test_low_priority_statements_use_at_most_half_of_the_pool(pool: Database, share: bool) -> None:
    async def count(name: str) -> None:
        await increment_attempts(pool.low_priority if share else pool, name, 60)

    await asyncio.gather(*(increment_attempts(pool, "first", 60) for _ in range(3)))  # opens all connections
    tasks, most = [asyncio.create_task(count(f"name {number}")) for number in range(60)], 0
    for task in tasks[7::11]:  # cancels statements that wait and statements that run
        await asyncio.sleep(0)
        most = max(most, pool.in_use)
        task.cancel()
    while not all(task.done() for task in tasks):
        most = max(most, pool.in_use)
        await asyncio.sleep(0)
    assert most == (1 if share else 3)
    assert (await increment_attempts(pool.low_priority, "after", 60))[0] == 1
    assert pool.in_use == 0


async def test_low_priority_goes_before_the_lowest(pool: Database) -> None:
    ended: list[str] = []

    async def count(db: Executor, name: str) -> None:
        await increment_attempts(db, name, 60)
        ended.append(name)

    new_scans = [asyncio.create_task(count(pool.lowest_priority, "new scan")) for _ in range(20)]
    await asyncio.sleep(0)  # until they wait
    await asyncio.gather(*(count(pool.low_priority, "save") for _ in range(20)))
    assert ended.count("new scan") <= 2
    await asyncio.gather(*new_scans)
    assert pool.in_use == 0


async def test_schema_version_is_checked_without_migrating(
    database_url: str, make_settings: MakeSettings, sqlite_template: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(sqlite_template)) as connection:
        connection.execute(f"VACUUM INTO '{copied}'")  # VACUUM INTO drops the WAL journal mode
    for url, current in (
        (database_url, True),
        (f"{SQLITE}{tmp_path / 'new.db'}", False),
        (f"{SQLITE}{copied}", False),
    ):
        opened = Database(make_settings(database_url=url))
        await opened.connect()
        assert await is_current(opened) is current
        with pytest.raises(ApiError):  # migrations have not been confirmed
            await ping(opened)
        await opened.disconnect()


async def test_expired_attempt_window_restarts_and_is_deleted(pool: Database) -> None:
    seconds = (0, 0, 60, 60)  # a window of 0 seconds has already expired
    assert [(await increment_attempts(pool, "a", window))[0] for window in seconds] == [1, 1, 1, 2]
    await increment_attempts(pool, "b", 0)
    await delete_expired_attempts(pool)
    assert [row["name"] for row in await pool.fetch_all("SELECT name FROM attempts", {})] == ["a"]


async def test_invalid_sql_is_not_reported_as_an_outage(pool: Database) -> None:
    with pytest.raises(Exception, match="no_such_table") as raised:
        await pool.fetch_all("SELECT 1 FROM no_such_table", {})
    assert not isinstance(raised.value, ApiError)
    await ping(pool)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("state", ["08006", "25006", "28000", "53100", "53200", "57014", "57P03", "58030"])
async def test_unavailability_sqlstates_are_reported_as_an_outage(pool: Database, state: str) -> None:
    with pytest.raises(ApiError, match="cannot be reached"):
        await pool.fetch_all(f"DO 'BEGIN RAISE SQLSTATE ''{state}''; END'", {})


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_rolled_back_statement_is_attempted_three_times(pool: Database, state: str) -> None:
    await pool.fetch_all("CREATE SEQUENCE attempt")  # which no rollback resets
    statement = f"DO 'BEGIN PERFORM nextval(''attempt''); RAISE SQLSTATE ''{state}''; END'"
    with pytest.raises(asyncpg.PostgresError):
        await pool.fetch_all(statement)
    assert [row[0] for row in await pool.fetch_all("SELECT last_value FROM attempt")] == [3]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_deadlocked_statement_is_attempted_again(pool: Database) -> None:
    await pool.fetch_all("CREATE SEQUENCE attempt")
    statement = """
    DO 'BEGIN IF nextval(''attempt'') < 3 THEN RAISE SQLSTATE ''40P01''; END IF; END'
    """
    assert await pool.fetch_all(statement) == []
    assert [row[0] for row in await pool.fetch_all("SELECT last_value FROM attempt")] == [3]


async def test_methods_that_are_not_overridden_are_refused(pool: Database) -> None:
    with pytest.raises(NotImplementedError):
        await pool.fetch_val("SELECT 1")
    with pytest.raises(NotImplementedError):
        async with pool.transaction():
            pass


def test_named_binds_become_positional() -> None:
    sql = "SELECT CAST(:a AS text), x::int FROM t WHERE b = :b AND c = :a"
    assert to_positional_binds(sql) == (
        "SELECT CAST($1 AS text), x::int FROM t WHERE b = $2 AND c = $1",
        ("a", "b"),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"{SQLITE}{tmp_path / 'empty.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database()


def test_migrations_ignore_the_lock_of_a_killed_process(empty_database_url: str) -> None:
    """A process killed while yoyo creates its own tables leaves its row in the lock table."""
    with open_backend(empty_database_url) as backend:
        backend._insert_lock_row(pid=1, timeout=0)
    assert migrate(empty_database_url) > 0
    with open_backend(empty_database_url) as backend:
        assert backend.execute("SELECT pid FROM yoyo_lock").fetchall() == []


def test_postgresql_schema_has_native_types_and_indexes(postgres: Postgres) -> None:
    columns = postgres.execute(
        "SELECT table_name, column_name, udt_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name IN ('users', 'scans')",
        "template",
    )
    kinds = {f"{table}.{column}": kind for table, column, kind in columns}
    assert {kinds[name] for name in ("users.id", "scans.id", "scans.user_id")} == {"uuid"}
    assert kinds["scans.data"] == "jsonb"
    assert {kinds[name] for name in ("users.created_at", "users.updated_at", "scans.created_at")} == {
        "timestamptz"
    }
    indexes = [row[0] for row in postgres.execute("SELECT indexdef FROM pg_indexes", "template")]
    for wanted in (
        "users USING btree (email)",
        "scans USING btree (user_id",
        "scans USING btree (created_at DESC)",
    ):
        assert any(wanted in index for index in indexes), wanted


# asyncpg leaves a socket to the garbage collector when the server stops while connecting
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collect_garbage")
class TestOutages:
    """Outages of a PostgreSQL that is started for the test."""

    @pytest.fixture
    def postgres(self) -> Iterator[Postgres]:
        server = Postgres()
        server.start()
        yield server
        server.remove()

    @pytest.fixture
    def settings(self, postgres: Postgres, ai: Ai) -> Settings:
        return make_test_settings(postgres.create_database(), ai.url)

    async def assert_unavailable(self, person: Person) -> None:
        assert_error(await person.get("/api/auth/me"), 503, "database_unavailable")

    async def stop_during_analysis(self, postgres: Postgres, ai: Ai, person: Person) -> asyncio.Task[Reply]:
        """Stop the server while the AI service analyses a text; return the running request."""
        go = ai.hold_responses()
        scan = asyncio.create_task(person.post("/api/scan", data=form(text="x")))
        await ai.arrived.wait()
        postgres.stop()
        go.set()
        return scan

    async def test_database_restart_is_a_503_and_recovers(
        self, settings: Settings, postgres: Postgres, ai: Ai
    ) -> None:
        async with serve(settings) as server, registered_person(server) as ana:
            await asyncio.gather(*(ana.scan(text="x") for _ in range(20)))
            postgres.stop()
            await self.assert_unavailable(ana)
            health = await ana.get("/api/health")
            assert (health.status, health.json["status"], health.json["database"]) == (
                503,
                "unavailable",
                False,
            )
            assert (await ana.get("/api/health/live")).status == 200
            postgres.start()
            await wait_until_recovered(ana)
            assert (await ana.get("/api/scans")).json["total"] == 20

    async def test_frozen_database_is_a_503_and_recovers(
        self, settings: Settings, postgres: Postgres
    ) -> None:
        async with serve(settings) as server, registered_person(server) as ana:
            await ana.scan(text="x")
            postgres.pause()
            with short_timeouts():
                await asyncio.gather(*(self.assert_unavailable(ana) for _ in range(30)))
            postgres.resume()
            await wait_until_recovered(ana)
            assert (await ana.get("/api/scans")).json["total"] == 1
            await server.app[AUDIT_LOG].drain()  # it uses a connection
            assert server.app[DATABASE].in_use == 0

    async def test_application_starts_while_the_database_is_down(
        self, settings: Settings, postgres: Postgres
    ) -> None:
        postgres.stop()
        async with serve(settings) as server:
            person = Person(server)
            account = {"email": "ana@example.com", "password": PASSWORD}
            assert_error(await person.post("/api/auth/register", json=account), 503, "database_unavailable")
            postgres.start()
            while (await person.get("/api/health")).status != 200:
                pass
            assert (await person.post("/api/auth/register", json=account)).status == 201
            await person.session.close()

    async def test_failed_migrations_are_retried(
        self, settings: Settings, postgres: Postgres, caplog: pytest.LogCaptureFixture
    ) -> None:
        postgres.execute("CREATE TABLE users (x int)")
        postgres.stop()
        async with serve(dataclasses.replace(settings, database_url=postgres.url())) as server:
            person = Person(server)
            postgres.start()
            while "migration failed; retrying" not in caplog.text:
                assert (await person.get("/api/health")).status == 503
            postgres.execute("DROP TABLE users")
            while (await person.get("/api/health")).status != 200:
                pass
            await person.session.close()

    async def test_read_only_replica_serves_reads_until_it_is_promoted(
        self,
        settings: Settings,
        postgres: Postgres,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 1)
        here = dataclasses.replace(settings, database_url=postgres.url())
        async with serve(here) as server, registered_person(server) as ana:
            made = await ana.post("/api/tokens", json={"name": "never used", "scopes": ["read"]})
            login = await ana.post("/api/auth/login", data={"username": ana.email, "password": PASSWORD})
            credentials = (
                {"Authorization": f"Bearer {ana.token}"},
                {"Authorization": f"Bearer {made.json['token']}"},
                {"Cookie": f"riskscan_session={login.cookies['riskscan_session'].value}"},
            )
        postgres.execute(
            "UPDATE sessions SET expires_at = expires_at - interval '2 minutes';"
            "ALTER DATABASE postgres SET default_transaction_read_only = on"
        )
        async with serve(here) as server:
            person = Person(server)
            for headers in credentials:  # a replica cannot record their last use
                assert (await person.get("/api/scans", headers=headers)).status == 200
            reply = await person.post("/api/scan", data=form(text="x"), headers=credentials[0])
            assert_error(reply, 503, "database_unavailable")
            assert "database_unavailable: ReadOnlySQLTransactionError 25006 [" in caplog.text
            for _ in range(2):
                await assert_health(person, 503, "unavailable")
            postgres.execute(
                "SET transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only"
            )
            postgres.stop()
            postgres.start()
            await wait_until_recovered(person, headers=credentials[0])
            await assert_health(person, 200, "ok")
            assert (await person.post("/api/scan", data=form(text="x"), headers=credentials[0])).status == 200
            await person.session.close()

    async def test_short_outage_during_analysis_loses_no_scan(
        self, settings: Settings, postgres: Postgres, ai: Ai, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 60)  # PostgreSQL starts slowly on a busy machine
        async with serve(settings) as server, registered_person(server) as ana:
            scan = await self.stop_during_analysis(postgres, ai, ana)
            await self.assert_unavailable(ana)
            postgres.start()
            scan_id = (await scan).json["scan_id"]  # the analysis is stored after the outage
            assert (await ana.get(f"/api/scans/{scan_id}")).status == 200
            assert (await ana.get("/api/scans")).json["total"] == 1

    async def test_long_outage_during_analysis_is_a_503(
        self,
        settings: Settings,
        postgres: Postgres,
        ai: Ai,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(scans, "SAVE_RETRY_SECONDS", 1)
        async with serve(settings) as server, registered_person(server) as ana:
            scan = await self.stop_during_analysis(postgres, ai, ana)
            assert_error(await scan, 503, "database_unavailable")
            assert any("is lost" in record.getMessage() for record in caplog.records)
            postgres.start()
            await wait_until_recovered(ana)


async def test_sqlite_handles_50_concurrent_writers(tmp_path: Path, sqlite_template: Path, ai: Ai) -> None:
    path = tmp_path / "busy.db"
    shutil.copy(sqlite_template, path)
    settings = make_test_settings(f"{SQLITE}{path}", ai.url)
    async with serve(settings) as one, serve(settings) as two, registered_person(one) as ana:
        bob = Person(two)
        bob.session.headers["Authorization"] = f"Bearer {ana.token}"
        await asyncio.gather(*((ana, bob)[number % 2].scan(text="x") for number in range(50)))
        assert (await ana.get("/api/scans")).json["total"] == 50
        pool = one.app[DATABASE]
        assert (await pool.fetch_all("PRAGMA journal_mode", {}))[0][0] == "wal"
        await bob.session.close()


async def test_sslmode_require_is_enforced(postgres: Postgres) -> None:
    """The test PostgreSQL has no TLS, so a connection that requires it must fail."""
    async with connected_database(make_test_settings(f"{postgres.url()}&sslmode=require")) as db:
        with pytest.raises(ApiError, match="cannot be reached"):
            await ping(db)
