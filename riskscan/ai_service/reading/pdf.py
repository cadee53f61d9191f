"""PDF documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pypdfium2

from ..errors import ServiceError, UnreadableDocument
from . import ocr
from .blocks import MAX_CHARS, Block

if TYPE_CHECKING:  # only scanned pages need the image library
    from PIL.Image import Image

MAX_PAGES = 2_000
POINTS_PER_INCH = 72
# a page with less text is treated as scanned
MIN_PAGE_CHARS = 20


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the text of the pages, by OCR where they have none, as one block of running text."""
    document = _open(data)
    pages = _read_pages(document)
    scanned = [number for number, lines in enumerate(pages) if sum(map(len, lines)) < MIN_PAGE_CHARS]
    if scanned:
        _recognize_pages(document, scanned, pages)
    yield Block("text", ["\n".join("\n".join(lines) for lines in _drop_headers_and_footers(pages))])


def _open(data: bytes) -> pypdfium2.PdfDocument:
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
    return document


def _read_pages(document: pypdfium2.PdfDocument) -> list[list[str]]:
    """Return the lines of each page; stops when there are too many for limit_size()."""
    pages: list[list[str]] = []
    size = 0
    for number in range(len(document)):
        try:
            pages.append(_read_lines(document[number].get_textpage()))
        except pypdfium2.PdfiumError:
            pages.append([])
        size += sum(map(len, pages[-1]))
        if size > MAX_CHARS:
            break
    return pages


def _recognize_pages(document: pypdfium2.PdfDocument, scanned: list[int], pages: list[list[str]]) -> None:
    """Replace the lines of scanned pages, as many as there is time for."""
    try:
        ocr.require_tesseract()
        images = (_render(document[number]) for number in scanned)
        for number, text in zip(scanned, ocr.recognize_pages(images), strict=False):
            pages[number] = text.split("\n")
    except ServiceError:
        # in a document with text, a page without is an image or blank
        if not any(pages):
            raise


def _render(page: pypdfium2.PdfPage) -> Image:
    """Return the page as an image for OCR."""
    width, height = page.get_size()
    scale = min(
        ocr.DOTS_PER_INCH / POINTS_PER_INCH,
        (ocr.MAX_PIXELS / max(1.0, width * height)) ** 0.5,
        ocr.MAX_SIDE_PIXELS / max(width, height, 1.0),
    )
    image: Image = page.render(scale=scale, grayscale=True).to_pil()
    return image


def _read_lines(text_page: pypdfium2.PdfTextPage) -> list[str]:
    """Return the lines of a page, with an empty line for each vertical gap."""
    text = text_page.get_text_range()
    if text_page.count_chars() != len(text):
        return str(text).splitlines()
    lines: list[tuple[str, float, float]] = []
    position = 0
    for line in re.split(r"(\r?\n)", text):
        if line.strip():
            start = position + len(line) - len(line.lstrip())
            _left, bottom, _right, top = text_page.get_charbox(start, loose=True)
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
