"""Word documents (.docx)."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import docx
from docx.opc.exceptions import OpcError
from docx.oxml import parse_xml
from lxml.etree import LxmlError

from ..errors import UnreadableDocument
from .blocks import Block

MAX_UNPACKED_BYTES = 150 * 1024 * 1024
MAX_ENTRIES = 10_000
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# elements that hold paragraphs and tables, among them inserted and moved text
CONTAINERS = (W + "sdt", W + "sdtContent", W + "ins", W + "moveTo", W + "customXml")
# the level of a bold line without a heading style: below all styles
BOLD_LINE_LEVEL = 9


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read headers, body with tables, footnotes and endnotes, footers."""
    try:
        _check_archive(data)
        yield from _read_parts(docx.Document(io.BytesIO(data)))
    except (OpcError, LxmlError, zipfile.BadZipFile):
        raise UnreadableDocument("The document is damaged and could not be read.") from None


def _check_archive(data: bytes) -> None:
    """Raise UnreadableDocument unless this is a Word document of a sensible size."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise UnreadableDocument("The document is too large when unpacked.")
    if all(entry.filename != "word/document.xml" for entry in entries):
        raise UnreadableDocument("The file is a ZIP archive, but not a Word document.")


def _read_parts(document: Any) -> Iterator[Block]:
    styles = {style.style_id: (style.name or "").lower() for style in document.styles}
    for section in document.sections:
        if not section.header.is_linked_to_previous:
            yield from _read_elements(section.header._element, styles)
    yield from _read_elements(document.element.body, styles)
    for part in document.part.package.iter_parts():
        if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
            for note in parse_xml(part.blob):
                yield from _read_elements(note, styles)
    for section in document.sections:
        if not section.footer.is_linked_to_previous:
            yield from _read_elements(section.footer._element, styles)


def _read_elements(parent: Iterable[Any], styles: dict[str, str]) -> Iterator[Block]:
    for element in parent:
        if element.tag == W + "p":
            yield from _read_paragraph(element, styles)
        elif element.tag == W + "tbl":
            yield from _read_table(element)
        elif element.tag in CONTAINERS:
            yield from _read_elements(element, styles)


def _read_table(table: Any) -> Iterator[Block]:
    """Read the rows; the text of a table inside a cell belongs to the cell."""
    for row in table.iter(W + "tr"):
        if next(row.iterancestors(W + "tbl")) is table:
            cells = [cell for cell in row.iter(W + "tc") if next(cell.iterancestors(W + "tr")) is row]
            yield Block("row", [_cell_text(cell) for cell in cells])


def _cell_text(cell: Any) -> str:
    return "\n".join(filter(None, (_paragraph_text(paragraph) for paragraph in cell.iter(W + "p"))))


def _paragraph_text(paragraph: Any) -> str:
    pieces = []
    for node in paragraph.iter(W + "t", W + "tab", W + "br", W + "cr", W + "noBreakHyphen"):
        if node.tag == W + "t":
            if next(node.iterancestors(W + "moveFrom", W + "p")).tag == W + "p":
                pieces.append(node.text or "")
        elif node.getparent().tag == W + "r":
            pieces.append("-" if node.tag == W + "noBreakHyphen" else " ")
    return "".join(pieces)


def _read_paragraph(element: Any, styles: dict[str, str]) -> Iterator[Block]:
    text = _paragraph_text(element)
    if not text.strip():
        return
    style = next((styles.get(node.get(W + "val"), "") for node in element.iterfind(f"{W}pPr/{W}pStyle")), "")
    heading = re.match(r"heading (\d)", style)
    if heading or style in ("title", "subtitle"):
        yield Block("heading", [text], int(heading.group(1)) if heading else 1)
    elif _is_bold(element) and len(text) <= 60 and not text.rstrip().endswith((".", ";", "។")):
        yield Block("heading", [text], BOLD_LINE_LEVEL)
    elif element.find(f"{W}pPr/{W}numPr") is not None or "list" in style:
        yield Block("item", [text])
    else:
        yield Block("paragraph", [text])


def _is_bold(element: Any) -> bool:
    runs = [run for run in element.iterfind(f"{W}r") if run.findtext(f"{W}t", "").strip()]
    return bool(runs) and all(run.find(f"{W}rPr/{W}b") is not None for run in runs)
