"""Excel workbooks (.xlsx, .xlsm)."""

import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lxml import etree
from openpyxl import load_workbook
from openpyxl.cell.rich_text import CellRichText
from openpyxl.utils.cell import coordinate_to_tuple

from ..errors import UnreadableDocument
from .blocks import Block, Place
from .cell_markup import clean_cell
from .package import STRICT, TRANSITIONAL, Package, damaged, parse_xml

# of all sheets, with the empty ones; they take about fifteen seconds
MAX_CELLS = 500_000
# of all sheets, with the empty ones above a cell far below the others; they take about five seconds
MAX_ROWS = 4 * 1024**2
# openpyxl reads all shared texts first, which takes about ten seconds
MAX_STRINGS = 1_000_000
STRINGS = "sharedStrings"
MAX_NAMED_SHEETS = 4
# what openpyxl may raise for a workbook that another program wrote, or that is damaged
PARSER_ERRORS = (ValueError, TypeError, LookupError, AttributeError, SyntaxError, zipfile.BadZipFile)
# left out of a copy: parts without text, which are often not as openpyxl expects them; then styles too
UNUSED_PARTS = (
    None,
    re.compile(r"docProps/|xl/(?:theme|calcChain|drawings|media|charts|pivot|externalLinks)"),
    re.compile(r"docProps/|xl/(?:theme|calcChain|drawings|media|charts|pivot|externalLinks|styles)"),
)
MIDNIGHT = datetime.time()
# how Excel begins a comment of a thread, for programs that do not know threads
THREADED = re.compile(r"\[Threaded comment\].*?\bComment:\s*", re.S)


def read_blocks(data: bytes, notes: list[str], no_value: str = "") -> Iterator[Block]:
    """Read each sheet under its name: the values of its cells, then its comments.

    `no_value` stands for an error, and for a formula whose result the workbook does not have. With one, for
    an import, what is struck out is read too: it may be the row of a risk that is done.
    """
    package = Package(data)
    workbook = _open(data, package)
    cells, row_numbers = iter(range(MAX_CELLS)), iter(range(MAX_ROWS))
    hidden = []
    for number, sheet in enumerate(workbook.worksheets, 1):
        place = Place(part=f"Sheet {sheet.title}", table=number)
        is_empty = True
        # the path has no public name
        formulas = _find_formulas(package, sheet._worksheet_path) if no_value else {}
        for block in _read_rows(sheet, place, cells, row_numbers, no_value, formulas):
            if is_empty:
                yield Block("heading", [sheet.title], 1, place)
                is_empty = False
            yield block
        yield from _read_comments(package, sheet, place._replace(part=f"{place.part}, comment"))
        if sheet.sheet_state != "visible" and not is_empty:
            hidden.append(f"“{sheet.title}”")
    if hidden:
        notes.append(_name_sheets(hidden))
    if next(cells, None) is None:
        notes.append(f"The workbook has more than {MAX_CELLS:,} cells; those after them were not read.")
    if next(row_numbers, None) is None:
        notes.append(f"The workbook has more than {MAX_ROWS:,} rows; those after them were not read.")


def _name_sheets(names: list[str]) -> str:
    listed = ", ".join(names[:MAX_NAMED_SHEETS])
    more = f" and {len(names) - MAX_NAMED_SHEETS} more" if len(names) > MAX_NAMED_SHEETS else ""
    return f"Hidden sheets were read too: {listed}{more}."


def _open(data: bytes, package: Package) -> Any:
    """Open a workbook, if need be without the parts that openpyxl refuses; raises UnreadableDocument."""
    if "sheet" not in package.media_type():
        raise UnreadableDocument("The file is a ZIP archive, but not an Excel workbook.")
    strings = [
        link.part for link in package.relationships(package.main_part()).values() if link.kind == STRINGS
    ]
    if sum(package.read(part).count(b"<si") for part in strings) > MAX_STRINGS:
        raise UnreadableDocument("The workbook holds too many texts; send it in parts.")
    for unused in UNUSED_PARTS:
        try:
            file = io.BytesIO(_rewrite(data, package.main_part(), unused) if unused else data)
            with warnings.catch_warnings(action="ignore"):
                workbook = load_workbook(
                    file, read_only=True, data_only=True, keep_links=False, rich_text=True
                )
        except PARSER_ERRORS:
            continue
        if workbook.worksheets:
            return workbook
    raise damaged()


def _rewrite(data: bytes, main_part: str, unused: re.Pattern[str]) -> bytes:
    """Return a copy without the unused parts, in which Strict Open XML is made transitional."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
    ):
        for entry in archive.infolist():
            name = entry.filename.replace("\\", "/").lstrip("/")
            if unused.match(name) or not name.endswith((".xml", ".rels")):
                continue
            content = STRICT.sub(TRANSITIONAL, archive.read(entry))
            copy.writestr(name, _keep_sheets(content) if name == main_part else content)
    return file.getvalue()


def _keep_sheets(workbook: bytes) -> bytes:
    """Return the main part of a workbook with little but the list of its sheets."""
    root = parse_xml(workbook)
    for child in list(root):
        if etree.QName(child).localname not in ("workbookPr", "bookViews", "sheets"):
            root.remove(child)
    return bytes(etree.tostring(root))


# -- cells -----------------------------------------------------------------------------------------


def _read_rows(
    sheet: Any,
    place: Place,
    cells: Iterator[int],
    row_numbers: Iterator[int],
    no_value: str,
    formulas: Mapping[int, Sequence[int]],
) -> Iterator[Block]:
    """Read the rows that are not empty, as long as `cells` and `row_numbers` have numbers left.

    `formulas` are the columns of formulas without results, by row.
    """
    # other programs write dimensions that are too small, and Excel some of a million empty rows
    sheet.reset_dimensions()
    for number, (row, _) in enumerate(zip(sheet.iter_rows(), row_numbers, strict=False), 1):
        texts = [_to_text(cell, no_value) for cell, _ in zip(row, cells, strict=False)]
        if len(texts) < len(row):
            return
        for column in formulas.get(number, ()):
            texts[column - 1] = no_value
        if any(texts):
            yield Block("row", texts, place=place._replace(row=number))


def _find_formulas(package: Package, part: str) -> dict[int, list[int]]:
    """Return the columns of formulas without results, by row; openpyxl takes them for empty cells."""
    found: dict[int, list[int]] = {}
    row = column = 0
    events = etree.iterparse(
        io.BytesIO(package.read(part)),
        events=("start", "end"),
        tag=("{*}row", "{*}c"),
        resolve_entities=False,
        no_network=True,
    )
    try:
        for event, node in events:
            is_row = etree.QName(node).localname == "row"
            if event == "start" and is_row:
                row, column = int(node.get("r") or row + 1), 0
            elif event == "start":
                name = node.get("r")
                column = coordinate_to_tuple(name)[1] if name else column + 1
            else:
                if not is_row and node.find("{*}f") is not None and _has_no_result(node):
                    found.setdefault(row, []).append(column)
                node.clear()
    except (ValueError, etree.LxmlError):
        raise damaged() from None
    return found


def _has_no_result(cell: Any) -> bool:
    value = cell.find("{*}v")
    return value is None or not (value.text or cell.get("t") == "str")  # a text may be an empty one


def _to_text(cell: Any, no_value: str = "") -> str:
    """Return what a cell shows, with dates as in ISO 8601; `no_value` for an error."""
    value = cell.value
    if cell.data_type == "e":
        return no_value
    if value is None:
        return ""
    if not no_value and _is_struck_out(cell):
        return ""
    if isinstance(value, CellRichText):
        value = "".join(str(piece) for piece in value if no_value or not _is_struck_out(piece))
    if isinstance(value, str):
        return clean_cell(value.replace("_x000D_", "").strip())
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return f"{value * 100:.10g} %" if _is_percentage(cell) else f"{value:.12g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes") if value.time() != MIDNIGHT else value.date().isoformat()
    return str(value)


def _is_struck_out(text: Any) -> bool:
    """Return whether a cell, or a piece of its text, is struck out; a piece without a format is a string."""
    try:
        return not isinstance(text, str) and bool(text.font.strike)
    except LookupError:
        # some programs name styles that the workbook does not have
        return False


def _is_percentage(cell: Any) -> bool:
    try:
        return "%" in cell.number_format
    except LookupError:
        return False


def _read_comments(package: Package, sheet: Any, place: Place) -> Iterator[Block]:
    """Read the comments on the cells of a sheet, which openpyxl reads only with the whole workbook."""
    for link in package.relationships(sheet._worksheet_path).values():
        if link.kind != "comments":
            continue
        for comment in package.parse(link.part).iter("{*}comment"):
            pieces = [
                node.text or ""
                for node in comment.iterfind("{*}text//{*}t")
                if etree.QName(node.getparent()).localname != "rPh"
            ]
            text = THREADED.sub("", "".join(pieces), count=1)
            row = re.sub(r"\D", "", comment.get("ref", ""))[:7]
            if text.strip():
                yield Block("comment", [" ".join(text.split())], place=place._replace(row=int(row or 0)))
