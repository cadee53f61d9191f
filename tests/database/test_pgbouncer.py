"""RiskScan behind pgbouncer in transaction mode: each statement may run on a different connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.ai import Ai
from tests.support.application import SECRET, make_test_settings, serve
from tests.support.client import Person
from tests.support.postgres import Postgres, free_port

ROOT = Path(__file__).parents[2]
CONNECTIONS = 2  # from pgbouncer to PostgreSQL, fewer than its clients
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={postgres_port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
log_connections = 0
log_disconnections = 0
"""


@pytest.fixture
def database_url(postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database behind a pgbouncer started for the test."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "tests/provide installs pgbouncer"
    port = free_port()
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(postgres_port=postgres.port, port=port, connections=CONNECTIONS)
    )
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # pgbouncer does not run as root
    with subprocess.Popen([program, *user, configuration], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = ""
        while "process up" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        yield postgres.create_database().replace(f":{postgres.port}/", f":{port}/")
        process.terminate()


async def test_many_requests_succeed_over_few_connections(database_url: str, ai: Ai) -> None:
    settings = make_test_settings(database_url, ai.url, database_pool_size=20, database_statement_cache=0)
    async with serve(settings) as one, serve(settings) as two:
        people = [Person((one, two)[number % 2]) for number in range(10)]
        try:
            names = [f"{number}@example.com" for number in range(len(people))]
            await asyncio.gather(*map(Person.register, people, names))
            await asyncio.gather(*(use_api(person) for person in people))
        finally:
            await asyncio.gather(*(person.session.close() for person in people))


async def use_api(person: Person) -> None:
    scans = await asyncio.gather(*(person.scan(text=f"text {number}") for number in range(10)))
    paths = [f"/api/scans/{scan['scan_id']}" for scan in scans]
    found = await asyncio.gather(*(person.get(path) for path in paths))
    assert [reply.json for reply in found] == scans
    deleted = await asyncio.gather(*(person.delete(path) for path in paths[:5]))
    assert [reply.status for reply in deleted] == [200] * 5
    page = (await person.get("/api/scans?limit=2")).json
    assert page["total"] == 5
    rest = (await person.get(f"/api/scans?limit=3&cursor={page['next_cursor']}")).json
    listed = {scan["scan_id"] for scan in page["scans"] + rest["scans"]}
    assert listed == {scan["scan_id"] for scan in scans[5:]}
    found = await asyncio.gather(*(person.get("/api/scans?q=budget") for _ in range(10)))
    assert [reply.json["total"] for reply in found] == [5] * 10


def test_concurrent_migrations_run_one_after_another(database_url: str, postgres: Postgres) -> None:
    """More processes than pgbouncer has connections, so a waiting one must not hold a connection."""
    environ = {**os.environ, "DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    command = [sys.executable, str(ROOT / "run.py"), "migrate"]
    started = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(CONNECTIONS + 2)
    ]
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(started), outputs
    migrations = len([*(ROOT / "migrations").glob("0*.*")])
    applied = [
        line for output in outputs for line in output.splitlines() if line.endswith("migrations applied")
    ]
    assert sorted(applied) == sorted(
        [f"{migrations} migrations applied", *["0 migrations applied"] * (len(started) - 1)]
    )
    assert postgres.execute("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []
    with contextlib.ExitStack() as held:  # an open transaction each, to reach every server connection
        for _ in range(CONNECTIONS):
            connection = held.enter_context(psycopg.connect(database_url, prepare_threshold=None))
            assert connection.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
