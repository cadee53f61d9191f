"""`riskscan scan --server`: the documents are scanned by a server, which keeps the scans."""

from __future__ import annotations

import asyncio
import datetime
import json

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from riskscan import quotas
from riskscan.client import api
from riskscan.scan_command import remote
from riskscan.schemas import Scan
from riskscan.settings import Rate
from tests.support.ai import EXPLAINED, Ai
from tests.support.application import NOWHERE, Server
from tests.support.client import Person
from tests.support.command_line import CommandLine
from tests.support.tcp_proxy import CutConnection, Proxy, forward

UNKNOWN = "0b4e3c1a-7f6d-4c2b-9a8e-5d1f0c3b2a49"


async def list_scans(person: Person) -> list[str | None]:
    """Return the file names of the scans, oldest first."""
    scans = (await person.get("/api/scans?limit=100")).json["scans"]
    return [scan["filename"] for scan in reversed(scans)]


async def test_documents_are_scanned_by_the_server_and_kept(
    alice: Person, ai: Ai, command: CommandLine
) -> None:
    ai.findings = {"data": EXPLAINED, "source": "model"}
    (command.folder / "in").mkdir()
    (command.folder / "in/plan.txt").write_text("Tea.\nThe budget is tight.\n")
    await command.log_in(alice)
    status, out, err = await command("scan", "--server", alice.url, "in", "--fail-on", "financial")
    [scan] = (await alice.get("/api/scans")).json["scans"]
    assert scan["filename"] == "plan.txt"
    assert (status, err) == (1, "")
    assert out.splitlines()[:4] == [
        "in/plan.txt: 3 risks",
        f"  {alice.url}/scans/{scan['scan_id']}",
        "  1. Financial · line 2 · p. 7 · 4.2 Payment",
        "     “The budget is tight.”",
    ]


async def test_dismissed_findings_are_shown_and_do_not_fail(alice: Person, command: CommandLine) -> None:
    (command.folder / "plan.txt").write_text("The budget is tight.")
    token = await command.log_in(alice)
    scan = await alice.scan(text="budget")
    for number, review in ((1, {"state": "dismissed", "reason": "accepted"}), (2, {"state": "confirmed"})):
        path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
        assert (await alice.request("PUT", path, json=review)).status == 200
    scan_it = ("scan", "--server", alice.url, "plan.txt")
    status, out, _ = await command(*scan_it, "--fail-on", "financial")
    assert (status, "Financial · line 1 · Dismissed: Accepted\n" in out) == (0, True)
    assert "Schedule · Confirmed\n" in out
    assert (await command(*scan_it, "--fail-on", "schedule"))[0] == 1
    _, out, _ = await command(*scan_it, "--format", "json")
    first, _ = json.loads(out)
    assert (first["state"], first["file"]) == ("dismissed", "plan.txt")
    assert first["link"].startswith(f"{alice.url}/scans/")
    assert token not in out


async def test_a_token_that_may_only_scan_is_enough(alice: Person, command: CommandLine) -> None:
    await command.log_in(alice, scopes=["scan"])
    status, out, err = await command("scan", "--server", f"{alice.url}/", "-", typed=b"The budget is tight.")
    assert (status, err) == (0, "")
    assert out.startswith("standard input: 2 risks\n")
    assert await list_scans(alice) == [None]
    status, _, err = await command("scan", "--server", alice.url, "--new", "-", typed=b"Tea.")
    assert (status, err) == (2, "riskscan: This API token does not have the scope “read”.\n")
    status, _, err = await command("scan", "--server", alice.url, "-", typed=b"\xff\xfe")
    assert status == 2
    assert err == "riskscan: standard input: A server takes only text in UTF-8 from standard input.\n"


async def test_new_leaves_out_what_the_server_has(alice: Person, bob: Person, command: CommandLine) -> None:
    await command.log_in(alice)
    await alice.scan(file=("other name.txt", b"old"))
    await alice.scan(text="pasted")
    await bob.scan(text="new")
    for name, text in {"a": "old", "b": "new", "c": "pasted", "d": "new", "e": "newer"}.items():
        (command.folder / f"{name}.txt").write_text(text)
    watch = ("scan", "--server", alice.url, "--new", ".")
    status, out, _ = await command(*watch)
    assert (status, [line for line in out.splitlines() if line.endswith(": 2 risks")]) == (
        0,
        ["b.txt: 2 risks", "e.txt: 2 risks"],
    )
    assert await command(*watch, "--fail-on", "any") == (0, "", "")
    assert len(await list_scans(alice)) == 4
    status, _, err = await command("scan", "--new", "a.txt")
    assert (status, err) == (2, "riskscan: --new needs --server.\n")


async def test_a_scan_whose_answer_was_lost_is_not_made_twice(
    server: Server, alice: Person, ai: Ai, command: CommandLine
) -> None:
    (command.folder / "plan.txt").write_text("The budget is tight.")
    async with Proxy(server.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        await command.log_in(alice, url)

        async def cut_once(chunk: bytes) -> bytes:
            proxy.down = forward
            raise CutConnection(chunk[:20], reset=True)

        proxy.down = cut_once
        status, out, err = await command("scan", "--server", url, "plan.txt")
    assert (status, err) == (0, "")
    assert out.startswith("plan.txt: 2 risks\n")
    assert (await list_scans(alice), len(ai.calls)) == (["plan.txt"], 1)


@pytest.mark.settings(scan_limit=Rate(1, 1))
async def test_a_busy_server_is_asked_again_when_it_says(alice: Person, command: CommandLine) -> None:
    await command.log_in(alice)
    for name in ("a.txt", "b.txt"):
        (command.folder / name).write_text(name)
    status, out, err = await command("scan", "--server", alice.url, ".")
    assert (status, err) == (0, "")
    assert out.endswith("2 documents: 4 risks\n")
    assert sorted(filter(None, await list_scans(alice))) == ["a.txt", "b.txt"]


@pytest.mark.settings(scan_limit=Rate(1, 3600))
async def test_a_wait_that_is_too_long_is_an_error_of_the_document(
    alice: Person, ai: Ai, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    await command.log_in(alice)
    (command.folder / "a.txt").write_text("a")
    ai.respond_with(503, {"detail": "The model is away."})
    status, out, err = await command("scan", "--server", alice.url, "a.txt")
    assert (status, out) == (2, "")
    assert err.startswith("riskscan: a.txt: Too many attempts. Try again in ")


@pytest.mark.settings(scans_per_day=2)
async def test_no_document_is_sent_once_a_quota_is_used_up(
    alice: Person, ai: Ai, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "utc_now", lambda: datetime.datetime(2100, 1, 1, 12, tzinfo=datetime.UTC))
    monkeypatch.setattr(remote, "AT_ONCE", 1)
    await command.log_in(alice)
    for name in "abcde":
        (command.folder / f"{name}.txt").write_text(name)
    status, out, err = await command("scan", "--server", alice.url, "--new", "--fail-on", "any", ".")
    assert (status, out.count(": 2 risks\n")) == (2, 2)
    limit = "You have reached the limit of scans a day (2). You can scan again after midnight UTC."
    assert err.splitlines() == [
        f"riskscan: c.txt: {limit}",
        f"riskscan: d.txt: {remote.NOT_SENT}",
        f"riskscan: e.txt: {remote.NOT_SENT}",
    ]
    again = await command("scan", "--server", alice.url, "--new", "e.txt", "d.txt", "b.txt", "a.txt")
    assert again[2].splitlines() == [f"riskscan: e.txt: {limit}", f"riskscan: d.txt: {remote.NOT_SENT}"]


async def test_a_document_that_is_refused_does_not_stop_the_others(
    alice: Person, command: CommandLine
) -> None:
    await command.log_in(alice)
    (command.folder / "a.jpg").write_text("no picture")
    (command.folder / "b.txt").write_text("The budget is tight.")
    status, out, err = await command("scan", "--server", alice.url, "a.jpg", "missing.txt", "b.txt")
    assert (status, "b.txt: 2 risks\n" in out) == (2, True)
    refused, missing = err.splitlines()
    assert refused.startswith("riskscan: a.jpg: ")
    assert missing == "riskscan: missing.txt: No such file or directory."


async def test_a_server_that_cannot_be_used_ends_the_run(
    alice: Person, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    for name in ("a.txt", "b.txt"):
        (command.folder / name).write_text(name)
    command.set("RISKSCAN_TOKEN", "rsk_wrong")
    status, out, err = await command("scan", "--server", alice.url, ".")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    status, _, err = await command("scan", "--server", NOWHERE, ".")
    assert (status, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"riskscan: {NOWHERE} cannot be reached: ")


async def test_scans_under_way_when_the_server_fails_are_written(command: CommandLine) -> None:
    stored = asyncio.Event()

    async def create(request: web.Request) -> web.Response:
        if "a.txt" in await request.text():
            await stored.wait()
            return web.json_response({}, status=401)
        stored.set()
        now = datetime.datetime.now(datetime.UTC)
        scan = Scan(UNKNOWN, "b.txt", msgspec.Raw(b"[]"), "model", 0, now, now, [], None, 0)
        return web.Response(body=msgspec.json.encode(scan), content_type="application/json")

    for name in ("a.txt", "b.txt"):
        (command.folder / name).write_text(name)
    app = web.Application()
    app.router.add_post("/api/scan", create)
    async with TestServer(app) as failing:
        command.set("RISKSCAN_TOKEN", "rsk_" + "x" * 43)
        status, out, err = await command("scan", "--server", str(failing.make_url("")), ".")
    assert (status, out) == (2, "b.txt: no risks found\n" + out.partition("\n")[2])
    assert err == "riskscan: The server answered with status 401.\n"


async def test_new_needs_a_server_that_knows_digests(command: CommandLine) -> None:
    # as earlier versions, which ignore the filter, and list no titles
    row = {"scan_id": UNKNOWN, "filename": None, "source": "model", "risk_count": 0, "open_count": 0}

    async def list_all(request: web.Request) -> web.Response:
        scans = [{**row, "created_at": "2026-11-01T00:00:00Z"}]
        return web.json_response({"scans": scans, "total": 3, "limit": 1, "offset": 0, "next_cursor": None})

    app = web.Application()
    app.router.add_get("/api/scans", list_all)
    async with TestServer(app) as old:
        command.set("RISKSCAN_TOKEN", "rsk_" + "x" * 43)
        status, out, err = await command(
            "scan", "--server", str(old.make_url("")), "--new", "-", typed=b"Tea."
        )
    assert (status, out) == (2, "")
    assert "is too old for --new" in err
