"""Exports: each format and layout read back by another library, hostile texts, and aborted streams."""

from __future__ import annotations

import asyncio
import csv
import datetime
import html
import io
import json
import re
import secrets
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import cmarkgfm
import openpyxl
import pytest
from aiohttp import web
from yarl import URL

from riskscan.concurrency import ACTIVE_REQUESTS
from riskscan.export.columns import COLUMNS, LAYOUTS
from riskscan.export.xlsx import CELL_UNITS, Workbook, truncate_to_cell
from riskscan.schemas import RegisterRow
from riskscan.settings import SQLITE, sqlite_path
from tests.support.ai import RISKS, Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, Reply, assert_error, registered_person
from tests.support.postgres import Postgres, database_name
from tests.support.program import Program, Start

# fixtures, used by name

KHMER = "ថវិកាមិនគ្រប់គ្រាន់\u200bសម្រាប់ដំណាក់កាលទីពីរ"
TITLES = ["Ref", "Scan date", "File", "Risk", "Category", "Context", "Source", "Link"]
TO_FILL_IN = ["Owner", "Likelihood", "Impact", "Response", "Due"]
CISO = [
    "ref_id", "name", "description", "inherent_impact", "inherent_proba", "existing_controls",
    "current_impact", "current_proba", "additional_controls", "residual_impact", "residual_proba",
    "treatment",
]  # fmt: skip
FORMATS = ["csv", "xlsx", "md", "json"]
DANGEROUS = [
    "=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx",
    " =1", "\u00a0=1", "\u3000@x", "\u200b=1", "\ufeff-1", " \t+1", "＝1", "\u2003\tx",
]  # fmt: skip
HARMLESS = ["a=1", "1-1", "'=1", "x@y.z", "(=1)", KHMER, "", " x", "R-1"]
# findings of one scan, about 1 MB
MEGABYTE = [
    {"risk": f"Risk {number}", "category": "Technical", "context": secrets.token_hex(500)}
    for number in range(1000)
]


def csv_rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), "excel", strict=True))


def load_sheet(body: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(body)).active


def xlsx_rows(body: bytes) -> list[list[str]]:
    def shown(value: Any) -> str:
        return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime.datetime) else value or ""

    return [[shown(value) for value in row] for row in load_sheet(body).iter_rows(values_only=True)]


def md_rows(body: bytes) -> list[list[str]]:
    """Return the rows of a table as parsed by GitHub's Markdown parser."""
    page = cmarkgfm.github_flavored_markdown_to_html(body.decode())
    return [
        [
            html.unescape(re.sub("<[^>]*>", "", cell)).replace("\u2060", "")
            for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in re.findall("<tr>(.*?)</tr>", page, re.DOTALL)
    ]


def json_rows(body: bytes) -> list[list[str]]:
    items = json.loads(body)
    titles = list(items[0]) if items else []
    assert all(list(item) == titles for item in items)
    return [titles, *([value or "" for value in item.values()] for item in items)]


READ: dict[str, Callable[[bytes], list[list[str]]]] = {
    "csv": csv_rows,
    "xlsx": xlsx_rows,
    "md": md_rows,
    "json": json_rows,
}
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
}


def drop_fraction(time: str) -> str:
    return re.sub(r"\.\d+Z$", "Z", time)


def expected_rows(person: Person, scan: dict[str, Any], kind: str = "csv") -> list[list[str]]:
    """Return the rows that an export must have for a scan."""
    date = scan["created_at"] if kind == "json" else drop_fraction(scan["created_at"])
    link = f"{person.url}/scans/{scan['scan_id']}"
    return [
        [
            f"R-{scan['scan_id'][:18]}-{number:02}",
            date,
            scan["filename"] or "",
            *risk.values(),
            scan["source"],
            link,
        ]
        for number, risk in enumerate(scan["data"], 1)
    ]


async def export_rows(person: Person, path: str, kind: str, query: str = "") -> list[list[str]]:
    reply = await person.get(f"{path}?format={kind}{query}")
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == KINDS[kind]
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    return READ[kind](reply.body)


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


@pytest.mark.parametrize("kind", FORMATS)
async def test_register_and_ciso_assistant_layouts(alice: Person, kind: str) -> None:
    scan = await alice.scan(file=("plan.txt", b"tight budget"))
    path = f"/api/scans/{scan['scan_id']}/export"
    titles, *rows = await export_rows(alice, path, kind, "&layout=register")
    wanted = [*TITLES, *TO_FILL_IN]
    assert titles == ([title.lower().replace(" ", "_") for title in wanted] if kind == "json" else wanted)
    assert rows == [[*row, *[""] * 5] for row in expected_rows(alice, scan, kind)]

    titles, *rows = await export_rows(alice, path, kind, "&layout=ciso-assistant")
    assert titles == CISO
    for row, known in zip(rows, expected_rows(alice, scan), strict=True):
        ref, date, file, risk, category, context, _, link = known
        lines = [
            context,
            f"Category: {category}",
            f"File: {file}",
            f"Found by RiskScan on {date[:10]}: {link}",
        ]
        description = (" " if kind == "md" else "\n").join(lines)
        assert row == [ref, risk, description, *[""] * 8, "open"]


async def test_ciso_assistant_name_has_1_to_200_characters(alice: Person, ai: Ai) -> None:
    long = "word " * 60
    ai.findings = {
        "data": [
            {"risk": long, "category": "Legal", "context": "So it is."},
            {"risk": " ", "category": "Legal", "context": "So it is."},
        ],
        "source": "llm",
    }
    await alice.scan(text="x")
    _, first, second = await export_rows(alice, "/api/scans/export", "csv", "&layout=ciso-assistant")
    assert len(first[1]) == 200
    assert first[2].startswith(f"{long}\nSo it is.\nCategory: Legal\nFound by")
    assert second[1] == second[0]


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


async def test_csv_bytes_are_exact(alice: Person, ai: Ai) -> None:
    ai.findings = {
        "data": [{"risk": 'A "risk", it is', "category": "-", "context": f"{KHMER}\nsecond line"}],
        "source": "llm",
    }
    scan = await alice.scan(text="x")
    reply = await alice.get("/api/scans/export?format=csv")
    assert reply.body.decode() == (
        "\ufeffRef,Scan date,File,Risk,Category,Context,Source,Link\r\n"
        f"R-{scan['scan_id'][:18]}-01,{drop_fraction(scan['created_at'])},,"
        f'"A ""risk"", it is",\'-,"{KHMER}\nsecond line",llm,{alice.url}/scans/{scan["scan_id"]}\r\n'
    )


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
        (None, "riskscan-text-", "riskscan-text-"),
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


@pytest.mark.parametrize("cell", DANGEROUS)
async def test_formulas_in_cells_are_escaped(alice: Person, ai: Ai, cell: str) -> None:
    ai.findings = {"data": [{"risk": cell, "category": cell, "context": cell}], "source": "model"}
    await alice.scan(text="x")
    for layout in LAYOUTS:
        for row in csv_rows((await alice.get(f"/api/scans/export?format=csv&layout={layout}")).body)[1:]:
            assert not any(re.match(r"\s*[=+\-@\t\r\n]", value) for value in row)
            assert layout == "ciso-assistant" or row[3:6] == ["'" + cell] * 3
        sheet = load_sheet((await alice.get(f"/api/scans/export?format=xlsx&layout={layout}")).body)
        assert {value.data_type for row in sheet.iter_rows() for value in row} <= {"s", "n", "d"}
        if layout != "ciso-assistant":
            shown = [sheet.cell(2, column) for column in (4, 5, 6)]
            kept = cell.replace("\r", "\n")
            assert [(value.value, value.quotePrefix) for value in shown] == [(kept, True)] * 3


@pytest.mark.parametrize("cell", HARMLESS)
async def test_harmless_cells_are_unchanged(alice: Person, ai: Ai, cell: str) -> None:
    ai.findings = {"data": [{"risk": cell, "category": cell, "context": cell}], "source": "model"}
    await alice.scan(text="x")
    for kind in ("csv", "xlsx"):
        _, row = await export_rows(alice, "/api/scans/export", kind)
        assert row[3:6] == [cell] * 3


@pytest.mark.parametrize(
    "text",
    [
        "a | b || c \\| d \\",
        "`code` ``two`` **bold** __bold__ ~~gone~~ *x* _y_",
        "<script>alert(1)</script> <b>x</b> &amp; &#64; <https://evil.example>",
        "[x](https://evil.example) ![y](z) [^1] [a][b]",
        "https://evil.example www.evil.example WWW.evil.example ftp://x.y mailto:a@b.example a@b.example",
        "@alice #12 owner/repo#3 $x$ {color:red}x{color} ^up^",
        "one\ntwo\r\nthree\u2028four\tfive",
        "--- | ---",
        "| |",
    ],
)
async def test_markdown_escapes_every_text(alice: Person, ai: Ai, text: str) -> None:
    ai.findings = {"data": [{"risk": text, "category": text, "context": text}], "source": "model"}
    scan = await alice.scan(text="x")
    body = (await alice.get("/api/scans/export?format=md")).body
    _, row = md_rows(body)
    assert row[3:6] == [" ".join(text.split())] * 3
    page = cmarkgfm.github_flavored_markdown_to_html(body.decode())
    assert set(re.findall(r"<(\w+)", page)) == {"table", "thead", "tbody", "tr", "th", "td", "a"}
    assert re.findall(r'href="([^"]*)"', page) == [f"{alice.url}/scans/{scan['scan_id']}"]
    # GitHub turns mentions and references in the rendered text into links
    assert not re.search(r"[@#]\w", re.sub("<[^>]*>", "", page).replace("&#", ""))


async def test_long_excel_cells_are_truncated_and_marked(alice: Person, ai: Ai) -> None:
    contexts = ["x" * CELL_UNITS, "x" * (CELL_UNITS + 1), "😀" * 20_000, KHMER * 2000]
    ai.findings = {
        "data": [{"risk": "r", "category": "c", "context": context} for context in contexts],
        "source": "model",
    }
    await alice.scan(text="x")
    assert [row[5] for row in await export_rows(alice, "/api/scans/export", "csv")][1:] == contexts
    whole, *cut = [row[5] for row in await export_rows(alice, "/api/scans/export", "xlsx")][1:]
    assert whole == contexts[0]
    for shown, context in zip(cut, contexts[1:], strict=True):
        begin, _, said = shown.partition(" … [")
        assert context.startswith(begin)
        assert said == "cut here: Excel holds no more in a cell]"
        assert CELL_UNITS - 1 <= len(shown.encode("utf-16-le")) // 2 <= CELL_UNITS


async def test_workbook_accepts_any_text(alice: Person, ai: Ai) -> None:
    """XlsxWriter reads <r>…</r> as rich-text XML, and XML allows no control characters."""
    texts = [
        '<r></t></is></c><c r="Z9"><f>1+1</f></c><c t="inlineStr"><is><t></r>',
        "<r><t>bold</t></r>",
        "".join(map(chr, range(1, 32))),
        "\ufffe\uffff _x0041_ \x7f\x85",
        "]]> <!-- &amp; \"'",
        "  both ends  ",
        "http://example.com",
        "{=1}",
        "00123",
        "TRUE",
    ]
    ai.findings = {
        "data": [{"risk": text, "category": text, "context": text} for text in texts],
        "source": "model",
    }
    await alice.scan(text="x")
    body = (await alice.get("/api/scans/export?format=xlsx")).body
    sheet = load_sheet(body)
    assert sheet.max_row == len(texts) + 1
    assert sheet.max_column == len(TITLES)
    assert {cell.data_type for row in sheet.iter_rows(min_col=3) for cell in row} <= {"s", "n"}
    for row, text in enumerate(texts, 2):
        if text.isprintable() or text.startswith("<r>"):
            assert sheet.cell(row, 6).value.removesuffix(" ") == text.removesuffix(" ")
    xml = zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in xml
    assert b"hyperlink" not in xml


async def test_workbook_has_header_filter_dates_and_validations(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    sheet = load_sheet((await alice.get("/api/scans/export?format=xlsx&layout=register")).body)
    assert sheet.title == "Risks"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:M3"
    assert all(cell.font.bold for cell in sheet[1])
    assert all(cell.alignment.wrap_text for row in sheet.iter_rows(max_col=8) for cell in row if cell.value)
    assert all(sheet.column_dimensions[letter].width > 9 for letter in "ABCDEFGHIJKLM")
    date = sheet["B2"]
    assert date.is_date
    assert f"{date.value:%Y-%m-%dT%H:%M:%SZ}" == drop_fraction(scan["created_at"])
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert {place: rule.type for place, rule in rules.items()} == {
        "J2:J3": "list",
        "K2:K3": "list",
        "L2:L3": "list",
        "M2:M3": "date",
    }
    assert rules["L2:L3"].formula1 == '"Avoid,Reduce,Transfer,Accept"'
    plain = load_sheet((await alice.get("/api/scans/export?format=xlsx")).body)
    assert plain.data_validations.dataValidation == []


def make_row(number: int) -> RegisterRow:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC)
    return RegisterRow(
        f"R-{number}", moment, None, "risk", "category", "context", "model", "http://x/scans/1"
    )


def test_rows_beyond_a_full_sheet_go_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = Workbook(path, COLUMNS, sheet_rows=4)
    for numbers in ((0, 1), (2, 3, 4, 5, 6)):
        book.write([make_row(number) for number in numbers])
    book.close()
    sheets = openpyxl.load_workbook(path).worksheets
    assert [sheet.title for sheet in sheets] == ["Risks", "Risks 2", "Risks 3"]
    assert [sheet.auto_filter.ref for sheet in sheets] == ["A1:H4", "A1:H4", "A1:H2"]
    refs = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in sheets]
    assert refs == [["Ref", "R-0", "R-1", "R-2"], ["Ref", "R-3", "R-4", "R-5"], ["Ref", "R-6"]]
    assert sorted(tmp_path.iterdir()) == [path]


def test_truncation_never_splits_a_character() -> None:
    for padding in range(3):
        assert "\ufffd" not in truncate_to_cell("x" * padding + "😀" * CELL_UNITS)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=pdf", "format"),
        ("format=", "format"),
        ("format=CSV", "format"),
        ("format=csv&layout=jira", "layout"),
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
        async with asyncio.timeout(30):
            while not list_files(temporary_folder):
                await ana.get("/api/health/live")
    for answer in await asyncio.gather(asked, return_exceptions=True):
        if isinstance(answer, aiohttp.ClientResponse):
            answer.close()
    await ana.session.close()
    await server.app[ACTIVE_REQUESTS].drain()
    assert list_files(temporary_folder) == []


@pytest.mark.timeout(600)
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
        growth, slowest = {}, {}
        for kind in FORMATS:
            before = worker.memory_info().rss
            reset_peak_memory(worker.pid)
            work = asyncio.create_task(measure_size(ana, kind))
            slowest[kind] = await slowest_response(ana, work)
            assert await work > 100 * risks * scans or kind == "xlsx"
            growth[kind] = (peak_memory(worker.pid) - before) / 2**20
    assert max(growth.values()) < most, growth
    assert max(slowest.values()) < 2, slowest  # seconds, on a busy machine


def server_of(program: Program) -> Server:
    return Server(web.Application(), program.url, 0)


async def measure_size(person: Person, kind: str) -> int:
    """Read an export without storing it; return its size in bytes."""
    size = 0
    async with request_export(person, f"format={kind}") as response:
        async for chunk in response.content.iter_any():
            size += len(chunk)
    return size


async def slowest_response(person: Person, work: asyncio.Task[int]) -> float:
    """Send requests until the work is done; return the longest response time in seconds."""
    slowest = 0.0
    while not work.done():
        began = time.monotonic()
        assert (await person.get("/api/health/live")).status == 200
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.05)  # so that these requests do not become the load
    return slowest


def reset_peak_memory(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM, see proc(5)


def peak_memory(pid: int) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
