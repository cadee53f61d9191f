"""Text out of documents, as blocks: what kind of passage it is, and its text.

A block is (kind, texts): ("text", [running text with line breaks]), ("heading", [text, level]),
("para", [text]), ("item", [text]) or ("row", cells). Everything raises ServiceError for what can't be read.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from riskscan.ai_service.errors import ServiceError, unreadable

Block = tuple[str, list[str]]

# about 700 full pages; more would not be scored within the minute a client waits
MAX_CHARS = 2_000_000
MAX_PAGES = 2_000
MAX_UNPACKED = 150 * 1024 * 1024
MAX_ENTRIES = 10_000
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def blocks(filename: str, data: bytes) -> Iterator[Block]:
    """Read a document, told by its first bytes and its name; without a name it is text in UTF-8."""
    return _bounded(_blocks(filename.lower(), data))


def _blocks(name: str, data: bytes) -> Iterable[Block]:
    if not name:
        return [("text", [data.decode("utf-8", "replace")])]
    if not data:
        raise unreadable("The file is empty.")
    # some programs write a line or two before a PDF's own first one
    if data[:1024].lstrip().startswith(b"%PDF-") or (name.endswith(".pdf") and b"%PDF-" in data[:1024]):
        return pdf(data)
    if data.startswith((b"PK\3\4", b"PK\5\6")):
        return docx(data)
    if data.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise unreadable("The document is protected by a password; save it without one and try again.")
        raise unreadable("This is the old binary Office format; save it as .docx or PDF and try again.")
    if data.startswith(IMAGES) and (name.endswith(IMAGE_NAMES) or not data.startswith(b"BM")):
        from riskscan.ai_service import ocr

        return ocr.image(data)
    if name.endswith((".pdf", ".docx", *IMAGE_NAMES)):
        raise unreadable(f"The file is damaged, or not what its name says ({name.rpartition('.')[2]}).")
    return csv_rows(decode(data)) if name.endswith(".csv") else [("text", [decode(data)])]


def _bounded(source: Iterable[Block]) -> Iterator[Block]:
    total = 0
    for block in source:
        total += sum(map(len, block[1]))
        if total > MAX_CHARS:
            raise unreadable(
                f"The document holds more than {MAX_CHARS:,} characters of text; send it in parts."
            )
        yield block


# -- plain text ------------------------------------------------------------------------------------

# letters and signs that Western European text has beyond ASCII
WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽžÿ‘’“”„«»–—•…€£§°©®™²³½·\xa0"
)


def decode(data: bytes) -> str:
    """Decode text of any usual encoding; raises ServiceError for bytes that are no text."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _clean(data.decode(encoding, "replace"))
    head = data[:4096]
    if b"\0" in head:
        # UTF-16 without a mark has its zero bytes on one side
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) < len(head) // 8 or min(even, odd) > max(even, odd) // 4:
            raise unreadable("The file is not text.")
        return _clean(data.decode("utf-16-le" if odd > even else "utf-16-be", "replace"))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # a few bad bytes among many good characters are damage, not another encoding
    if broken and sum(sign > "\x7f" for sign in text) < 5 * broken:
        text = _eight_bit(data)
    return _clean(text)


def _eight_bit(data: bytes) -> str:
    western = data.decode("cp1252", "replace")
    if all(sign in WESTERN for sign in set(western) if sign > "\x7f"):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data[:65536]).best()
    return data.decode(best.encoding, "replace") if best else western


def _clean(text: str) -> str:
    controls = sum(text[:4096].count(chr(code)) for code in (*range(9), *range(14, 32)))
    if controls * 50 > len(text[:4096]):
        raise unreadable("The file is not text.")
    return text.replace("\0", "")


def csv_rows(text: str) -> Iterator[Block]:
    """Read the rows of a table in text, whatever separates its cells."""
    head = text[:20_000]
    separator = max(",;\t|", key=head.count)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if any(cell.strip() for cell in row):
                yield "row", row
    except csv.Error:
        raise unreadable("The table has a cell that is too long to be one.") from None


# -- Word ------------------------------------------------------------------------------------------

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def docx(data: bytes) -> Iterator[Block]:
    """Read a Word document: headers, body with its tables, footnotes, footers."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) > MAX_ENTRIES or sum(one.file_size for one in archive.infolist()) > MAX_UNPACKED:
                raise unreadable("The document unpacks to far more than a document holds.")
    except zipfile.BadZipFile:
        raise unreadable("The document is damaged and could not be read.") from None
    if "word/document.xml" not in names:
        raise unreadable("The file is a ZIP archive, but not a Word document.")
    import docx as python_docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    try:
        document = python_docx.Document(io.BytesIO(data))
        styles = {style.style_id: (style.name or "").lower() for style in document.styles}
        for section in document.sections:
            if not section.header.is_linked_to_previous:
                yield from _children(section.header._element, styles)
        yield from _children(document.element.body, styles)
        for part in document.part.package.iter_parts():
            if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
                from docx.oxml import parse_xml

                for note in parse_xml(part.blob):
                    yield from _children(note, styles)
        for section in document.sections:
            if not section.footer.is_linked_to_previous:
                yield from _children(section.footer._element, styles)
    except (OpcError, LxmlError, zipfile.BadZipFile):
        raise unreadable("The document is damaged and could not be read.") from None


def _children(parent: Any, styles: dict[str, str]) -> Iterator[Block]:
    for element in parent:
        if element.tag == W + "p":
            yield from _paragraph(element, styles)
        elif element.tag == W + "tbl":
            for row in element.iter(W + "tr"):
                # the rows of a table inside a cell come with their own turn
                if next(row.iterancestors(W + "tbl")) is element:
                    yield (
                        "row",
                        [
                            _cell(cell)
                            for cell in row.iter(W + "tc")
                            if next(cell.iterancestors(W + "tr")) is row
                        ],
                    )
        elif element.tag in (W + "sdt", W + "sdtContent", W + "ins", W + "moveTo", W + "customXml"):
            yield from _children(element, styles)


def _cell(cell: Any) -> str:
    return "\n".join(filter(None, (_text(paragraph) for paragraph in cell.iter(W + "p"))))


def _text(paragraph: Any) -> str:
    pieces = []
    for node in paragraph.iter(W + "t", W + "tab", W + "br", W + "cr", W + "noBreakHyphen"):
        if node.tag == W + "t":
            if next(node.iterancestors(W + "moveFrom", W + "p")).tag == W + "p":
                pieces.append(node.text or "")
        elif node.getparent().tag == W + "r":
            pieces.append("-" if node.tag == W + "noBreakHyphen" else " ")
    return "".join(pieces)


def _paragraph(element: Any, styles: dict[str, str]) -> Iterator[Block]:
    text = _text(element)
    if not text.strip():
        return
    name = next((styles.get(node.get(W + "val"), "") for node in element.iterfind(f"{W}pPr/{W}pStyle")), "")
    heading = re.match(r"heading (\d)", name)
    if heading or name in ("title", "subtitle"):
        yield "heading", [text, heading.group(1) if heading else "1"]
    elif _is_bold(element) and len(text) <= 60 and not text.rstrip().endswith((".", ";", "។")):
        yield "heading", [text, "9"]
    elif element.find(f"{W}pPr/{W}numPr") is not None or "list" in name:
        yield "item", [text]
    else:
        yield "para", [text]


def _is_bold(element: Any) -> bool:
    runs = [run for run in element.iterfind(f"{W}r") if run.findtext(f"{W}t", "").strip()]
    return bool(runs) and all(run.find(f"{W}rPr/{W}b") is not None for run in runs)


# -- PDF -------------------------------------------------------------------------------------------


def pdf(data: bytes) -> Iterator[Block]:
    """Read a PDF; pages without text go to Tesseract where there is one."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise unreadable(
                "The PDF is protected by a password; save it without one and try again."
            ) from None
        raise unreadable("The PDF is damaged and could not be read.") from None
    if len(document) > MAX_PAGES:
        raise unreadable(
            f"The PDF has {len(document):,} pages; at most {MAX_PAGES:,} can be read. Send it in parts."
        )
    pages: list[list[str]] = []
    scanned: list[int] = []
    total = 0
    for number in range(len(document)):
        try:
            pages.append(_lines(document[number].get_textpage()))
        except pypdfium2.PdfiumError:
            pages.append([])
        size = sum(map(len, pages[-1]))
        total += size
        if total > MAX_CHARS:
            break
        if size < 20:
            scanned.append(number)
    if scanned:
        _recognise(document, scanned, pages)
    yield "text", ["\n".join("\n".join(lines) for lines in _without_running_lines(pages))]


def _recognise(document: Any, scanned: list[int], pages: list[list[str]]) -> None:
    from riskscan.ai_service import ocr

    try:
        for number, text in zip(scanned, ocr.pages(document, scanned), strict=False):
            pages[number] = text.split("\n")
    except ServiceError:
        # a page without text in a document that has some is a picture or a blank
        if not any(pages):
            raise


def _lines(page: Any) -> list[str]:
    """Return the page's lines, an empty one where the page has a gap."""
    text = page.get_text_range()
    if page.count_chars() != len(text):
        return str(text).splitlines()
    lines: list[tuple[str, float, float]] = []
    position = 0
    for line in re.split(r"(\r?\n)", text):
        if line.strip():
            start = position + len(line) - len(line.lstrip())
            _left, bottom, _right, top = page.get_charbox(start, loose=True)
            lines.append((line, bottom, top))
        position += len(line)
    result = []
    for number, (line, _bottom, top) in enumerate(lines):
        if number:
            before_bottom, before_top = lines[number - 1][1:]
            if before_bottom - top > 0.6 * (before_top - before_bottom) or top - before_top > 2:
                result.append("")
        result.append(line)
    return result


def _without_running_lines(pages: list[list[str]]) -> list[list[str]]:
    """Drop headers and footers: first and last lines that most pages share but for numbers."""
    if len(pages) < 3:
        return pages
    counts: dict[str, int] = {}
    for lines in pages:
        for line in {_running(line) for line in (*lines[:2], *lines[-2:]) if line}:
            counts[line] = counts.get(line, 0) + 1
    often = {line for line, count in counts.items() if count * 2 > len(pages)}
    kept = []
    for lines in pages:
        edge = {0, 1, len(lines) - 2, len(lines) - 1}
        kept.append([line for i, line in enumerate(lines) if i not in edge or _running(line) not in often])
    return kept


def _running(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())
