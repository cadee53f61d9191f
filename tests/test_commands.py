"""The operator's commands, run as separate processes on a database in use."""

from __future__ import annotations

import asyncio
import datetime
import os
import pty
import sys
from typing import Any

import pytest

from riskscan.database import DATABASE
from riskscan.database.rows import utc_now
from riskscan.database.scans import insert_scan
from riskscan.schemas import Findings
from tests.support.application import SECRET, MakeSettings, Server, make_scan, serve
from tests.support.client import PASSWORD, Person, assert_error, bearer, create_token, registered_person
from tests.support.program import ROOT, run_command

pytestmark = pytest.mark.slow


class Command:
    """Runs `run.py` on the test's database."""

    def __init__(self, database_url: str, **environ: str) -> None:
        self.environ = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "BCRYPT_COST": "4", **environ}

    async def __call__(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        found = await asyncio.to_thread(run_command, *arguments, typed=typed, **self.environ)
        return found.returncode, found.stdout, found.stderr


@pytest.fixture
def command(database_url: str) -> Command:
    return Command(database_url)


async def login(person: Person, password: str) -> int:
    reply = await person.post("/api/auth/login", json={"email": person.email, "password": password})
    return reply.status


async def test_reset_password_revokes_all_sessions_and_tokens(
    alice: Person, bob: Person, command: Command
) -> None:
    token = (await create_token(alice))["token"]
    status, out, err = await command("reset-password", " Alice@Example.com", typed="quite another\nmore\n")
    assert (status, out) == (0, "Password set. All sessions and tokens of the account are revoked.\n")
    assert "quite another" not in out + err
    for headers in ({}, bearer(token)):
        assert_error(await alice.get("/api/auth/me", headers=headers), 401, "not_authenticated")
    assert (await login(alice, PASSWORD), await login(alice, "quite another")) == (401, 200)
    assert (await bob.get("/api/auth/me")).status == 200


@pytest.mark.parametrize(
    ("email", "typed", "said"),
    [
        ("nobody@example.com", "quite another", "no account with the email nobody@example.com"),
        ("nobody", "quite another", "email: Enter a valid email address."),
        ("alice@example.com", "short", "password: A password has 6 to 128 characters."),
        ("alice@example.com", "", "password: Enter a password."),
    ],
)
async def test_reset_password_reports_an_error_in_one_line(
    alice: Person, command: Command, email: str, typed: str, said: str
) -> None:
    status, out, err = await command("reset-password", email, typed=typed)
    assert (status, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
    assert await login(alice, PASSWORD) == 200


def reset_password_in_terminal(command: Command, *typed: str) -> tuple[int, str]:
    """Run reset-password in a pseudo-terminal; return its exit status and output."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, str(ROOT / "run.py"), "reset-password", "alice@example.com"]
        os.execve(sys.executable, arguments, command.environ)
    screen = b""
    waiting = list(typed)
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # the process has exited
            break
        screen += read
        if waiting and read.rstrip().endswith(b":"):
            os.write(terminal, waiting.pop(0).encode() + b"\n")
        if not read:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.decode()


@pytest.mark.parametrize("again", ["quite another", "quite anothr"])
async def test_terminal_prompts_for_the_password_twice_without_echo(
    alice: Person, command: Command, again: str
) -> None:
    status, screen = await asyncio.to_thread(reset_password_in_terminal, command, "quite another", again)
    assert "New password: " in screen
    assert "Repeat new password: " in screen
    assert "quite" not in screen
    assert status == (0 if again == "quite another" else 1)
    assert ("the passwords do not match" in screen) == (status == 1)
    assert await login(alice, "quite another") == (200 if status == 0 else 401)


async def backdate_scan(server: Server, scan: Any, days: float) -> None:
    values = {"id": scan["scan_id"], "then": utc_now() - datetime.timedelta(days=days)}
    await server.app[DATABASE].fetch_all("UPDATE scans SET created_at = :then WHERE id = :id", values)


async def test_purge_deletes_only_scans_past_the_retention(
    alice: Person, bob: Person, server: Server, database_url: str
) -> None:
    scans = [await alice.scan(text=f"scan {number}") for number in range(3)]
    await backdate_scan(server, scans[0], 30.01)
    await backdate_scan(server, scans[1], 29.99)
    await backdate_scan(server, await bob.scan(text="of bob"), 400)
    command = Command(database_url, SCAN_RETENTION_DAYS="30")
    assert (await command("purge"))[:2] == (0, "2 scans deleted\n")
    listed = (await alice.get("/api/scans")).json
    assert {scan["scan_id"] for scan in listed["scans"]} == {scan["scan_id"] for scan in scans[1:]}
    assert (listed["total"], (await bob.get("/api/scans")).json["total"]) == (2, 0)
    assert (await command("purge"))[:2] == (0, "0 scans deleted\n")


async def test_purge_deletes_several_batches(server: Server, alice: Person, database_url: str) -> None:
    kept = await alice.scan(text="kept")
    for _ in range(1100):
        await insert_scan(server.app[DATABASE], alice.id, make_scan(), Findings([], "model"))
    past = {"then": utc_now() - datetime.timedelta(days=2), "id": kept["scan_id"]}
    await server.app[DATABASE].fetch_all("UPDATE scans SET created_at = :then WHERE id <> :id", past)
    status, out, _ = await Command(database_url, SCAN_RETENTION_DAYS="1")("purge")
    assert (status, out) == (0, "1100 scans deleted\n")
    assert (await alice.get("/api/scans")).json["total"] == 1


async def test_purge_without_a_retention_setting_is_an_error(
    alice: Person, server: Server, command: Command
) -> None:
    await backdate_scan(server, await alice.scan(text="old"), 40_000)
    status, out, err = await command("purge")
    assert (status, out) == (2, "")
    assert err.startswith("riskscan: SCAN_RETENTION_DAYS is off")
    assert err.count("\n") == 1
    assert (await alice.get("/api/scans")).json["total"] == 1


async def test_commands_report_an_unreachable_database() -> None:
    away = Command("postgresql://nobody@127.0.0.1:1/none", SCAN_RETENTION_DAYS="1")
    for arguments in (("purge",), ("reset-password", "alice@example.com"), ("migrate",)):
        status, out, err = await away(*arguments, typed="quite another")
        assert (status, out) == (1, "")
        assert err.startswith("riskscan: the database cannot be reached")
        assert err.count("\n") == 1


async def test_pages_show_the_retention(make_settings: MakeSettings) -> None:
    for days, said, promised in (
        (0, "Stored until you delete it.", "kept here until you delete them."),
        (30, "Stored until <time", "kept here for 30 days, or until you delete them."),
    ):
        async with (
            serve(make_settings(scan_retention_days=days)) as server,
            registered_person(server, f"ana{days}@example.com") as ana,
        ):
            assert promised in (await ana.get("/scans")).body.decode()
            scan = await ana.scan(text="tight budget")
            page = (await ana.get(f"/scans/{scan['scan_id']}")).body.decode()
            assert said in page
            end = datetime.datetime.fromisoformat(scan["created_at"]) + datetime.timedelta(days=days)
            assert (f"{end:%Y-%m-%dT%H:%M:%SZ}" in page.partition("Stored until")[2][:200]) == (days > 0)
