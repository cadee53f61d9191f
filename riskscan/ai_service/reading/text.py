"""Read documents of each format into blocks.

A block is (kind, texts): ("text", [running text with line breaks]), ("heading", [text, level]),
("para", [text]), ("item", [text]) or ("row", cells). All functions raise UnreadableDocument.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ServiceError, UnreadableDocument

Block = tuple[str, list[str]]

# about 700 full pages; more would not be scored within the minute that a client waits
MAX_CHARS = 2_000_000
MAX_PAGES = 2_000
MAX_UNPACKED_BYTES = 150 * 1024 * 1024
MAX_ENTRIES = 10_000
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def read_blocks(filename: str, data: bytes) -> Iterator[Block]:
    """Read a document of the type that its first bytes and its name tell; without a name, as UTF-8 text."""
    return _limit_size(_read_blocks(filename.lower(), data))


def _read_blocks(name: str, data: bytes) -> Iterable[Block]:
    if not name:
        return [("text", [data.decode("utf-8", "replace")])]
    if not data:
        raise UnreadableDocument("The file is empty.")
    # some programs write a line or two before the header of a PDF
    if data[:1024].lstrip().startswith(b"%PDF-") or (name.endswith(".pdf") and b"%PDF-" in data[:1024]):
        return read_pdf(data)
    if data.startswith((b"PK\3\4", b"PK\5\6")):
        return read_word(data)
    if data.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableDocument(
                "The document is protected by a password; save it without one and try again."
            )
        raise UnreadableDocument(
            "Legacy Office files such as .doc aren't supported; save the document as .docx or PDF."
        )
    if data.startswith(IMAGE_SIGNATURES) and (name.endswith(IMAGE_EXTENSIONS) or not data.startswith(b"BM")):
        from . import ocr

        return ocr.read_image(data)
    if name.endswith((".pdf", ".docx", *IMAGE_EXTENSIONS)):
        raise UnreadableDocument(f"The file is damaged or isn't a {name.rpartition('.')[2]} file.")
    return read_csv(decode_text(data)) if name.endswith(".csv") else [("text", [decode_text(data)])]


def _limit_size(source: Iterable[Block]) -> Iterator[Block]:
    total = 0
    for block in source:
        total += sum(map(len, block[1]))
        if total > MAX_CHARS:
            raise UnreadableDocument(
                f"The document holds more than {MAX_CHARS:,} characters of text; send it in parts."
            )
        yield block


# -- plain text ------------------------------------------------------------------------------------

# the characters beyond ASCII that Western European text uses
WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽžÿ‘’“”„«»–—•…€£§°©®™²³½·\xa0"
)


def decode_text(data: bytes) -> str:
    """Decode text in any common encoding; raises UnreadableDocument for binary data."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _remove_nulls(data.decode(encoding, "replace"))
    head = data[:4096]
    if b"\0" in head:
        # UTF-16 without a byte order mark has most of its zero bytes at odd or at even positions
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) < len(head) // 8 or min(even, odd) > max(even, odd) // 4:
            raise UnreadableDocument("The file is not text.")
        return _remove_nulls(data.decode("utf-16-le" if odd > even else "utf-16-be", "replace"))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # a few invalid bytes among many valid characters are damage, not another encoding
    if broken and sum(character > "\x7f" for character in text) < 5 * broken:
        text = _decode_8_bit(data)
    return _remove_nulls(text)


def _decode_8_bit(data: bytes) -> str:
    western = data.decode("cp1252", "replace")
    if all(character in WESTERN for character in set(western) if character > "\x7f"):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data[:65536]).best()
    return data.decode(best.encoding, "replace") if best else western


def _remove_nulls(text: str) -> str:
    controls = sum(text[:4096].count(chr(code)) for code in (*range(9), *range(14, 32)))
    if controls * 50 > len(text[:4096]):
        raise UnreadableDocument("The file is not text.")
    return text.replace("\0", "")


def read_csv(text: str) -> Iterator[Block]:
    """Read the rows of delimited text; the delimiter is the most frequent of comma, semicolon, tab, bar."""
    head = text[:20_000]
    delimiter = max(",;\t|", key=head.count)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                yield "row", row
    except csv.Error:
        raise UnreadableDocument("The table has a cell that is too long.") from None


# -- Word ------------------------------------------------------------------------------------------

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read_word(data: bytes) -> Iterator[Block]:
    """Read a Word document: headers, body with tables, footnotes and endnotes, footers."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if (
                len(names) > MAX_ENTRIES
                or sum(one.file_size for one in archive.infolist()) > MAX_UNPACKED_BYTES
            ):
                raise UnreadableDocument("The document is too large when unpacked.")
    except zipfile.BadZipFile:
        raise UnreadableDocument("The document is damaged and could not be read.") from None
    if "word/document.xml" not in names:
        raise UnreadableDocument("The file is a ZIP archive, but not a Word document.")
    import docx as python_docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    try:
        document = python_docx.Document(io.BytesIO(data))
        styles = {style.style_id: (style.name or "").lower() for style in document.styles}
        for section in document.sections:
            if not section.header.is_linked_to_previous:
                yield from _read_elements(section.header._element, styles)
        yield from _read_elements(document.element.body, styles)
        for part in document.part.package.iter_parts():
            if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
                from docx.oxml import parse_xml

                for note in parse_xml(part.blob):
                    yield from _read_elements(note, styles)
        for section in document.sections:
            if not section.footer.is_linked_to_previous:
                yield from _read_elements(section.footer._element, styles)
    except (OpcError, LxmlError, zipfile.BadZipFile):
        raise UnreadableDocument("The document is damaged and could not be read.") from None


def _read_elements(parent: Any, styles: dict[str, str]) -> Iterator[Block]:
    for element in parent:
        if element.tag == W + "p":
            yield from _read_paragraph(element, styles)
        elif element.tag == W + "tbl":
            for row in element.iter(W + "tr"):
                # not the rows of a table inside a cell
                if next(row.iterancestors(W + "tbl")) is element:
                    yield (
                        "row",
                        [
                            _read_cell(cell)
                            for cell in row.iter(W + "tc")
                            if next(cell.iterancestors(W + "tr")) is row
                        ],
                    )
        elif element.tag in (W + "sdt", W + "sdtContent", W + "ins", W + "moveTo", W + "customXml"):
            yield from _read_elements(element, styles)


def _read_cell(cell: Any) -> str:
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


def read_pdf(data: bytes) -> Iterator[Block]:
    """Read a PDF; pages without text are read by OCR."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise UnreadableDocument(
                "The PDF is protected by a password; save it without one and try again."
            ) from None
        raise UnreadableDocument("The PDF is damaged and could not be read.") from None
    if len(document) > MAX_PAGES:
        raise UnreadableDocument(
            f"The PDF has {len(document):,} pages; at most {MAX_PAGES:,} can be read. Send it in parts."
        )
    pages: list[list[str]] = []
    scanned: list[int] = []
    total = 0
    for number in range(len(document)):
        try:
            pages.append(_read_lines(document[number].get_textpage()))
        except pypdfium2.PdfiumError:
            pages.append([])
        size = sum(map(len, pages[-1]))
        total += size
        if total > MAX_CHARS:
            break
        if size < 20:
            scanned.append(number)
    if scanned:
        _recognize_pages(document, scanned, pages)
    yield "text", ["\n".join("\n".join(lines) for lines in _drop_headers_and_footers(pages))]


def _recognize_pages(document: Any, scanned: list[int], pages: list[list[str]]) -> None:
    from . import ocr

    try:
        for number, text in zip(scanned, ocr.read_pages(document, scanned), strict=False):
            pages[number] = text.split("\n")
    except ServiceError:
        # in a document with text, a page without is an image or blank
        if not any(pages):
            raise


def _read_lines(page: Any) -> list[str]:
    """Return the lines of a page, with an empty line for each vertical gap."""
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


def _drop_headers_and_footers(pages: list[list[str]]) -> list[list[str]]:
    """Drop headers and footers: first or last lines that most pages share, except for their digits."""
    if len(pages) < 3:
        return pages
    counts: dict[str, int] = {}
    for lines in pages:
        for line in {_mask_digits(line) for line in (*lines[:2], *lines[-2:]) if line}:
            counts[line] = counts.get(line, 0) + 1
    often = {line for line, count in counts.items() if count * 2 > len(pages)}
    kept = []
    for lines in pages:
        edge = {0, 1, len(lines) - 2, len(lines) - 1}
        kept.append(
            [line for i, line in enumerate(lines) if i not in edge or _mask_digits(line) not in often]
        )
    return kept


def _mask_digits(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())
