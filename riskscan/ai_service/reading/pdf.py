"""PDF documents, by PDFium; pages that are pictures by OCR."""

from __future__ import annotations

import ctypes
import math
import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, groupby, islice, pairwise, repeat
from typing import Literal

import pypdfium2
import pypdfium2.raw as pdfium

from ..errors import UnreadableDocument
from .annotations import read_annotations
from .blocks import MAX_CHARS, Block
from .geometry import Word, find_lines, median
from .grids import Table, find_rules, read_edges
from .hidden_text import drop_hidden
from .legibility import is_cipher
from .line_numbers import drop_line_numbers
from .pages import Page, to_blocks
from .pdf_tables import split_tables

MAX_PAGES = 2_000
# a page with less text is treated as scanned
MIN_PAGE_CHARS = 20
# so is one with less than this over a picture of this share of the page
MAX_CHARS_ON_PICTURE = 600
PICTURE_SHARE = 0.6
# unless the text is hidden, and as much as this: an earlier OCR
MIN_HIDDEN_CHARS = 100
MAX_OBJECTS = 20_000
# below a table that may go on on the next page
MAX_FOOTER_LINES = 4
# PDFium writes a hyphen at the end of a line as U+FFFE or U+0002, without a space behind it
WORD = re.compile(r"[^\s\ufffe\x02]+[\ufffe\x02]?")
# a longer word without a space may be several: its gaps are measured
LONG_WORD_CHARS = 18
# of the height of a line, the gap between two letters that is a space
LETTER_GAP = 0.08
Box = tuple[float, float, float, float]
BOXES = 4_096
BUFFER = (pdfium.FS_RECTF * BOXES)()
REFERENCES = [ctypes.byref(box) for box in BUFFER]
READ_BOX = pdfium.FPDFText_GetLooseCharBox
# ctypes then passes the arguments on unchecked, in a third of the time
READ_BOX.argtypes = None


def read_blocks(data: bytes, notes: list[str], started: float) -> Iterator[Block]:
    """Read the text of the pages, by OCR where they are pictures or where the text layer is a cipher.

    `started` is when the time for OCR began, by time.monotonic().
    """
    document = open_document(data)
    _note_what_is_not_read(document, notes)
    pages = _read_pages(document)
    if any(page.needs_ocr for page in pages):
        from .pdf_scans import read_scans

        pages = read_scans(document, pages, started, notes)
    yield from to_blocks(pages)


def open_document(data: bytes) -> pypdfium2.PdfDocument:
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
    # without it fields have no values; it does nothing where there is no form
    document.init_forms()
    return document


def _note_what_is_not_read(document: pypdfium2.PdfDocument, notes: list[str]) -> None:
    if document.get_formtype() == pdfium.FORMTYPE_XFA_FULL:
        notes.append(
            "The PDF is an XFA form, of which only the plain pages were read; print it as PDF and send that."
        )
    if count := document.count_attachments():
        notes.append(f"Files attached to the PDF were not read: {count}. Send them by themselves.")


# -- the text layer --------------------------------------------------------------------------------


def _read_pages(document: pypdfium2.PdfDocument) -> list[Page]:
    """Return the pages by their text layers; stops when there is too much text for limit_size()."""
    pages: list[Page] = []
    seen = set[tuple[str, str]]()
    size = 0
    for number in range(len(document)):
        try:
            page, chars = _read_page(document, number, seen, _find_last_table(pages))
        except pypdfium2.PdfiumError:
            page, chars = Page(number + 1, [], 0.0, 1.0, needs_ocr="empty"), 0
        pages.append(page)
        size += chars
        if size > MAX_CHARS:
            break
    return pages


def _find_last_table(pages: list[Page]) -> Table | None:
    """Return the last table of the last page, one without rules only if a footer at most is below it."""
    if not pages or not pages[-1].tables:
        return None
    last = pages[-1].tables[-1]
    below = sum(line.top < last.bottom for line in pages[-1].lines)
    return last if last.is_ruled or below <= MAX_FOOTER_LINES else None


def _read_page(
    document: pypdfium2.PdfDocument, number: int, seen: set[tuple[str, str]], before: Table | None
) -> tuple[Page, int]:
    """Return a page with its lines and tables, and the number of its characters.

    `before` is the table of the page before it that may go on.
    """
    page = document[number]
    rotation = page.get_rotation()
    if rotation:
        # PDFium shuffles lines that run otherwise than the page; it reads both ways right without rotation
        page.set_rotation(0)
    text_page = page.get_textpage()
    text = str(text_page.get_text_range())
    left, bottom, right, top = page.get_bbox()
    box = Word("", left, right, bottom, top)
    words = {
        angle: drop_line_numbers(_drop_outside(found, _turn(box, angle)))
        for angle, found in _read_words(page, text_page, text).items()
    }
    drawn = read_edges(page)
    if rotation:
        page.set_rotation(rotation)
    upright = max(words, key=lambda angle: len(words[angle]))
    edges = _turn(box, upright)
    turned = [line for angle in words if angle != upright for line in find_lines(words[angle])]
    beside = read_annotations(document, page, number + 1, seen)
    reason = _why_ocr(page, text)
    if reason:
        lines, tables = find_lines(words[upright]), list[Table]()
    else:
        rules = find_rules(_turn(edge, upright) for edge in drawn)
        lines, tables = split_tables(words[upright], rules, before)
    return Page(number + 1, lines, edges.bottom, edges.top, tables, turned, beside, reason), len(text)


def _drop_outside(words: list[Word], box: Word) -> list[Word]:
    """Return the words whose middle stands inside the box of the page, all if that is none of them."""
    # some programs write the corners in another order
    left, right = sorted((2 * box.left, 2 * box.right))
    bottom, top = sorted((2 * box.bottom, 2 * box.top))
    inside = [word for word in words if left < word[1] + word[2] < right and bottom < word[3] + word[4] < top]
    return inside or words


def _read_words(
    page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage, text: str
) -> dict[int, list[Word]]:
    """Return the visible words by their direction, in degrees counterclockwise, each turned upright."""
    indices = find_indices(text_page, text)
    spans = drop_hidden(page, text_page, text, [match.span() for match in WORD.finditer(text)], indices)
    ends = [place for start, end in spans for place in (start, end - 1)]
    boxes = read_boxes(text_page, ends if isinstance(indices, range) else [indices[end] for end in ends])
    level: list[Word] = []
    words = {0: level}
    angle = 0
    # the boxes of the first and of the last character
    for (start, end), (left, top, right, bottom), (left2, top2, right2, bottom2) in zip(
        spans, boxes, boxes, strict=True
    ):
        if end - start > 1:
            is_level = left <= left2 and 2 * abs(bottom2 - bottom) < top - bottom
            angle = 0 if is_level else _read_angle(text_page, indices[start])
            if not angle and bottom >= top2 and text[start:end].isdecimal():
                # one number below the other, as those of lines
                level.extend(_split_stack(text[start:end], read_boxes(text_page, indices[start:end])))
                continue
        low, high = (bottom if bottom < bottom2 else bottom2), (top if top > top2 else top2)
        if angle:
            word = Word(text[start:end], min(left, left2), max(right, right2), low, high)
            words.setdefault(angle, []).append(_turn(word, angle))
        elif end - start > LONG_WORD_CHARS:
            word = Word(text[start:end], left, right2, low, high)
            level.extend(_split_word(word, read_boxes(text_page, indices[start:end])))
        else:
            level.append(Word(text[start:end], left, right2, low, high))
    return words


def read_boxes(text_page: pypdfium2.PdfTextPage, indices: Sequence[int]) -> Iterator[Box]:
    """Return left, top, right and bottom of characters."""
    return chain.from_iterable(
        _read_some_boxes(text_page, indices[start : start + BOXES]) for start in range(0, len(indices), BOXES)
    )


def _read_some_boxes(text_page: pypdfium2.PdfTextPage, indices: Sequence[int]) -> Iterator[Box]:
    # in C, as far as possible: a quarter of the time of reading a PDF goes into this
    deque(map(READ_BOX, repeat(text_page.raw), indices, REFERENCES), maxlen=0)
    # a copy, because other boxes may be read before these are used
    return struct.iter_unpack("4f", bytes(memoryview(BUFFER).cast("B")[: 16 * len(indices)]))


def find_indices(text_page: pypdfium2.PdfTextPage, text: str) -> Sequence[int]:
    """Return the index of PDFium for each character of the text: it counts what it leaves out."""
    if text_page.count_chars() == len(text):
        return range(len(text))
    units = accumulate((1 + (character > "\uffff") for character in text), initial=0)
    return [max(0, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, unit)) for unit in units]


def _read_angle(text_page: pypdfium2.PdfTextPage, index: int) -> int:
    """Return the direction of a character in degrees, to a right angle if it is near one."""
    degrees = -math.degrees(pdfium.FPDFText_GetCharAngle(text_page, index))
    right_angle = round(degrees / 90) * 90
    return (right_angle if abs(degrees - right_angle) < 10 else round(degrees)) % 360


def _turn(word: Word, angle: int) -> Word:
    """Return the word where it stands if the page is turned so that a direction is level."""
    _, left, right, bottom, top = word
    if angle == 90:
        return word._replace(left=bottom, right=top, bottom=-right, top=-left)
    if angle == 180:
        return word._replace(left=-right, right=-left, bottom=-top, top=-bottom)
    if angle == 270:
        return word._replace(left=-top, right=-bottom, bottom=left, top=right)
    return word


def _split_word(word: Word, boxes: Iterator[Box]) -> Iterator[Word]:
    """Split a long word where the gap between two letters is wider than the usual one between letters."""
    places = [(left, right) for left, _, right, _ in boxes]
    gaps = [after[0] - before[1] for before, after in pairwise(places)]
    widest = median(gaps) + LETTER_GAP * (word.top - word.bottom)
    start = 0
    for end in [*(number + 1 for number, gap in enumerate(gaps) if gap > widest), len(places)]:
        yield word._replace(text=word.text[start:end], left=places[start][0], right=places[end - 1][1])
        start = end


def _split_stack(text: str, boxes: Iterator[Box]) -> Iterator[Word]:
    """Return the words of characters of which some stand below others."""
    for _, group in groupby(zip(text, boxes, strict=True), lambda each: round(each[1][3])):
        characters, places = zip(*group, strict=True)
        (left, top, _, bottom), (_, _, right, _) = places[0], places[-1]
        yield Word("".join(characters), left, right, bottom, top)


# -- whether a page is a picture -----------------------------------------------------------------------


def _why_ocr(page: pypdfium2.PdfPage, text: str) -> Literal["", "empty", "picture", "cipher"]:
    """Return why the text layer of a page is not enough, "" if it is."""
    chars = len(text.strip())
    if chars > MAX_CHARS_ON_PICTURE:
        return "cipher" if is_cipher(text) else ""
    objects = list(islice(page.get_objects(max_depth=3), MAX_OBJECTS))
    if chars < MIN_PAGE_CHARS:
        return "empty" if objects else ""
    if is_cipher(text):
        return "cipher"
    is_hidden = any(
        pdfium.FPDFTextObj_GetTextRenderMode(found) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE
        for found in objects
        if found.type == pdfium.FPDF_PAGEOBJ_TEXT
    )
    if is_hidden and chars >= MIN_HIDDEN_CHARS:
        return ""
    return "picture" if _picture_share(page, objects) > PICTURE_SHARE else ""


def _picture_share(page: pypdfium2.PdfPage, objects: list[pypdfium2.PdfObject]) -> float:
    """Return the share of the page that pictures cover; some scanners cut one into strips."""
    left, bottom, right, top = page.get_bbox()
    area = 0.0
    for found in objects:
        if found.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            x1, y1, x2, y2 = found.get_bounds()
            area += max(0.0, min(x2, right) - max(x1, left)) * max(0.0, min(y2, top) - max(y1, bottom))
    return float(area / max(1.0, (right - left) * (top - bottom)))
