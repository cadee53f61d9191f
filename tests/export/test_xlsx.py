"""Excel workbooks, read back by openpyxl."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path

import openpyxl

from riskscan.export.columns import COLUMNS, REVIEW_KEYS
from riskscan.export.xlsx import MAX_CELL_UNITS, Workbook, truncate_to_cell
from tests.support.exports import KHMER, TITLES, csv_rows, load_sheet, make_row, render, xlsx_rows


def test_long_cells_are_truncated_and_marked() -> None:
    contexts = ["x" * MAX_CELL_UNITS, "x" * (MAX_CELL_UNITS + 1), "😀" * 20_000, KHMER * 2000]
    rows = [make_row(context=context) for context in contexts]
    assert [row[5] for row in csv_rows(render("csv", rows))][1:] == contexts
    whole, *truncated = [row[5] for row in xlsx_rows(render("xlsx", rows))][1:]
    assert whole == contexts[0]
    for shown, context in zip(truncated, contexts[1:], strict=True):
        begin, _, note = shown.partition(" … [")
        assert context.startswith(begin)
        assert note == "cut here: Excel holds no more in a cell]"
        assert MAX_CELL_UNITS - 1 <= len(shown.encode("utf-16-le")) // 2 <= MAX_CELL_UNITS


def test_truncation_never_splits_a_character() -> None:
    for padding in range(3):
        assert "\ufffd" not in truncate_to_cell("x" * padding + "😀" * MAX_CELL_UNITS)


def test_workbook_accepts_any_text() -> None:
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
    body = render("xlsx", [make_row(text) for text in texts])
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


def test_times_lose_their_fraction_and_are_not_rounded() -> None:
    late = make_row(scan_date=datetime.datetime(2026, 1, 2, 3, 4, 5, 999_900, datetime.UTC))
    times = [rows[1][1] for rows in (xlsx_rows(render("xlsx", [late])), csv_rows(render("csv", [late])))]
    assert times == ["2026-01-02T03:04:05Z"] * 2


def test_workbook_has_header_filter_dates_and_validations() -> None:
    rows = [make_row(), make_row()]
    sheet = load_sheet(render("xlsx", rows, "register"))
    assert sheet.title == "Risks"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:R3"
    assert all(cell.font.bold for cell in sheet[1])
    assert all(cell.alignment.wrap_text for row in sheet.iter_rows(max_col=8) for cell in row if cell.value)
    assert all(sheet.column_dimensions[letter].width > 9 for letter in "ABCDEFGHIJKLM")
    date = sheet["B2"]
    assert date.is_date
    assert f"{date.value:%Y-%m-%dT%H:%M:%SZ}" == "2026-01-02T03:04:05Z"
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert {place: rule.type for place, rule in rules.items()} == {
        "J2:J3": "list",
        "K2:K3": "list",
        "L2:L3": "list",
        "M2:M3": "date",
        "O2:O3": "list",
        "P2:P3": "list",
    }
    assert rules["L2:L3"].formula1 == '"Avoid,Reduce,Transfer,Accept"'
    assert rules["O2:O3"].formula1 == '"Open,Confirmed,Dismissed"'
    names = {name: defined.attr_text for name, defined in sheet.defined_names.items()}
    assert names["riskscan_state"] == "'Risks'!$O$1"
    assert [name.removeprefix("riskscan_") for name in names if "riskscan" in name] == sorted(REVIEW_KEYS)


def test_rows_beyond_a_full_sheet_go_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = Workbook(path, COLUMNS, sheet_rows=4)
    for numbers in ((0, 1), (2, 3, 4, 5, 6)):
        book.write([make_row(ref=f"R-{number}") for number in numbers])
    book.close()
    sheets = openpyxl.load_workbook(path).worksheets
    assert [sheet.title for sheet in sheets] == ["Risks", "Risks 2", "Risks 3"]
    assert [sheet.auto_filter.ref for sheet in sheets] == ["A1:H4", "A1:H4", "A1:H2"]
    refs = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in sheets]
    assert refs == [["Ref", "R-0", "R-1", "R-2"], ["Ref", "R-3", "R-4", "R-5"], ["Ref", "R-6"]]
    assert sorted(tmp_path.iterdir()) == [path]
