"""Excel workbooks, as Excel and other programs write them."""

import datetime
import io
import re
import zipfile
from collections.abc import Callable, Sequence

import openpyxl
import pytest
import xlsxwriter
from openpyxl.comments import Comment

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.ai_service.reading import excel
from tests.ai_service.documents import read

PIER = "The pier may sink in a storm"
ROOF = "The roof of the bakery leaks"
BOAT = "Rent a boat before the old one fails"
REGISTER = [["ID", "Risk", "Plan", "Status"], ["R1", PIER, BOAT, "Open"], ["R2", ROOF, BOAT, "Closed"]]


def workbook(**sheets: Sequence[Sequence[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return book


def save(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def register() -> bytes:
    return save(workbook(Risks=REGISTER))


def rewrite(data: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Return a workbook whose parts are changed, or left out."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            if part := change(entry.filename, source.read(entry)):
                target.writestr(*part)
    return file.getvalue()


def texts(data: bytes, name: str = "register.xlsx") -> list[str]:
    return read(name, data).texts


@pytest.mark.parametrize("name", ["register.xlsx", "Register.XLSM"])
def test_a_register_is_read(name: str) -> None:
    unit = read(name, register()).units[0]
    assert (unit.text, unit.section, unit.place.part, unit.place.row) == (PIER, "risks", "Sheet Risks", 2)
    assert texts(register(), name) == [PIER]


def test_every_sheet_is_read_and_hidden_ones_are_named() -> None:
    book = workbook(
        Intro=[["This workbook belongs to the harbour office."]],
        Risks=REGISTER,
        Old=[["Risk", "Owner"], ["The crane has no brakes", "Sok"]],
        Empty=[],
    )
    book["Old"].sheet_state = "hidden"
    book["Empty"].sheet_state = "veryHidden"
    reading = read("register.xlsx", save(book))
    assert reading.texts == ["This workbook belongs to the harbour office.", PIER, "The crane has no brakes"]
    assert [unit.place.part for unit in reading.units] == ["Sheet Intro", "Sheet Risks", "Sheet Old"]
    assert reading.notes == ["Hidden sheets were read too: “Old”."]


def test_hidden_rows_and_columns_are_read() -> None:
    book = workbook(Risks=[["Risk", "Status"], [PIER, "Open"], [ROOF, "Closed"]])
    book["Risks"].row_dimensions[2].hidden = True
    book["Risks"].column_dimensions["B"].hidden = True
    assert texts(save(book)) == [PIER]


def test_a_sheet_for_closed_risks_is_closed() -> None:
    book = workbook(**{"Closed risks": [["Risk", "Owner"], [PIER, "Sok"]]})
    assert [unit.section for unit in read("register.xlsx", save(book)).units] == ["closed"]


def test_lists_of_choices_are_not_read() -> None:
    lists = [["Status", "Risk category", "Likelihood"], ["Open", "Health and safety", "Almost certain"]]
    assert texts(save(workbook(Risks=REGISTER, Lists=lists))) == [PIER]


def test_a_register_may_begin_in_the_middle_of_its_sheet() -> None:
    rows: list[list[str | None]] = [
        [],
        [None, "Harbour register"],
        [],
        *[[None, *row] for row in REGISTER],
        [None, "Open risks of the bakery"],
        [None, "R3", ROOF, BOAT, "Open"],
        [],
        [None, "Level", "Meaning"],
        [None, "High", "The harbour stands still for more than a month"],
    ]
    assert texts(save(workbook(Risks=rows))) == [PIER, ROOF]


def test_values_are_shown_as_people_write_them() -> None:
    book = workbook(
        Plan=[
            ["Phase", "Contractor", "Sum", "Share", "Begin", "Sure", "Old"],
            ["Dig", 3.0, 0.1 + 0.2, 0.5, datetime.datetime(2026, 5, 3), True, "=1/0"],
        ]
    )
    book["Plan"]["D2"].number_format = "0%"
    (row,) = read("plan.xlsx", save(book)).blocks[1:]
    assert row.texts == ["Dig", "3", "0.3", "50 %", "2026-05-03", "TRUE", ""]


def test_a_risk_whose_plan_is_done_to_100_percent_is_closed() -> None:
    book = workbook(Risks=[["Risk", "Status"], [PIER, 0.4], [ROOF, 1.0]])
    for cell in ("B2", "B3"):
        book["Risks"][cell].number_format = "0%"
    assert texts(save(book)) == [PIER]


def test_errors_are_left_out_and_formulas_show_their_stored_value() -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        if name.endswith("sheet1.xml"):
            stored = b'<c r="B3" t="str"><f>A1&amp;""</f><v>The crane has no brakes</v></c>'
            error = b'<c r="B4" t="e"><f>NA()</f><v>#N/A</v></c>'
            rows = b'<row r="3">' + stored + b'</row><row r="4">' + error + b"</row></sheetData>"
            content = content.replace(b"</sheetData>", rows)
        return name, content

    data = rewrite(save(workbook(Risks=[["ID", "Risk"], ["R1", PIER]])), change)
    assert texts(data) == [PIER, "The crane has no brakes"]


def test_merged_cells_are_read_once() -> None:
    book = workbook(Risks=[["Harbour register"], ["ID", "Risk", None, "Owner"], ["R1", PIER, None, "Sok"]])
    for cells in ("A1:D1", "B2:C2", "B3:C3"):
        book["Risks"].merge_cells(cells)
    assert texts(save(book)) == [PIER]


def test_comments_on_cells_are_read() -> None:
    book = workbook(Risks=REGISTER)
    book["Risks"]["B2"].comment = Comment("The diver has not been paid.", "Sok")
    book["Risks"]["D2"].comment = Comment(
        "[Threaded comment]\n\nYour version of Excel allows you to read this threaded comment.\n\nComment:\n"
        "    The insurer does not answer.",
        "Lin",
    )
    units = read("register.xlsx", save(book)).units
    assert [unit.text for unit in units] == [
        PIER,
        "The diver has not been paid.",
        "The insurer does not answer.",
    ]
    assert [(unit.place.part, unit.place.row) for unit in units[1:]] == [("Sheet Risks, comment", 2)] * 2


@pytest.mark.parametrize("dimension", [b"A1", b"A1:XFD1048576", b"C7:D8"])
def test_dimensions_that_are_wrong_change_nothing(dimension: bytes) -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        return name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="%s"' % dimension, content)

    assert texts(rewrite(register(), change)) == [PIER]


def make_strict(name: str, content: bytes) -> tuple[str, bytes]:
    for kind in (b"spreadsheetml", b"officeDocument"):
        transitional = b"http://schemas.openxmlformats.org/%s/2006/" % kind
        content = content.replace(transitional, b"http://purl.oclc.org/ooxml/%s/" % kind)
    return name, content


def use_backslashes(name: str, content: bytes) -> tuple[str, bytes]:
    return name.replace("/", "\\"), content


def break_styles(name: str, content: bytes) -> tuple[str, bytes]:
    return name, b"<styleSheet><fonts count='x'><b/></fonts></styleSheet>" if "styles" in name else content


def break_properties(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content.replace(b"Z</dcterms", b"of May</dcterms") if "core" in name else content


def break_names(name: str, content: bytes) -> tuple[str, bytes]:
    name_of_titles = b'<definedName name="_xlnm.Print_Titles" localSheetId="x">#</definedName>'
    names = b"<definedNames>" + name_of_titles + b"</definedNames>"
    return name, content.replace(b"<definedNames/>", b"").replace(b"<calcPr", names + b"<calcPr")


def leave_out_references(name: str, content: bytes) -> tuple[str, bytes]:
    return name, re.sub(rb'<(c|row) r="\w+"', rb"<\1", content)


@pytest.mark.parametrize(
    "change",
    [make_strict, use_backslashes, break_styles, break_properties, break_names, leave_out_references],
)
def test_files_of_other_programs_are_read(change: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
    assert texts(rewrite(register(), change)) == [PIER]


def test_shared_and_formatted_texts_are_read() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet, bold = book.add_worksheet("Risks"), book.add_format({"bold": True})
        sheet.write_row("A1", ["Risk", "Owner"])
        sheet.write_row("A2", [PIER, "Sok"])
        sheet.write_rich_string("A3", "The roof of ", bold, "the bakery", " leaks")
    assert texts(file.getvalue()) == [PIER, ROOF]


def test_struck_out_text_is_left_out_but_imported() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet, struck = book.add_worksheet("Risks"), book.add_format({"font_strikeout": True})
        sheet.write_row("A1", ["Risk", "Owner"])
        sheet.write_row("A2", [BOAT, "Sok"], struck)
        sheet.write_rich_string(
            "A3", struck, "Nobody knows whether ", "The roof of", struck, " all", " the bakery leaks"
        )
    assert texts(file.getvalue()) == [ROOF]
    rows = [block.texts for block in excel.read_blocks(file.getvalue(), [], "?") if block.kind == "row"]
    assert rows[1:] == [[BOAT, "Sok"], ["Nobody knows whether The roof of all the bakery leaks"]]


def test_a_workbook_with_too_many_cells_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MAX_CELLS", 12)
    reading = read("register.xlsx", register())
    assert reading.texts == [PIER]
    assert reading.notes == ["The workbook has more than 12 cells; those after them were not read."]


def test_a_cell_in_the_last_row_of_a_sheet_hides_no_other_sheet() -> None:
    book = workbook(Plan=[["This plan belongs to the harbour."]], Risks=REGISTER)
    book["Plan"].cell(1_048_576, 1, "The end of the plan")
    reading = read("register.xlsx", save(book))
    assert reading.texts == ["This plan belongs to the harbour.", "The end of the plan", PIER]
    assert reading.notes == []


def test_a_row_far_below_the_others_is_bounded() -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        row = b'<row r="999999999999"><c r="A999999999999"><v>1</v></c></row></sheetData>'
        return name, content.replace(b"</sheetData>", row)

    reading = read("register.xlsx", rewrite(register(), change))
    assert reading.texts == [PIER]
    assert len(reading.notes) == 1


def test_entities_are_not_expanded_without_bound() -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
        doctype = f'<!DOCTYPE worksheet [<!ENTITY e0 "crane">{entities}]>'.encode()
        if name.endswith("sheet1.xml"):
            content = doctype + content.replace(b"</sheetData>", b"</sheetData><x>&e9;</x>")
        return name, content

    with pytest.raises((UnreadableDocument, SyntaxError)):
        read("register.xlsx", rewrite(register(), change))


@pytest.mark.parametrize(
    "data",
    [
        rewrite(register(), lambda name, content: None if "workbook" in name else (name, content)),
        register()[:-300],
    ],
)
def test_damaged_workbooks_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read("register.xlsx", data)


def test_too_many_shared_texts_are_refused() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet().write_row("A1", ["Risk", "Owner"])

    def change(name: str, content: bytes) -> tuple[str, bytes]:
        more = b"<si/>" * 1_000_001 + b"</sst>"
        return name, content.replace(b"</sst>", more) if name.endswith("sharedStrings.xml") else content

    with pytest.raises(UnreadableDocument, match="too many texts"):
        read("register.xlsx", rewrite(file.getvalue(), change))


def test_cells_may_name_styles_that_do_not_exist() -> None:
    def add_style(name: str, content: bytes) -> tuple[str, bytes]:
        return name, content.replace(b'<c r="B2"', b'<c r="B2" s="99"')

    data = save(workbook(Risks=[["Risk", "Score"], [PIER, 12]]))
    assert texts(rewrite(data, add_style)) == [PIER]
