"""`riskscan login`, `list`, `show`, `compare`, `review` and `export` against a server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from riskscan.__main__ import make_parser
from riskscan.client import api, arguments
from riskscan.client.login import login_file
from riskscan.client_commands.completion import make_script
from riskscan.export.columns import LAYOUTS
from riskscan.export.text import FORMATS
from riskscan.schemas import Reason, Response, Sort, Source, State
from tests.support.ai import EXPLAINED, NOTES, RISKS, Ai
from tests.support.application import NOWHERE, Server
from tests.support.client import Person, create_token
from tests.support.command_line import CommandLine
from tests.support.exports import read_rows
from tests.support.program import ROOT
from tests.support.tcp_proxy import CutConnection, Proxy, forward

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # they read the API alone

UNKNOWN = "0b4e3c1a-7f6d-4c2b-9a8e-5d1f0c3b2a49"


async def fail(command: CommandLine, *arguments: str, typed: bytes = b"") -> str:
    """Run a command that fails with one sentence; return that."""
    status, out, err = await command(*arguments, typed=typed)
    assert (status, out) == (2, "")
    [line] = err.splitlines()
    return line.removeprefix("riskscan: ")


@on_sqlite
async def test_login_stores_the_token_for_its_server_and_owner_alone(
    alice: Person, command: CommandLine
) -> None:
    assert await fail(command, "list") == "There is no server yet: run riskscan login --server URL."
    token = await command.log_in(alice)
    file = login_file()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(file.parent.iterdir()) == [file]
    assert (await command("list"))[0] == 0
    # no other server gets the token
    said = f"There is no API token for {NOWHERE}: run riskscan login --server {NOWHERE}."
    assert await fail(command, "list", "--server", NOWHERE) == said
    file.chmod(0o640)
    assert await fail(command, "list") == f"Others can read your token: run chmod 600 {file}."
    command.set("RISKSCAN_TOKEN", token)
    command.set("RISKSCAN_SERVER", f"{alice.url}/")
    assert (await command("list"))[0] == 0
    file.write_text("{")
    file.chmod(0o600)
    command.set("RISKSCAN_TOKEN", "")
    assert await fail(command, "list") == f"{file} is damaged: run riskscan login again."


@on_sqlite
async def test_login_refuses_what_the_server_refuses(alice: Person, command: CommandLine) -> None:
    login = ("login", "--server", alice.url)
    assert "token" in await fail(command, *login, typed=b"rsk_wrong\n")
    said = "This is not an API token. Create one on the Account page of the server."
    assert await fail(command, *login, typed=b"\n") == said
    for server in ("risks.example.com", "http://", "http://a:b@example.com", "http://[", "file:///etc"):
        said = await fail(command, "login", "--server", server, typed=b"rsk_x\n")
        assert said == "The server is an address such as https://risks.example.com."
    assert not login_file().exists()
    token = (await create_token(alice, scopes=["scan"]))["token"]
    _, out, _ = await command(*login, typed=token.encode())
    assert out.startswith(f"Logged in to {alice.url}. The API token is in ")


@on_sqlite
async def test_list_shows_scans_for_people_and_programs(alice: Person, ai: Ai, command: CommandLine) -> None:
    await command.log_in(alice)
    assert await command("list") == (0, "No scans found.\n", "")
    await alice.scan(text="pasted")
    ai.findings = {"data": EXPLAINED, "source": "llm"}
    scan = await alice.scan(file=("Supply contract.txt", b"x"))
    status, out, _ = await command("list")
    head, first, second, total = out.splitlines()
    assert (status, head.split(), total) == (0, ["ID", "Date", "(UTC)", "Risks", "Open", "Name"], "2 scans")
    assert re.fullmatch(
        rf"{scan['scan_id']}  20[\d-]{{8}} \d\d:\d\d      3      3  Supply contract.txt", first
    )
    assert second.endswith("  Pasted text")
    await alice.request("PATCH", f"/api/scans/{scan['scan_id']}", json={"title": "Pier contract"})
    assert (await command("list"))[1].splitlines()[1].endswith("  Pier contract")
    assert (await find_summary(alice, scan["scan_id"]))["title"] == "Pier contract"
    assert "1 of 2 scans" in (await command("list", "--limit", "1"))[1]
    found = json.loads((await command("list", "supply", "cont", "--source", "llm", "--format", "json"))[1])
    assert found == {"scans": [await find_summary(alice, scan["scan_id"])], "total": 1}
    said = await fail(command, "list", "--from", "soon")
    assert "from: Must be a date (" in said


async def find_summary(person: Person, scan_id: str) -> Any:
    scans = (await person.get("/api/scans")).json["scans"]
    return next(scan for scan in scans if scan["scan_id"] == scan_id)


@on_sqlite
async def test_lists_longer_than_a_page_are_read_whole(
    alice: Person, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskscan.client_commands.scans.PAGE_SIZE", 2)
    await command.log_in(alice)
    ids = [(await alice.scan(text=str(number)))["scan_id"] for number in range(5)]
    for limit in (4, 5, 9):
        found = json.loads((await command("list", "--limit", str(limit), "--format", "json"))[1])
        assert [scan["scan_id"] for scan in found["scans"]] == ids[::-1][:limit]


@on_sqlite
async def test_findings_are_reviewed_and_shown(alice: Person, ai: Ai, command: CommandLine) -> None:
    await command.log_in(alice)
    ai.findings = {"data": EXPLAINED, "source": "model", "notes": NOTES[:1]}
    scan_id = (await alice.scan(file=("plan.txt", b"x")))["scan_id"]
    owner = ("--owner", "Ana", "--likelihood", "4", "--due", "2026-12-31")
    assert await command("review", scan_id, "1", "3", "--dismiss", "not_a_risk", "--comment", "No.") == (
        0,
        "Dismissed: 2 findings.\n",
        "",
    )
    assert (await command("review", scan_id, "2", "--confirm", *owner))[1] == "Confirmed.\n"
    status, out, _ = await command("show", f"{alice.url}/scans/{scan_id}")
    assert (status, out.splitlines()) == (
        0,
        [
            "plan.txt: 3 risks",
            f"  {alice.url}/scans/{scan_id}",
            f"  Note: {NOTES[0]}",
            "  1. Financial · p. 7 · 4.2 Payment · Dismissed: Not a risk",
            "     “The budget is tight.”",
            "  2. Schedule · p. 2 · Confirmed",
            "     Deadline is aggressive",
            "     “The deadline is aggressive.”",
            "  3. Financial · Dismissed: Not a risk",
            "     Costs may rise",
            "     “Steel may cost more.”",
        ],
    )
    assert (await command("review", scan_id, "3", "--reopen"))[1] == "Reopened.\n"
    shown = json.loads((await command("show", scan_id, "--state", "confirmed", "--format", "json"))[1])
    [finding] = shown["findings"]
    assert (finding["number"], finding["review"]["owner"], finding["review"]["likelihood"]) == (2, "Ana", 4)
    scan = (await alice.get(f"/api/scans/{scan_id}")).json
    assert [name for name in scan if name not in shown] == ["data"]
    assert {name: scan[name] for name in shown if name != "findings"} == {
        name: value for name, value in shown.items() if name != "findings"
    }
    assert await fail(command, "review", scan_id, "3", "--reopen") == "This finding has no review."
    status, out, err = await command("review", scan_id, "3", "9", "1", "2", "--reopen")
    assert (status, out) == (2, "Reopened: 2 findings.\n")
    assert err.startswith("riskscan: 3: This finding has no review. 9: Finding not found. ")
    assert await fail(command, "review", scan_id, "3", "--reopen", "--owner", "Ana") == (
        "A finding that is reopened has no review: leave the other options out."
    )
    assert "number" in await fail(command, "review", scan_id, "1", "9", "--confirm")
    assert (await command("review", scan_id, "2"))[0] == 2


@on_sqlite
async def test_comparison_has_the_words_of_the_page(alice: Person, ai: Ai, command: CommandLine) -> None:
    await command.log_in(alice)
    first = (await alice.scan(text="a"))["scan_id"]
    ai.findings = {"data": [RISKS[1], EXPLAINED[2]], "source": "model"}
    second = (await alice.scan(text="b"))["scan_id"]
    status, out, _ = await command("compare", first, second)
    assert (status, out.splitlines()) == (
        0,
        [
            "New: 1",
            "  • Financial",
            "    Costs may rise",
            "    “Steel may cost more.”",
            "",
            "No longer found: 1",
            "  • Financial",
            "    Budget may run out",
            "    “The budget is tight.”",
            "",
            "Unchanged: 1",
            "  • Schedule",
            "    Deadline is aggressive",
            "    “The deadline is aggressive.”",
        ],
    )
    assert "New\n  No new risks.\n\n" in (await command("compare", first, first))[1]
    found = json.loads((await command("compare", second, first, "--format", "json"))[1])
    assert [risk["risk"] for risk in found["new"]] == ["Budget may run out"]


def read_bytes(name: str) -> bytes:
    return Path(name).read_bytes()


@on_sqlite
async def test_export_writes_whole_files_only(server: Server, alice: Person, command: CommandLine) -> None:
    await command.log_in(alice)
    first = (await alice.scan(file=("a.txt", b"x")))["scan_id"]
    second = (await alice.scan(file=("b.txt", b"y")))["scan_id"]
    await alice.scan(file=("c.txt", b"z"))
    latest = command.folder / "latest.csv"
    latest.symlink_to("risks.csv")
    (command.folder / "risks.csv").touch(0o640)
    assert await command("export", first, "--output", "latest.csv") == (0, "", "")
    assert (latest.is_symlink(), latest.stat().st_mode & 0o777) == (True, 0o640)
    before = latest.stat().st_ino
    for kind in FORMATS:
        assert await command("export", first, second, "--output", f"risks.{kind}") == (0, "", "")
        _, *rows = read_rows(kind, read_bytes(f"risks.{kind}"))
        assert sorted(row[2] for row in rows) == ["a.txt", "a.txt", "b.txt", "b.txt"]
    assert latest.stat().st_ino != before  # it was replaced, not written into
    _, out, _ = await command("export", "--q", "c", "--category", "legal", "--format", "json")
    assert json.loads(out) == []
    _, out, _ = await command("export", first, "--layout", "jira", "--q", "budget")
    assert out.startswith("\ufeffSummary,")
    assert await fail(command, "export", "--output", "missing/a.csv") == (
        "missing/a.csv: No such file or directory."
    )
    async with Proxy(server.port) as proxy:
        await command.log_in(alice, f"http://127.0.0.1:{proxy.port}")

        async def cut_once(chunk: bytes) -> bytes:
            proxy.down = forward
            raise CutConnection(chunk[:-5], reset=True)

        proxy.down = cut_once
        whole = await command("export", "--format", "md")
    assert (whole[0], whole[1].count("| Financial |"), whole[2]) == (0, 3, "")


@on_sqlite
async def test_errors_are_one_sentence(
    alice: Person, bob: Person, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    foreign = (await bob.scan(text="x"))["scan_id"]
    await command.log_in(alice, scopes=["read"])
    for arguments_ in (("show", foreign), ("export", UNKNOWN), ("compare", UNKNOWN, foreign)):
        said = "Scan not found. It may have been deleted, or belong to another account."
        assert await fail(command, *arguments_) == said
    assert await fail(command, "show", "../tokens") == "tokens is not the ID of a scan."
    own = (await alice.scan(text="x"))["scan_id"]
    for page in (f"{NOWHERE}/scans/{own}", f"{alice.url}.example.com/scans/{own}", f"//other.example/{own}"):
        assert await fail(command, "show", page) == f"{page} is not a page of {alice.url}."
    assert (await command("show", f"{alice.url}/scans/{own}?state=open#f1"))[0] == 0
    assert "scope" in await fail(command, "review", foreign, "1", "--confirm")
    command.set("RISKSCAN_TOKEN", "rsk_x")
    assert (await fail(command, "list", "--server", NOWHERE)).startswith(f"{NOWHERE} cannot be reached: ")
    said = await fail(command, "list", "--server", f"{alice.url}/nowhere")
    assert said == "The server answered with status 404."


@pytest.mark.slow
async def test_interrupt_ends_a_request_quietly(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    holding = await asyncio.start_server(hold, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{holding.sockets[0].getsockname()[1]}"
    environ = {"HOME": str(tmp_path), "RISKSCAN_TOKEN": "rsk_x", "PYTHONPATH": str(ROOT)}
    program = (sys.executable, "-m", "riskscan", "list", "--server", url)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*program, env=environ, stdout=pipe, stderr=pipe)
    await asked.wait()
    process.send_signal(signal.SIGINT)
    assert (await process.communicate(), process.returncode) == ((b"", b""), 130)
    holding.close()


@pytest.mark.slow
def test_interrupt_ends_the_prompt_for_a_token(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-m", "riskscan", "login", "--server", NOWHERE]
        os.execve(sys.executable, command, {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)})
    screen = b""
    while not screen.endswith(b": "):
        screen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the process has exited
        while read := os.read(terminal, 1024):
            screen += read
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert screen.decode().strip() == f"API token for {NOWHERE}:"


def test_the_scripts_of_all_shells_name_the_commands(tmp_path: Path) -> None:
    for shell in arguments.SHELLS:
        script = make_script(make_parser(), shell)
        assert "not_a_risk" in script
    (tmp_path / "plan.txt").touch()
    (tmp_path / "script").write_text(make_script(make_parser(), "bash"))
    # what bash runs after a tab
    tab = '. ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_riskscan; echo "${COMPREPLY[@]}"'
    for words, expected in {
        ("re",): "reset-password restore review",
        ("review", "--re"): "--reopen --response",
        ("completion", ""): "bash zsh fish",
        ("scan", "pl"): "plan.txt",
    }.items():
        shell_command = ["bash", "-c", tab, "bash", "riskscan", *words]
        done = subprocess.run(shell_command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.split() == expected.split()


def test_arguments_name_every_value_of_the_api() -> None:
    assert (get_args(Sort), get_args(Source)) == (arguments.SORTS, arguments.SOURCES)
    assert (("open", *get_args(State)), get_args(Reason)) == (arguments.STATES, arguments.REASONS)
    assert (arguments.RESPONSES, set(arguments.EXPORT_FORMATS)) == (get_args(Response), set(FORMATS))
    assert ("", *arguments.LAYOUTS) == tuple(LAYOUTS)


async def test_answers_of_other_servers_are_refused(command: CommandLine) -> None:
    async def show_page(request: web.Request) -> web.Response:
        return web.Response(text="<h1>Log in to the network</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", show_page)
    scan = "0b4e3c1a-7f6d-4c2b-9e1d-2f3a4b5c6d7e"
    async with TestServer(app) as portal:
        command.set("RISKSCAN_TOKEN", "rsk_" + "x" * 43)
        for arguments in (("export", "--output", "o.csv"), ("review", scan, "1", "--confirm"), ("list",)):
            status, out, err = await command(*arguments, "--server", str(portal.make_url("")))
            assert (status, out) == (2, "")
            assert err == "riskscan: This is not the answer of a RiskScan server. Is its address right?\n"
    assert not (command.folder / "o.csv").exists()


@pytest.mark.parametrize("server", ["http://risks..example.com", f"http://{'x' * 64}.example.com"])
async def test_names_that_no_server_can_have_are_refused(command: CommandLine, server: str) -> None:
    command.set("RISKSCAN_TOKEN", "rsk_" + "x" * 43)
    status, _, err = await command("list", "--server", server)
    assert (status, err) == (2, f"riskscan: {server} is not the address of a server.\n")


async def test_a_token_of_the_environment_is_for_its_server(alice: Person, command: CommandLine) -> None:
    command.set("RISKSCAN_TOKEN", "rsk_" + "x" * 43)
    command.set("RISKSCAN_SERVER", NOWHERE)
    status, _, err = await command("list", "--server", alice.url)
    assert status == 2
    assert err == "riskscan: RISKSCAN_TOKEN is for the server in RISKSCAN_SERVER, which is another one.\n"


async def test_netrc_is_not_asked(alice: Person, command: CommandLine) -> None:
    (command.folder / "netrc").write_text("default login ana password secret\n")
    command.set("NETRC", str(command.folder / "netrc"))
    await command.log_in(alice)
    assert await command("list") == (0, "No scans found.\n", "")
