"""Edited exports that are imported: changes, conflicts, findings of others, hostile files."""

from __future__ import annotations

import csv
import datetime
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from tests.support.ai import Ai
from tests.support.client import Person, Reply, assert_error, bearer, create_token, form, sign_up, text_of

LAYOUT_KINDS = [("csv", ""), ("csv", "register"), ("xlsx", ""), ("xlsx", "register")]
CONFIRMED = {
    "state": "confirmed", "reason": None, "comment": "=Ask\nthem", "owner": "'=Ana", "likelihood": 4,
    "impact": 5, "response": "reduce", "due": "2026-12-31",
}  # fmt: skip
Cells = dict[str, Any]  # of a row, by the head of the column


async def scan_findings(person: Person, ai: Ai, count: int = 4) -> Any:
    data = [
        {"risk": f"Risk {n}", "category": "Legal", "context": f"Clause {n}."} for n in range(1, count + 1)
    ]
    ai.findings = {"data": data, "source": "model"}
    return await person.scan(text="x")


async def review(person: Person, scan: Any, number: int, **fields: Any) -> None:
    path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
    reply = await person.request("PUT", path, json=fields)
    assert reply.status == 200, reply.body


async def reviews_of(person: Person, scan: Any) -> list[Any]:
    """Return the fields of the reviews of a scan's findings, None for open ones."""
    found = (await person.get(f"/api/scans/{scan['scan_id']}/findings")).json["findings"]
    names = list(CONFIRMED)
    reviews = [finding["review"] for finding in found]
    return [one and {name: one[name] for name in names} for one in reviews]


async def export(person: Person, kind: str = "xlsx", layout: str = "register") -> bytes:
    reply = await person.get(f"/api/scans/export?format={kind}&layout={layout}")
    assert reply.status == 200
    return reply.body


def edit_csv(body: bytes, edit: Callable[[list[Cells]], list[Cells]]) -> bytes:
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    edited = edit(rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(edited[0]))
    writer.writeheader()
    writer.writerows(edited)
    return file.getvalue().encode()


def edit_xlsx(body: bytes, edit: Callable[[Worksheet], None]) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(body))
    assert isinstance(book.active, Worksheet)
    edit(book.active)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def edit_part(body: bytes, part: str, edit: Callable[[bytes], bytes]) -> bytes:
    """Edit a part of a workbook by its XML."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as package, zipfile.ZipFile(file, "w") as copy:
        for name in package.namelist():
            copy.writestr(name, edit(package.read(name)) if name == part else package.read(name))
    return file.getvalue()


def set_cells(sheet: Worksheet, row: int, **cells: Any) -> None:
    """Set cells of a row by their heads, in lower case."""
    heads = {str(cell.value).lower(): cell.column for cell in sheet[1]}
    for head, value in cells.items():
        cell: Any = sheet.cell(row, heads[head] or 1)
        cell.value = value
        if isinstance(value, str):
            cell.data_type = "s"  # of a text that begins as a formula does


async def send(person: Person, body: bytes, name: str = "register.xlsx", **fields: str) -> Reply:
    return await person.post("/api/reviews/import", data=form(file=(name, body), **fields))


def counts(reply: Reply) -> dict[str, int]:
    """Return the counts that are not zero."""
    assert reply.status == 200, reply.body
    names = ("unchanged", "change", "conflict", "unknown", "error")
    return {name: count for name in names if (count := reply.json[f"{name}_count"])}


def details(reply: Reply, kind: str) -> list[str]:
    return [line["detail"] for line in reply.json[kind]]


@pytest.mark.parametrize(("kind", "layout"), LAYOUT_KINDS)
async def test_an_export_changes_nothing_when_it_comes_back(
    alice: Person, ai: Ai, kind: str, layout: str
) -> None:
    scan = await scan_findings(alice, ai)
    await review(alice, scan, 1, **CONFIRMED)
    await review(alice, scan, 2, state="dismissed", reason="not_a_risk", comment="_x0041_ <r>x</r> \t'x")
    before = await reviews_of(alice, scan)
    reply = await send(alice, await export(alice, kind, layout), f"r.{kind}", apply="true")
    assert counts(reply) == {"unchanged": 4}
    assert reply.json["applied"] is False
    assert await reviews_of(alice, scan) == before


async def test_nothing_is_stored_before_it_is_applied(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai)
    await review(alice, scan, 2, state="dismissed", reason="duplicate")

    def edit(sheet: Worksheet) -> None:
        set_cells(
            sheet, 2, state="Confirmed", owner="'=Ana", likelihood="Likely", impact=5, response="reduce",
            due=datetime.datetime(2026, 12, 31), comment="=Ask\nthem",
        )  # fmt: skip
        set_cells(sheet, 3, state="open", reason=None)
        set_cells(sheet, 4, owner="Bo", due="31.12.2026")

    body = edit_xlsx(await export(alice), edit)
    preview = await send(alice, body)
    assert counts(preview) == {"unchanged": 1, "change": 3}
    assert preview.json["applied"] is False
    assert details(preview, "changes") == [
        "State: Open → Confirmed · Comment: =Ask\nthem · Owner: '=Ana · Likelihood: Likely · "
        "Impact: Severe · Response: Reduce · Due: 2026-12-31",
        "State: Dismissed → Open · Reason: Duplicate → none",
        "State: Open → Confirmed · Owner: Bo · Due: 2026-12-31",
    ]
    line = preview.json["changes"][0]
    assert (line["sheet"], line["row"], line["scan_id"], line["number"]) == ("Risks", 2, scan["scan_id"], 1)
    assert [one and one["state"] for one in await reviews_of(alice, scan)] == [None, "dismissed", None, None]
    applied = await send(alice, body, apply="true")
    assert applied.json == {**preview.json, "applied": True}
    bo = {**dict.fromkeys(CONFIRMED), "state": "confirmed", "owner": "Bo", "due": "2026-12-31"}
    assert await reviews_of(alice, scan) == [CONFIRMED, None, bo, None]
    again = await send(alice, body, apply="true")
    assert counts(again) == {"unchanged": 4}


async def test_reordered_filtered_deleted_rows_and_translated_heads_survive(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai, 6)

    def edit(sheet: Worksheet) -> None:
        for row in range(2, 8):
            set_cells(sheet, row, owner=f"Owner {row - 1}")
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        sheet.delete_rows(2, 6)
        for values in rows[:0:-1]:  # reordered, the first deleted
            sheet.append(values)
        sheet.insert_rows(3)
        sheet.auto_filter.add_filter_column(0, ["nothing"])
        sheet.row_dimensions[4].hidden = True
        for number, cell in enumerate(sheet[1], 1):
            cell.value = f"ក្បាល {number}"
        sheet.cell(1, 30).value, sheet.cell(2, 30).value = "Our own column", "x"

    reply = await send(alice, edit_xlsx(await export(alice), edit), apply="true")
    assert counts(reply) == {"change": 5}
    owners = [one and one["owner"] for one in await reviews_of(alice, scan)]
    assert owners == [None, *(f"Owner {number}" for number in range(2, 7))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_csv_in_another_language_is_read(alice: Person, ai: Ai, delimiter: str) -> None:
    scan = await scan_findings(alice, ai)
    rows = list(csv.DictReader(io.StringIO((await export(alice, "csv")).decode("utf-8-sig"))))
    lines = [["A title"], [], ["Nr.", "Zustand", "Verantwortlich", "Wahrscheinlichkeit", "Fällig"]]
    lines += [[row["Ref"].upper(), "Confirmed", "'=Ana", "Almost certain", "1.2.2027"] for row in rows[:2]]
    lines += [["", "", "", "", ""], ["Total", "2", "", "", ""]]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    reply = await send(alice, text.encode("utf-16"), "Register.CSV", apply="true")
    assert counts(reply) == {"change": 2, "unknown": 1}
    fields = {"state": "confirmed", "owner": "=Ana", "likelihood": 5, "due": "2027-02-01"}
    assert (await reviews_of(alice, scan))[:2] == [{**dict.fromkeys(CONFIRMED), **fields}] * 2


async def test_a_column_that_is_missing_keeps_its_values(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai)
    await review(alice, scan, 1, **CONFIRMED)

    def edit(rows: list[Cells]) -> list[Cells]:
        return [{"Ref": row["Ref"], "Owner": "Bo" if row["Owner"] else ""} for row in rows]

    reply = await send(alice, edit_csv(await export(alice, "csv"), edit), "r.csv", apply="true")
    assert counts(reply) == {"change": 1, "unchanged": 3}
    assert await reviews_of(alice, scan) == [{**CONFIRMED, "owner": "Bo"}, None, None, None]


async def test_reviews_made_after_the_export_are_conflicts_and_stay(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai, 5)
    for number in (1, 2, 3):
        await review(alice, scan, number, state="confirmed", owner="Ana")
    body = await export(alice)
    await review(alice, scan, 1, state="confirmed", owner="Changed")
    await alice.delete(f"/api/scans/{scan['scan_id']}/findings/2/review")
    for number in (4, 5):
        await review(alice, scan, number, state="dismissed", reason="accepted")
    before = await reviews_of(alice, scan)

    def edit(sheet: Worksheet) -> None:
        for row in range(2, 6):
            set_cells(sheet, row, state="Confirmed", owner="Edited")

    reply = await send(alice, edit_xlsx(body, edit), apply="true")
    assert counts(reply) == {"unchanged": 1, "change": 1, "conflict": 3}
    first, second, third = details(reply, "conflicts")
    assert re.match("It was reviewed after the export, on 20", first)
    assert second == "Its review was removed after the export."
    assert re.match("It was reviewed after the export, on 20", third)
    after = await reviews_of(alice, scan)
    assert [after[0], after[1], *after[3:]] == [before[0], before[1], *before[3:]]
    assert after[2]["owner"] == "Edited"


async def test_invalid_values_are_shown_by_row_and_not_stored(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai, 7)

    def edit(sheet: Worksheet) -> None:
        set_cells(sheet, 2, state="Perhaps")
        set_cells(sheet, 3, state="Confirmed", due="soon")
        set_cells(sheet, 4, state="Dismissed")
        set_cells(sheet, 5, state="Confirmed", likelihood=6)
        set_cells(sheet, 6, state="Confirmed", comment="x" * 501)
        set_cells(sheet, 7, comment="What now?")
        set_cells(sheet, 8, owner="Ana")

    reply = await send(alice, edit_xlsx(await export(alice), edit), apply="true")
    assert counts(reply) == {"change": 1, "error": 6}
    assert [line["row"] for line in reply.json["errors"]] == [2, 3, 4, 5, 6, 7]
    names = [detail.partition(":")[0] for detail in details(reply, "errors")]
    assert names == ["State", "Due", "Reason", "Likelihood", "Comment", "State"]
    rating = "Likelihood: Must be one of: Rare, Unlikely, Possible, Likely, Almost certain."
    assert details(reply, "errors")[3] == rating
    assert [one is not None for one in await reviews_of(alice, scan)] == [False] * 6 + [True]


async def test_cells_without_a_value_are_shown_and_remove_nothing(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai, 5)
    for number in (1, 2, 3, 4):
        await review(alice, scan, number, **CONFIRMED)
    before = await reviews_of(alice, scan)

    def edit(sheet: Worksheet) -> None:
        heads = {str(cell.value): cell.column for cell in sheet[1]}
        sheet.cell(2, heads["Owner"]).value = "=Bo"  # openpyxl stores no result
        set_cells(sheet, 2, likelihood=3)
        sheet.cell(3, heads["Due"]).value = "#NAME?"
        sheet.cell(3, heads["Due"]).data_type = "e"
        sheet.cell(4, heads["Owner"]).value = "=IF(TRUE,,)"
        sheet.cell(5, heads["Owner"]).value = '=UPPER("bo")'
        sheet.cell(6, heads["Ref"]).value = "=Ref"

    def store_results(xml: bytes) -> bytes:
        for row, result in ((b"4", b""), (b"5", b"BO")):
            formula = rb'(<c r="[A-Z]+%s")([^>]*><f>[^<]*</f>)<v ?/?>(</v>)?' % row
            xml = re.sub(formula, rb'\1 t="str"\2<v>%s</v>' % result, xml)
        return xml

    body = edit_part(edit_xlsx(await export(alice), edit), "xl/worksheets/sheet1.xml", store_results)
    reply = await send(alice, body, apply="true")
    assert counts(reply) == {"change": 2, "error": 2, "unknown": 1}
    assert details(reply, "errors") == [
        "Owner: The cell has an error, or a formula without a result.",
        "Due: The cell has an error, or a formula without a result.",
    ]
    assert details(reply, "changes") == ["Owner: '=Ana → none", "Owner: '=Ana → BO"]
    assert reply.json["unknown"][0]["ref"] == ""
    after = await reviews_of(alice, scan)
    assert after[:2] == before[:2]
    assert [one["owner"] for one in after[2:4]] == [None, "BO"]


async def test_a_reopened_row_changes_nothing_when_it_is_sent_again(alice: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai, 1)
    await review(alice, scan, 1, state="confirmed", owner="Ana")
    body = edit_xlsx(await export(alice), lambda sheet: set_cells(sheet, 2, state="Open"))
    assert counts(await send(alice, body, apply="true")) == {"change": 1}
    assert await reviews_of(alice, scan) == [None]
    assert counts(await send(alice, body)) == {"unchanged": 1}


async def test_the_same_sentence_can_have_one_review_only(alice: Person, ai: Ai) -> None:
    scans = [await scan_findings(alice, ai, 1) for _ in range(3)]

    def edit(sheet: Worksheet) -> None:
        set_cells(sheet, 2, owner="Ana")
        set_cells(sheet, 3, owner="Bo")

    reply = await send(alice, edit_xlsx(await export(alice), edit), apply="true")
    assert counts(reply) == {"unchanged": 1, "change": 1, "error": 1}
    assert [(await reviews_of(alice, scan))[0]["owner"] for scan in scans] == ["Ana"] * 3


async def test_findings_of_others_are_unknown(alice: Person, bob: Person, ai: Ai) -> None:
    scan = await scan_findings(alice, ai)
    body = edit_xlsx(await export(alice), lambda sheet: set_cells(sheet, 2, owner="Bob"))
    reply = await send(bob, body, apply="true")
    assert counts(reply) == {"unknown": 4}
    assert [line["scan_id"] for line in reply.json["unknown"]] == [None] * 4
    assert await reviews_of(alice, scan) == [None] * 4


async def test_an_api_token_needs_the_scope_review(alice: Person, guest: Person, ai: Ai) -> None:
    await scan_findings(alice, ai)
    body = await export(alice)
    for scopes, status in ((["scan", "read"], 403), (["review"], 200)):
        token = (await create_token(alice, scopes=scopes))["token"]
        data = form(file=("r.xlsx", body))
        reply = await guest.post("/api/reviews/import", data=data, headers=bearer(token))
        assert reply.status == status
    assert_error(await guest.post("/api/reviews/import", data=form(file=("r.xlsx", body))), 401,
                 "not_authenticated")  # fmt: skip


def zip_of(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("r.xlsx", b"PK\x03\x04 no archive", "invalid_request"),
        ("r.xlsx", zip_of(**{"xl/workbook.xml": b"<x/>"}), "invalid_request"),
        ("r.xlsx", zip_of(bomb=bytes(200 * 2**20)), "invalid_request"),
        ("r.csv", b"\0\1\2" * 100, "invalid_request"),
        ("r.csv", b'"' + b"x," * 200_000, "invalid_request"),
        ("r.csv", b"Ref,Owner\r\nnothing,here\r\n", "invalid_request"),
        ("r.csv", b"Ref,Colour\r\nR-0b4e3c1a-7f6d-4c2b-01,red\r\n", "invalid_request"),
        ("r.csv", b"Ref,Owner\r\n" + b"R-0b4e3c1a-7f6d-4c2b-01,x\r\n" * 20_001, "invalid_request"),
        ("r.txt", b"Ref,Owner\r\n", "unsupported_file_type"),
    ],
)  # fmt: skip
async def test_a_file_that_is_no_edited_export_is_refused(
    alice: Person, name: str, body: bytes, code: str
) -> None:
    assert_error(await send(alice, body, name), 400, code, file=...)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_an_export_without_findings_is_refused_as_that(alice: Person, ai: Ai, kind: str) -> None:
    await scan_findings(alice, ai, 0)
    reply = await send(alice, await export(alice, kind), f"r.{kind}")
    assert assert_error(reply, 400, "invalid_request", file=...).startswith("The file has no findings")


async def test_lines_of_the_page_are_checked_again(alice: Person) -> None:
    for text in ("x", "[1]", '[["",1]]', "[" * 100_000, '[["",1,"R",{"state":1}]]'):
        reply = await alice.post("/api/reviews/import", data=form(lines=text))
        assert_error(reply, 400, "invalid_request", lines=...)
    assert_error(await alice.post("/api/reviews/import", data=form(apply="true")), 400, "invalid_request",
                 file=...)  # fmt: skip


async def test_the_page_shows_the_changes_and_then_applies_them(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    scan = await scan_by_page(guest, ai)
    assert "/reviews/import" in text_of(await guest.get("/scans"))
    assert 'type="file"' in text_of(await guest.get("/reviews/import"))
    body = (await guest.get("/scans/export?format=xlsx&layout=register")).body
    body = edit_xlsx(body, lambda sheet: set_cells(sheet, 2, owner='A"na <b>', due="2026-12-31"))
    preview = text_of(await guest.post("/reviews/import", data=form(file=("r.xlsx", body))))
    assert "1 row will change" in preview
    assert "Owner: A&#34;na &lt;b&gt; · Due: 31 Dec 2026<" in preview
    khmer = await guest.post(
        "/reviews/import", data=form(file=("r.xlsx", body)), headers={"Accept-Language": "km"}
    )
    assert "៖ 31 ធ្នូ 2026<" in text_of(khmer)
    found = re.search(r'name="lines" value="([^"]*)"', preview)
    assert found
    lines = found[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    done = text_of(await guest.post("/reviews/import", data=form(lines=lines, apply="true")))
    assert "1 row imported" in done
    exported = (await guest.get(f"{scan}/export?format=json")).json
    assert exported[0]["owner"] == 'A"na <b>'
    refused = await guest.post("/reviews/import", data=form(file=("r.xlsx", b"PK\x03\x04")))
    assert refused.status == 400
    assert 'aria-invalid="true"' in text_of(refused)


async def scan_by_page(person: Person, ai: Ai) -> str:
    ai.findings = {"data": [{"risk": "r", "category": "Legal", "context": "A clause."}], "source": "model"}
    return str((await person.post("/scan", data={"text": "x"})).headers["Location"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_10000_rows_come_back_without_a_loss(alice: Person, ai: Ai, kind: str) -> None:
    for part in range(20):
        data = [
            {"risk": f"Risk {n}", "category": "Legal", "context": f"Clause {part * 500 + n} of it."}
            for n in range(1, 501)
        ]
        ai.findings = {"data": data, "source": "model"}
        await alice.scan(text="x")
    body = await export(alice, kind)
    if kind == "csv":
        body = edit_csv(
            body, lambda rows: [{**row, "Owner": row["Ref"], "Impact": "3"} for row in rows[::-1]]
        )
    else:
        body = edit_xlsx(body, fill_in)
    assert counts(await send(alice, body, f"r.{kind}")) == {"change": 10_000}
    assert counts(await send(alice, body, f"r.{kind}", apply="true")) == {"change": 10_000}
    rows = (await alice.get("/api/scans/export?format=json")).json
    assert [row["owner"] for row in rows] == [row["ref"] for row in rows]
    assert {row["impact"] for row in rows} == {3}
    assert len(rows) == 10_000
    assert counts(await send(alice, await export(alice, kind), f"r.{kind}")) == {"unchanged": 10_000}


def fill_in(sheet: Worksheet) -> None:
    for row in sheet.iter_rows(min_row=2):
        row[8].value, row[10].value = row[0].value, "Moderate"


async def test_many_reviews_at_once_keep_the_count_of_open_findings(alice: Person, ai: Ai) -> None:
    scans = [await scan_findings(alice, ai, 120), await scan_findings(alice, ai, 130)]
    await review(alice, scans[0], 1, state="confirmed", owner="Ana")

    def confirm(rows: list[Cells]) -> list[Cells]:
        return [{**row, "State": "dismissed", "Reason": "accepted", "Owner": ""} for row in rows[:100]]

    await send(alice, edit_csv(await export(alice, "csv"), confirm), "r.csv", apply="true")

    async def open_counts() -> list[int]:
        return [scan["open_count"] for scan in (await alice.get("/api/scans")).json["scans"]]

    assert await open_counts() == [30, 20]
    reopen = edit_csv(
        await export(alice, "csv"), lambda rows: [{**row, "State": "open", "Reason": ""} for row in rows[:80]]
    )
    assert counts(await send(alice, reopen, "r.csv", apply="true")) == {"change": 80}
    assert await open_counts() == [110, 100]
    await review(alice, scans[1], 130, state="confirmed")
    assert await open_counts() == [109, 100]
