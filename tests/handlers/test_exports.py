"""Exports over HTTP: their rows, names, filters and owners, and aborted streams."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import re
import secrets
import socket
import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from riskscan.concurrency import ACTIVE_REQUESTS
from riskscan.database import DATABASE, Executor
from riskscan.database.rows import TokenSubject
from riskscan.database.scans import find_scan
from riskscan.export.columns import LAYOUTS
from riskscan.export.text import FORMATS
from riskscan.handlers import exports
from riskscan.handlers.exports import MAX_WORKBOOKS, WORKBOOK_SLOTS
from riskscan.schemas import Scan
from riskscan.settings import SQLITE, sqlite_path
from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import SECRET, MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, Reply, assert_error, bearer, registered_person
from tests.support.exports import KHMER, OPEN, TITLES, csv_rows, label_states, md_rows, read_rows
from tests.support.postgres import Postgres, database_name
from tests.support.program import Program, Start, needs_access_to_processes

# findings of one scan, about 1 MB
MEGABYTE = [
    {"risk": f"Risk {number}", "category": "Technical", "context": secrets.token_hex(500)}
    for number in range(1000)
]


def drop_fraction(time: str) -> str:
    return re.sub(r"\.\d+Z$", "Z", time)


def expected_rows(person: Person, scan: dict[str, Any], kind: str = "csv") -> list[list[str]]:
    """Return the rows that an export must have for a scan."""
    date = scan["created_at"] if kind == "json" else drop_fraction(scan["created_at"])
    link = f"{person.url}/scans/{scan['scan_id']}"
    rows = [
        [
            f"R-{scan['scan_id'][:18]}-{number:02}",
            date,
            scan["filename"] or "",
            *risk.values(),
            scan["source"],
            link,
            *OPEN,
        ]
        for number, risk in enumerate(scan["data"], 1)
    ]
    return label_states(kind, rows)


async def export_rows(person: Person, path: str, kind: str, query: str = "") -> list[list[str]]:
    reply = await person.get(f"{path}?format={kind}{query}")
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == FORMATS[kind].media_type
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    return read_rows(kind, reply.body)


@pytest.mark.parametrize("face", ["/api", ""])
@pytest.mark.parametrize("kind", FORMATS)
async def test_export_has_one_row_for_each_risk(alice: Person, bob: Person, kind: str, face: str) -> None:
    await bob.scan(text="tight budget")
    made = [await alice.scan(file=(f"plan {number}.txt", b"tight budget")) for number in range(2)]
    made.append(await alice.scan(text="tight budget"))
    if not face:
        await log_in_by_page(alice)
    titles, *rows = await export_rows(alice, f"{face}/scans/export", kind)
    assert titles == ([title.lower().replace(" ", "_") for title in TITLES] if kind == "json" else TITLES)
    wanted = [row for scan in reversed(made) for row in expected_rows(alice, scan, kind)]
    assert rows == wanted
    assert len({row[0] for row in rows}) == len(rows)
    for scan in made:
        _, *own = await export_rows(alice, f"{face}/scans/{scan['scan_id']}/export", kind)
        assert own == expected_rows(alice, scan, kind)


async def log_in_by_page(person: Person) -> None:
    del person.session.headers["Authorization"]
    reply = await person.post("/login", data={"username": person.email, "password": PASSWORD})
    assert reply.status == 303


@pytest.mark.parametrize("kind", FORMATS)
async def test_export_of_many_pages_is_complete(alice: Person, kind: str) -> None:
    made = [await alice.scan(text="tight budget") for _ in range(30)]
    _, *rows = await export_rows(alice, "/api/scans/export", kind)
    assert rows == [row for scan in reversed(made) for row in expected_rows(alice, scan, kind)]


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_layout_chooses_the_columns(alice: Person, layout: str) -> None:
    scan = await alice.scan(file=("plan.txt", b"tight budget"))
    for path in ("/api/scans/export", f"/api/scans/{scan['scan_id']}/export"):
        titles, *rows = await export_rows(alice, path, "csv", f"&layout={layout}")
        assert titles == [column.title for column in LAYOUTS[layout].columns]
        names = [risk["risk"] for risk in scan["data"]]
        refs = [row[0] for row in expected_rows(alice, scan)]
        assert [row[0] for row in rows] == (names if layout == "jira" else refs)


@pytest.mark.parametrize("kind", FORMATS)
async def test_export_accepts_the_filters_of_the_list(alice: Person, ai: Ai, kind: str) -> None:
    first = await alice.scan(file=("budget 2026.txt", b"tight budget"))
    ai.findings = {"data": [*RISKS, {**RISKS[0], "category": " fINANCIAL"}], "source": "llm"}
    second = await alice.scan(text="x")
    one, two = expected_rows(alice, first, kind), expected_rows(alice, second, kind)
    day = second["created_at"][:10]
    for query, wanted in {
        "q=2026": one,
        "q=deadline": [*two, *one],
        "q=nowhere": [],
        "source=llm": two,
        "category=Financial": [two[0], two[2], one[0]],
        "category=schedule&source=model": [one[1]],
        "category=Legal": [],
        f"from={day}": [*two, *one],
        f"to={first['created_at']}": one,
        f"from={second['created_at']}&q=budget": two,
    }.items():
        _, *rows = await export_rows(alice, "/api/scans/export", kind, f"&{query}") or [[]]
        assert [row[0] for row in rows] == [row[0] for row in wanted], query
    for wrong in ("source=human", "from=x", "q=%00"):
        field = wrong.partition("=")[0]
        reply = await alice.get(f"/api/scans/export?format={kind}&{wrong}")
        assert_error(reply, 400, "invalid_request", **{field: ...})


async def scan_with_and_without_notes(person: Person, ai: Ai) -> list[dict[str, Any]]:
    """Scan with notes, without any, and with notes but without risks; return the scans, newest first."""
    scans = []
    for name, findings in (
        ("both.txt", {**FINDINGS, "notes": NOTES}),
        ("risks.txt", FINDINGS),
        ("notes.txt", {"data": [], "source": "model", "notes": NOTES[:1]}),
    ):
        ai.findings = findings
        scans.append(await person.scan(file=(name, b"tight budget")))
    return scans[::-1]


def note_rows(person: Person, scan: dict[str, Any]) -> list[list[str]]:
    """Return the rows that a Markdown table must have for the notes of a scan."""
    date, link = drop_fraction(scan["created_at"]), f"{person.url}/scans/{scan['scan_id']}"
    return [
        ["", date, scan["filename"], "Note", "", note, "model", link, *[""] * 10] for note in scan["notes"]
    ]


@pytest.mark.parametrize("query", ["", "&category=financial"])
async def test_markdown_has_a_row_for_each_note_before_the_risks_of_its_scan(
    alice: Person, ai: Ai, query: str
) -> None:
    scans = await scan_with_and_without_notes(alice, ai)
    rows = [
        note_rows(alice, scan) + expected_rows(alice, scan, "md")[: 1 if query else None] for scan in scans
    ]
    for path, of_path in (
        ("/api/scans/export", [*rows[0], *rows[1], *rows[2]] if not query else [*rows[1], *rows[2]]),
        (f"/api/scans/{scans[2]['scan_id']}/export", rows[2]),
        (f"/api/scans/{scans[0]['scan_id']}/export", note_rows(alice, scans[0])),
    ):
        reply = await alice.get(f"{path}?format=md{query}")
        assert md_rows(reply.body) == [TITLES, *of_path]


async def test_json_has_a_row_with_the_notes_before_the_risks_of_a_scan(alice: Person, ai: Ai) -> None:
    nothing_found, without_notes, with_both = await scan_with_and_without_notes(alice, ai)
    names = [title.lower().replace(" ", "_") for title in TITLES]

    def notes_row(scan: dict[str, Any]) -> dict[str, Any]:
        return {
            "ref": "",
            "scan_date": scan["created_at"],
            "file": scan["filename"],
            "risk": "",
            "category": "",
            "context": "",
            "source": "model",
            "link": f"{alice.url}/scans/{scan['scan_id']}",
            **dict.fromkeys(names[8:]),
            "notes": scan["notes"],
        }

    def risk_rows(scan: dict[str, Any]) -> list[dict[str, str | None]]:
        rows = expected_rows(alice, scan, "json")
        return [dict(zip(names, [cell or None for cell in row], strict=True)) for row in rows]

    one = await alice.get(f"/api/scans/{with_both['scan_id']}/export?format=json")
    assert one.json == [notes_row(with_both), *risk_rows(with_both)]
    everything = [notes_row(nothing_found), *risk_rows(without_notes), *one.json]
    assert (await alice.get("/api/scans/export?format=json")).json == everything
    register = (await alice.get("/api/scans/export?format=json&layout=register")).json
    assert [row.get("notes") for row in register] == [NOTES[:1], None, None, NOTES, None, None]
    assert register[0]["owner"] is None


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        (kind, layout)
        for kind in FORMATS
        for layout in LAYOUTS
        if kind in ("csv", "xlsx") or layout in ("ciso-assistant", "jira")
    ],
)
async def test_other_formats_and_layouts_have_risks_only(
    alice: Person, ai: Ai, kind: str, layout: str
) -> None:
    scans = await scan_with_and_without_notes(alice, ai)
    rows = await export_rows(alice, "/api/scans/export", kind, f"&layout={layout}")
    risks = [(row[0], row[3]) for scan in scans for row in expected_rows(alice, scan)]
    assert [row[0] for row in rows[1:]] == [risk if layout == "jira" else ref for ref, risk in risks]
    (_, *of_empty) = await export_rows(
        alice, f"/api/scans/{scans[0]['scan_id']}/export", kind, f"&layout={layout}"
    )
    assert of_empty == []


async def test_csv_is_the_default_and_head_has_no_body(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    for path in ("/api/scans/export", f"/api/scans/{scan['scan_id']}/export"):
        reply = await alice.get(path)
        assert csv_rows(reply.body)[1:] == expected_rows(alice, scan)
        head = await alice.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == reply.headers["Content-Type"]


@pytest.mark.parametrize("kind", FORMATS)
async def test_khmer_text_is_unchanged(alice: Person, ai: Ai, kind: str) -> None:
    ai.findings = {"data": [{"risk": KHMER, "category": "ហិរញ្ញវត្ថុ", "context": KHMER * 9}], "source": "model"}
    scan = await alice.scan(file=("ផែនការ.txt", b"tight budget"))
    assert (await export_rows(alice, "/api/scans/export", kind))[1:] == expected_rows(alice, scan, kind)


@pytest.mark.parametrize("kind", FORMATS)
async def test_export_without_risks_has_only_a_header(alice: Person, ai: Ai, kind: str) -> None:
    header = [] if kind == "json" else TITLES
    assert await export_rows(alice, "/api/scans/export", kind) == [header]
    ai.findings = {"data": [], "source": "model"}
    scan = await alice.scan(text="x")
    assert await export_rows(alice, f"/api/scans/{scan['scan_id']}/export", kind) == [header]


@pytest.mark.parametrize(
    ("sent", "plain", "whole"),
    [
        ("plan.txt", "riskscan-plan-", "riskscan-plan-"),
        ("ផែនការ.md", "riskscan-______-", "riskscan-ផែនការ-"),
        ('a"b;c%0d.txt', "riskscan-a_b;c_0d-", "riskscan-a_b;c_0d-"),
        ("\u202eexe.txt", "riskscan-exe-", "riskscan-exe-"),
        ("x" * 250 + ".txt", f"riskscan-{'x' * 60}-", f"riskscan-{'x' * 60}-"),
        (None, "riskscan-x-", "riskscan-x-"),
    ],
)
async def test_export_filename_contains_the_document_name(
    alice: Person, sent: str | None, plain: str, whole: str
) -> None:
    scan = await (alice.scan(file=(sent, b"tight budget")) if sent else alice.scan(text="x"))
    reply = await alice.get(f"/api/scans/{scan['scan_id']}/export?format=md")
    end = f"{scan['created_at'][:10]}.md"
    name, extended = parse_disposition(reply)
    assert (name, extended) == (plain + end, whole + end)


def parse_disposition(reply: Reply) -> tuple[str, str]:
    found = re.fullmatch(
        r"attachment; filename=\"([^\"\\]*)\"; filename\*=UTF-8''([\w%.~-]*)",
        reply.headers["Content-Disposition"],
        re.ASCII,
    )
    assert found, reply.headers["Content-Disposition"]
    return found[1], unquote(found[2])


async def test_register_filename_contains_the_date(alice: Person) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    name, extended = parse_disposition(await alice.get("/api/scans/export?format=json"))
    assert name == extended
    assert name in {f"riskscan-register-{today - datetime.timedelta(days)}.json" for days in (0, 1)}


async def test_links_use_the_forwarded_host_and_scheme(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await alice.get(
        "/api/scans/export?format=json",
        headers={"X-Forwarded-Proto": "https", "Host": "riskscan.example.com"},
    )
    assert reply.json[0]["link"] == f"https://riskscan.example.com/scans/{scan['scan_id']}"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=pdf", "format"),
        ("format=", "format"),
        ("format=CSV", "format"),
        ("format=csv&layout=trello", "layout"),
        ("layout=%00", "layout"),
    ],
)
async def test_unknown_format_or_layout_is_refused(alice: Person, query: str, field: str) -> None:
    scan = await alice.scan(text="tight budget")
    for path in ("/scans/export", f"/scans/{scan['scan_id']}/export"):
        assert_error(await alice.get(f"/api{path}?{query}"), 400, "invalid_request", **{field: ...})
        page = await alice.get(f"{path}?{query}")
        assert (page.status, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize("kind", FORMATS)
async def test_only_the_owner_can_export_a_scan(alice: Person, bob: Person, guest: Person, kind: str) -> None:
    scan = await alice.scan(text="tight budget")
    for scan_id in (scan["scan_id"], "00000000-0000-4000-8000-000000000000", "x"):
        path = f"/scans/{scan_id}/export?format={kind}"
        assert_error(await bob.get(f"/api{path}"), 404, "not_found")
        assert (await bob.get(path)).status == 404
    assert len(await export_rows(bob, "/api/scans/export", kind)) == 1
    for path in ("/scans/export", f"/scans/{scan['scan_id']}/export"):
        assert_error(await guest.get(f"/api{path}"), 401, "not_authenticated")
        assert (await guest.get(path)).headers["Location"].startswith("/login?next=")


@pytest.mark.parametrize("kind", FORMATS)
async def test_revoked_token_cannot_export(alice: Person, kind: str) -> None:
    scan = await alice.scan(text="tight budget")
    await change_password(alice)
    for path in ("/api/scans/export", f"/api/scans/{scan['scan_id']}/export"):
        assert_error(await alice.get(f"{path}?format={kind}"), 401, "not_authenticated")


async def change_password(person: Person) -> None:
    passwords = {"current_password": PASSWORD, "new_password": "another horse"}
    assert (await person.post("/api/auth/password", json=passwords)).status == 200


async def fill_with_scans(person: Person, ai: Ai, megabytes: int) -> None:
    ai.findings = {"data": MEGABYTE, "source": "model"}
    for _ in range(megabytes):
        await person.scan(text="x")


def destroy_scans(database_url: str, request: pytest.FixtureRequest) -> None:
    """Rename the table scans (SQLite) or drop the database (PostgreSQL) under the application."""
    if database_url.startswith(SQLITE):
        with sqlite3.connect(sqlite_path(database_url)) as connection:
            connection.execute("ALTER TABLE scans RENAME TO lost")
        connection.close()
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name = database_name(database_url)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def request_export(person: Person, query: str) -> Any:
    return person.session.get(URL(f"{person.url}/api/scans/export?{query}"))


@pytest.mark.parametrize("kind", ["csv", "md", "json"])
async def test_export_that_fails_midway_is_aborted(
    alice: Person, ai: Ai, server: Server, database_url: str, request: pytest.FixtureRequest, kind: str
) -> None:
    await fill_with_scans(alice, ai, 25)
    async with request_export(alice, f"format={kind}") as response:
        assert response.status == 200
        await response.content.readexactly(1000)
        assert server.app[ACTIVE_REQUESTS].requests == 1  # counted as active, so SIGTERM waits for it
        destroy_scans(database_url, request)
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
            await response.read()


async def test_export_is_aborted_when_its_token_is_revoked(alice: Person, ai: Ai) -> None:
    await fill_with_scans(alice, ai, 25)
    async with request_export(alice, "format=csv") as response:
        await response.content.readexactly(1000)
        await change_password(alice)
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
            await response.read()


@pytest.mark.parametrize("kind", FORMATS)
async def test_export_without_the_database_is_an_error_response(
    alice: Person, database_url: str, request: pytest.FixtureRequest, kind: str
) -> None:
    await alice.scan(text="tight budget")
    destroy_scans(database_url, request)
    reply = await alice.get(f"/api/scans/export?format={kind}")
    if database_url.startswith(SQLITE):  # a missing table is a bug, not an outage
        assert_error(reply, 500, "internal_error")
    else:
        assert_error(reply, 503, "database_unavailable")


@pytest.mark.settings(metrics_token=SECRET)
@pytest.mark.parametrize("kind", FORMATS)
async def test_export_that_the_client_leaves_before_its_first_byte_is_a_499(
    alice: Person,
    server: Server,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A workbook waits for its slot and the other formats for a connection until the client has left.

    After that, no more than a scan is read for it.
    """
    for _ in range(3):
        await alice.scan(text="tight budget")
    read: list[str] = []

    async def find_and_count(db: Executor, subject: TokenSubject, scan_id: str) -> Scan | None:
        read.append(scan_id)
        return await find_scan(db, subject, scan_id)

    monkeypatch.setattr(exports, "find_scan", find_and_count)
    caplog.set_level(logging.INFO, "riskscan.access")
    db, loop = server.app[DATABASE], asyncio.get_running_loop()
    head = (
        f"GET /api/scans/export?format={kind} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {alice.token}",
        "\r\n",
    )
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_WORKBOOKS):
            await stack.enter_async_context(server.app[WORKBOOK_SLOTS].slot("bob", loop.time()))
        for _ in range(db.size):
            await stack.enter_async_context(db._slots)
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall("\r\n".join(head).encode())
        while server.app[ACTIVE_REQUESTS].requests == 0:
            await alice.get("/api/health/live")
        client.close()  # which the server notices before the next request
        await alice.get("/api/health/live")
    while not (lines := [line for line in caplog.messages if "/api/scans/export" in line]):
        await alice.get("/api/health/live")
    assert re.fullmatch(rf"GET /api/scans/export 499 .* user={alice.id}", lines[0])
    assert len(read) <= 1
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    metrics = (await alice.get("/metrics", headers=bearer(SECRET))).body.decode()
    assert re.findall(r'riskscan_requests_total{.*route="/api/scans/export".*} .*', metrics) == [
        'riskscan_requests_total{method="GET",route="/api/scans/export",status="499"} 1.0'
    ]


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that receives all temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def list_files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()] or [
        path.name for path in folder.iterdir()
    ]


@pytest.mark.slow
async def test_client_disconnect_removes_temporary_files(
    alice: Person, ai: Ai, server: Server, temporary_folder: Path
) -> None:
    await fill_with_scans(alice, ai, 12)
    async with request_export(alice, "format=xlsx") as response:
        await response.content.readexactly(1000)
        assert list_files(temporary_folder) == ["register.xlsx"]
        response.close()
    await server.app[ACTIVE_REQUESTS].drain()
    assert list_files(temporary_folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["making", "sending"])
async def test_server_shutdown_removes_temporary_files(
    make_settings: MakeSettings, ai: Ai, temporary_folder: Path, phase: str
) -> None:
    async with serve(make_settings()) as server:
        ana = Person(server)
        await ana.register("ana@example.com")
        await fill_with_scans(ana, ai, 12)
        asked = asyncio.ensure_future(request_export(ana, "format=xlsx").__aenter__())
        if phase == "sending":
            await (await asked).content.readexactly(1000)
        while not list_files(temporary_folder):
            await ana.get("/api/health/live")
    for answer in await asyncio.gather(asked, return_exceptions=True):
        if isinstance(answer, aiohttp.ClientResponse):
            answer.close()
    await ana.session.close()
    await server.app[ACTIVE_REQUESTS].drain()
    assert list_files(temporary_folder) == []


@pytest.mark.slow
@needs_access_to_processes
@pytest.mark.parametrize(("scans", "risks", "most"), [(200, 500, 16), (1, 50_000, 48)])
async def test_large_export_needs_little_memory(
    start: Start, environ: dict[str, str], ai: Ai, scans: int, risks: int, most: int
) -> None:
    """Peak memory growth in MB on a fresh worker, which must answer other requests meanwhile."""
    environ |= {"WORKERS": "1", "AI_SERVICE_URL": ai.url}
    program = await asyncio.to_thread(start, **environ)
    async with registered_person(server_of(program)) as ana:
        risk = {"risk": f"{KHMER[:9]} in the plan", "category": "Technical", "context": secrets.token_hex(20)}
        ai.findings = {"data": [risk] * risks, "source": "model"}
        for _ in range(scans):
            await ana.scan(text="x")
        await asyncio.to_thread(program.stop)
        program = await asyncio.to_thread(start, **environ)
        ana.url = program.url
        async with registered_person(server_of(program), "bob@example.com") as bob:
            for kind in FORMATS:  # warm up: modules loaded on first use must not count as growth
                assert len(await export_rows(bob, "/api/scans/export", kind)) == 1
        worker = program.worker()
        growth = {}
        for kind in FORMATS:
            before = worker.memory_info().rss
            reset_peak_memory(worker.pid)
            work = asyncio.create_task(measure_size(ana, kind))
            assert await count_responses(ana, work) > 10, kind  # a blocked event loop answers one or two
            assert await work > 100 * risks * scans or kind == "xlsx"
            growth[kind] = (peak_memory(worker.pid) - before) / 2**20
    assert max(growth.values()) < most, growth


def server_of(program: Program) -> Server:
    return Server(web.Application(), program.url, 0)


async def measure_size(person: Person, kind: str) -> int:
    """Read an export without storing it; return its size in bytes."""
    size = 0
    async with request_export(person, f"format={kind}") as response:
        async for chunk in response.content.iter_any():
            size += len(chunk)
    return size


async def count_responses(person: Person, work: asyncio.Task[int]) -> int:
    """Send one request after the other until the work is done; return how many were answered."""
    count = 0
    while not work.done():
        assert (await person.get("/api/health/live")).status == 200
        count += 1
    return count


def reset_peak_memory(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM, see proc(5)


def peak_memory(pid: int) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


CONFIRMED = {
    "state": "confirmed", "comment": "Ask\nthem", "owner": "Ana", "likelihood": 4, "impact": 5,
    "response": "reduce", "due": "2026-12-31",
}  # fmt: skip


async def review(person: Person, scan: dict[str, Any], number: int, **fields: Any) -> Any:
    """Review a finding; return it."""
    path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
    reply = await person.request("PUT", path, json=fields)
    assert reply.status == 200, reply.body
    return reply.json


async def scan_with_reviews(person: Person, ai: Ai) -> dict[str, Any]:
    """Scan a document with three findings: confirmed, dismissed and open."""
    third = {"risk": "Nobody knows", "category": "Legal", "context": "Nobody knows the law."}
    places = ("p. 7 · 4.2 Payment", None, "p. 9")
    data = [{**risk, "place": place} for risk, place in zip([*RISKS, third], places, strict=True)]
    ai.findings = {"data": data, "source": "model"}
    scan = await person.scan(file=("plan.txt", b"tight budget"))
    await review(person, scan, 1, **CONFIRMED)
    await review(person, scan, 2, state="dismissed", reason="already_handled")
    return scan


async def test_exports_have_the_place_and_the_review_of_each_finding(
    alice: Person, bob: Person, ai: Ai
) -> None:
    scan = await scan_with_reviews(alice, ai)
    again = await alice.scan(file=("plan 2.txt", b"tight budget"))
    await bob.scan(text="tight budget")
    found = (await alice.get(f"/api/scans/{scan['scan_id']}/findings")).json["findings"]
    times = [finding["review"] and finding["review"]["updated_at"] for finding in found]
    none = {**dict.fromkeys(("reason", "comment", "owner", "likelihood", "impact", "response", "due"))}
    wanted = [
        {"place": "p. 7 · 4.2 Payment", **none, **CONFIRMED, "reviewed_at": times[0]},
        {"place": None, **none, "state": "dismissed", "reason": "already_handled", "reviewed_at": times[1]},
        {"place": "p. 9", **none, "state": "open", "reviewed_at": None},
    ]
    for path, rows in (("/api/scans/export", wanted * 2), (f"/api/scans/{again['scan_id']}/export", wanted)):
        exported = (await alice.get(f"{path}?format=json")).json
        assert [{name: row[name] for name in wanted[0]} for row in exported] == rows
    others = (await bob.get("/api/scans/export?format=json")).json
    assert {row["state"] for row in others} == {"open"}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [("", [1, 2, 3]), ("state=open", [3]), ("state=confirmed", [1]), ("state=dismissed", [2]),
     ("category=fINANCIAL", [1]), ("q=payment", [1]), ("q=nobody+law", [3]), ("q=budget&state=open", []),
     ("q=%22knows+the+law%22", [3]), ("q=%22knows+law%22", []), ("q=knows+%22nobody", [3]),
     ("q=%22%22", [1, 2, 3]), ("q=%22law+legal%22", []),
     ("layout=jira", [1, 3]), ("layout=jira&state=dismissed", [2]), ("layout=ciso-assistant", [1, 2, 3])],
)  # fmt: skip
async def test_export_of_a_scan_follows_the_filter_of_its_page(
    alice: Person, ai: Ai, query: str, numbers: list[int]
) -> None:
    scan = await scan_with_reviews(alice, ai)
    _, *rows = await export_rows(alice, f"/api/scans/{scan['scan_id']}/export", "csv", f"&{query}")
    column = 0 if "jira" in query else 1 if "ciso" in query else 3
    assert [row[column] for row in rows] == [scan["data"][number - 1]["risk"] for number in numbers]


async def test_export_of_all_scans_filters_findings_by_state(alice: Person, ai: Ai) -> None:
    scan = await scan_with_reviews(alice, ai)
    await alice.scan(text="tight budget")
    for query, count in (("state=open", 2), ("state=confirmed&category=financial", 2), ("state=&q=plan", 3)):
        _, *rows = await export_rows(alice, "/api/scans/export", "csv", f"&{query}")
        assert len(rows) == count, query
    for path in ("/api/scans/export", f"/api/scans/{scan['scan_id']}/export"):
        reply = await alice.get(f"{path}?state=undecided")
        assert_error(reply, 400, "invalid_request", state=...)


async def test_a_risk_without_a_title_has_its_quote_as_the_name(alice: Person, ai: Ai) -> None:
    quote = "The budget is tight."
    ai.findings = {"data": [{"risk": "", "category": "x", "context": quote}], "source": "model"}
    await alice.scan(text="x")
    _, row = await export_rows(alice, "/api/scans/export", "csv")
    assert (row[3], row[5]) == (quote, quote)
