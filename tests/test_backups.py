"""Backups that are made while scans are stored, and restored elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp import web

from riskscan.database.backups import BackupError, back_up, restore, write_new
from riskscan.settings import Settings
from tests.support.ai import Ai
from tests.support.application import SECRET, Server, make_test_settings, serve
from tests.support.client import Person, registered_person
from tests.support.postgres import BIN, Postgres, database_name
from tests.support.program import FOR_LOAD, ROOT, Program, Start, run_command

pytestmark = pytest.mark.slow

DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
PARTITION = ROOT / "deploy" / "partition.sql"
# so few that on SQLite most are in the write-ahead log alone, which a plain copy lacks
USERS, SCANS = 4, 30


def server_of(program: Program) -> Server:
    return Server(web.Application(), program.url, program.port)


def run_on(data: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Run a command on the SQLite database of a folder; return its status, output and errors."""
    done = run_command(*map(str, arguments), DATA_DIR=str(data))
    return done.returncode, done.stdout, done.stderr


async def back_up_under_load(ana: Person, back_up: Callable[[], object]) -> set[str]:
    """Make a backup while scans are posted; return the IDs of those that were answered before it began."""
    answered: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()

    async def post_scans() -> None:
        while not stop.is_set():
            scan = await ana.scan(text="The budget is tight.", file=("plan.txt", b"Time is short."))
            answered.put_nowait(scan["scan_id"])

    async with asyncio.TaskGroup() as posting:
        for _ in range(USERS):
            posting.create_task(post_scans())
        before = {await answered.get() for _ in range(SCANS)}
        before |= {answered.get_nowait() for _ in range(answered.qsize())}
        await asyncio.to_thread(back_up)
        stop.set()
    assert answered.qsize()  # scans were stored while the backup was made
    return before


async def list_ids(person: Person) -> set[str]:
    """Return the IDs of all scans of a person, whose number is that of the list."""
    ids: set[str] = set()
    cursor = ""
    while True:
        page = (await person.get(f"/api/scans?limit=100{cursor}")).json
        ids |= {scan["scan_id"] for scan in page["scans"]}
        if not page["next_cursor"]:
            assert page["total"] == len(ids)
            return ids
        cursor = f"&cursor={page['next_cursor']}"


@contextlib.asynccontextmanager
async def person_elsewhere(person: Person, url: str) -> AsyncIterator[Person]:
    """Return the same person with the same access token, on another server."""
    elsewhere = Person(Server(web.Application(), url, 0))
    elsewhere.session.headers["Authorization"] = person.session.headers["Authorization"]
    yield elsewhere
    await elsewhere.session.close()


async def test_backup_under_load_has_every_scan_answered_before_it(
    start: Start, ai: Ai, tmp_path: Path
) -> None:
    environ = {"AI_SERVICE_URL": ai.url, "WORKERS": "2", **FOR_LOAD}
    file, elsewhere = tmp_path / "backup #1.db", tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with registered_person(server_of(start(**environ))) as ana:
        settings = Settings.from_env({}, tmp_path)
        # not as a command, which takes a while to start: a plain copy would lose the last scans alone
        before = await back_up_under_load(ana, lambda: back_up(settings, file))
        status, out, _ = run_on(elsewhere, "restore", file)
        assert (status, out.split(" accounts ")[1]) == (0, "restored with JWT_SECRET\n")
        with contextlib.closing(Program(elsewhere, environ)) as restored:
            async with person_elsewhere(ana, restored.url) as there:  # whose token the secret signed
                found = await list_ids(there)
                assert before <= found <= await list_ids(ana)
                assert out.startswith(f"{len(found)} scans ")
                for scan_id in before:
                    assert (await there.get(f"/api/scans/{scan_id}")).json["risk_count"] == 2


async def test_restore_spares_a_database_that_is_in_use_or_has_accounts(
    start: Start, ai: Ai, tmp_path: Path
) -> None:
    database, file = tmp_path / "riskscan.db", tmp_path / "backup"
    program = start(AI_SERVICE_URL=ai.url, **FOR_LOAD)
    async with registered_person(server_of(program)) as ana:
        kept = await ana.scan(text="before the backup")
        secret = Path(f"{file}.jwt-secret")
        assert run_on(tmp_path, "backup", file) == (
            0,
            f"1 scans of 1 accounts in {file}\nJWT_SECRET in {secret}\n",
            "",
        )
        await ana.scan(text="after the backup")
        assert run_on(tmp_path, "restore", "--force", file) == (
            1,
            "",
            f"riskscan: {database} is in use: stop RiskScan first\n",
        )
        assert len(await list_ids(ana)) == 2
        # killed, it leaves the last scans in the write-ahead log
        program.kill()
        assert (tmp_path / "riskscan.db-wal").stat().st_size
        status, out, err = run_on(tmp_path, "restore", file)
        assert (status, out) == (1, "")
        assert err == f"riskscan: {database} has accounts; --force replaces them and their scans\n"
        status, out, _ = run_on(tmp_path, "restore", "--force", file)
        assert (status, out) == (0, "1 scans of 1 accounts restored with JWT_SECRET\n")
        for private in (file, secret, database, tmp_path / "jwt-secret"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o600
        async with person_elsewhere(ana, start(AI_SERVICE_URL=ai.url, **FOR_LOAD).url) as there:
            assert await list_ids(there) == {kept["scan_id"]}


def create(file: Path) -> None:
    with file.open("x") as opened:
        opened.write("of somebody else")


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings for a migrated SQLite database with a generated secret."""
    shutil.copy(sqlite_template, tmp_path / "riskscan.db")
    return Settings.from_env({}, tmp_path)


def test_backup_overwrites_no_file(settings: Settings, tmp_path: Path) -> None:
    for name in ("backup", "backup.jwt-secret"):
        existing = tmp_path / name
        existing.write_text("of yesterday")
        with pytest.raises(BackupError, match=f"{name} exists"):
            back_up(settings, tmp_path / "backup")
        assert existing.read_text() == "of yesterday"
        existing.unlink()
    with pytest.raises(BackupError, match="cannot be copied"):
        back_up(settings, tmp_path / "nowhere" / "backup")
    (tmp_path / "riskscan.db").write_bytes(b"no database")
    with pytest.raises(BackupError, match="cannot be copied"):
        back_up(settings, tmp_path / "backup")
    assert not list(tmp_path.glob("*backup*"))


@pytest.mark.parametrize(
    ("name", "appear"),
    [("backup", Path.mkdir), ("backup", create), ("backup.jwt-secret", create)],
    ids=["folder", "backup", "secret"],
)
def test_file_that_appears_while_a_backup_is_made_is_kept(
    settings: Settings, tmp_path: Path, name: str, appear: Callable[[Path], object]
) -> None:
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "riskscan.db")) as other,
        ThreadPoolExecutor() as pool,
    ):
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")  # for which the copy waits
        made = pool.submit(back_up, settings, tmp_path / "backup")
        while not list(tmp_path.glob(".backup-*")):
            pass
        try:
            appear(tmp_path / name)
            theirs = {name}
        except FileExistsError:  # the backup has the name already
            theirs = set()
        other.rollback()
        with contextlib.suppress(BackupError):
            made.result()
    if theirs:
        assert isinstance(made.exception(), BackupError)
        assert (tmp_path / name).is_dir() or (tmp_path / name).read_text() == "of somebody else"
    else:
        assert made.exception() is None
    found = {path.name for path in tmp_path.glob("*backup*")}
    assert found == (theirs or {"backup", "backup.jwt-secret"})


@pytest.mark.parametrize("is_killed", [True, False])
def test_restore_that_ended_midway_can_be_repeated(
    settings: Settings, tmp_path: Path, is_killed: bool
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "riskscan.db")) as database, database:
        database.execute(
            "INSERT INTO users (id, email, password_hash, created_at, updated_at) VALUES "
            "('a', 'ana@example.com', 'hash', '2026-01-01', '2026-01-01')"
        )
    back_up(settings, tmp_path / "backup")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    secret = Settings.from_env({}, elsewhere).jwt_secret
    # the first pages of the database can be written, and no more
    code = f"""
import resource, signal, sys
sys.dont_write_bytecode = True  # no half of it either
sys.path.insert(0, {str(ROOT)!r})
from riskscan.__main__ import main
signal.signal(signal.SIGXFSZ, signal.{"SIG_DFL" if is_killed else "SIG_IGN"})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main())
"""
    command = [sys.executable, "-c", code, "restore", str(tmp_path / "backup")]
    done = subprocess.run(
        command, env={"DATA_DIR": str(elsewhere)}, cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == (-signal.SIGXFSZ if is_killed else 1), done.stderr
    # once the database is replaced, nothing is left to be done
    assert (elsewhere / "jwt-secret").read_text().strip() == (settings.jwt_secret if is_killed else secret)
    assert restore(Settings.from_env({}, elsewhere), tmp_path / "backup", force=False).accounts == 1
    assert Settings.from_env({}, elsewhere).jwt_secret == settings.jwt_secret
    assert [path.name for path in elsewhere.iterdir() if path.name.startswith(".jwt")] == []


def test_no_part_of_a_secret_is_left_on_a_full_disk(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_new(tmp_path / "secret", SECRET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_damaged_backup_is_refused_before_anything_is_replaced(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    back_up(settings, file)
    whole = file.read_bytes()
    stored = (tmp_path / "riskscan.db").read_bytes()
    middle = len(whole) // 2
    for damaged in (
        b"no database",
        b"",
        whole[:middle],
        whole[:4096] + bytes(4096) + whole[8192:],
        whole[:middle] + bytes(range(256)) * 32 + whole[middle + 8192 :],
    ):
        file.write_bytes(damaged)
        with pytest.raises(BackupError, match="not a backup that can be restored"):
            restore(settings, file, force=True)
        assert (tmp_path / "riskscan.db").read_bytes() == stored
    file.unlink()
    with pytest.raises(BackupError, match="not a backup that can be restored"):
        restore(settings, file, force=True)
    assert not file.exists()


def test_postgresql_is_backed_up_by_its_own_programs(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        done = run_command(
            command, str(tmp_path / "b"), DATABASE_URL="postgresql://a@127.0.0.1:1/a", JWT_SECRET=SECRET
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "pg_dump" in done.stderr
        assert done.stderr.count("\n") == 1


def run_documented(command: str, database_url: str, file: Path) -> None:
    """Run the lines of docs/deploying.md that have a command."""
    (lines,) = (block for block in re.findall(r"```sh\n(.*?)```", DEPLOYING, re.DOTALL) if command in block)
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "DATABASE_URL": database_url, "FILE": str(file)}
    done = subprocess.run(["sh", "-ec", lines], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("partitioned", [False, True], ids=["one table", "partitions"])
async def test_documented_lines_back_up_postgresql_under_load(
    postgres: Postgres, ai: Ai, tmp_path: Path, partitioned: bool
) -> None:
    file = tmp_path / "riskscan.dump"
    url = postgres.create_database("template")
    if partitioned:
        postgres.execute(f"BEGIN; {PARTITION.read_text()}; COMMIT", database_name(url))
    async with serve(make_test_settings(url, ai.url)) as server, registered_person(server) as ana:
        before = await back_up_under_load(ana, lambda: run_documented("pg_dump", url, file))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        target = postgres.create_database()
        run_documented("pg_restore", target, file)
        async with (
            serve(make_test_settings(target, ai.url)) as restored,
            person_elsewhere(ana, restored.url) as there,
        ):
            assert before <= await list_ids(there) <= await list_ids(ana)
            await there.scan(text="counted by triggers that were restored too")
            assert len(await list_ids(there)) > len(before)
    partitions = "SELECT count(*) FROM pg_inherits"
    assert postgres.execute(partitions, database_name(target)) == postgres.execute(
        partitions, database_name(url)
    )
