"""PDF documents with their findings highlighted, each with a note.

PDFium appends what is new to the file: all that was in it stays as it was, byte by byte.
"""

from __future__ import annotations

import ctypes
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from ..ai_service.reading.blocks import MAX_CHARS
from ..ai_service.reading.pdf import find_indices, open_document, read_boxes
from .placing import Mark, MarkPlaces, Piece, list_unplaced, place_marks

AUTHOR = "RiskScan"
COLOUR = (255, 217, 64)
# the side of a note's icon, and how far from the corner of the page it stands
ICON, CORNER = 20.0, 12.0
PRINTED = 4  # the flag of an annotation that is printed with its page


class PageText(NamedTuple):
    """A page: where its text starts in that of the document, and the index of PDFium for each character."""

    start: int
    indices: Sequence[int]


class Box(NamedTuple):
    """A rectangle on a page, in its own units; y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float


def mark_pdf(data: bytes, marks: Sequence[Mark]) -> tuple[bytes, list[int]]:
    """Return the document with the findings highlighted, and their numbers.

    Without a finding that could be highlighted, the document is empty. Raises UnreadableDocument.
    """
    places, boxes = _find_boxes(data, marks)
    placed = [mark.number for mark, pieces in zip(marks, places, strict=True) if pieces]
    if not placed:
        return b"", []
    # opened anew, because PDFium appends all pages that it has read
    document = open_document(data)
    if unplaced := list_unplaced(marks, places):
        _add_note(document[0], unplaced)
    for mark, lines in zip(marks, boxes, strict=True):
        for number, page_lines in groupby(lines, key=lambda line: line[0]):
            _add_highlight(document[number], [box for _, box in page_lines], mark.note)
    output = io.BytesIO()
    document.save(output, flags=pdfium.FPDF_INCREMENTAL)
    return output.getvalue(), placed


def _find_boxes(data: bytes, marks: Sequence[Mark]) -> tuple[MarkPlaces, list[list[tuple[int, Box]]]]:
    """Return where the sentences stand in the text, and the boxes of their lines, each with its page."""
    document = open_document(data)
    text, pages = _read_text(document)
    starts = [page.start for page in pages]
    places = place_marks(text, marks, page_of=lambda index: bisect_right(starts, index))
    boxes = []
    for pieces in places:
        lines: list[tuple[int, Box]] = []
        for number, start, end in _split_at_pages(starts, len(text), pieces):
            lines += [
                (number, box) for box in _read_lines(document, number, pages[number].indices[start:end])
            ]
        boxes.append(lines)
    return places, boxes


def _read_text(document: pypdfium2.PdfDocument) -> tuple[str, list[PageText]]:
    """Return the text of the document and its pages; stops where the reader of PDFs does."""
    parts: list[str] = []
    pages: list[PageText] = []
    size = 0
    for number in range(len(document)):
        try:
            text_page = _open_text(document, number)
            text = str(text_page.get_text_range())
            indices = find_indices(text_page, text)
            text_page.close()
        except pypdfium2.PdfiumError:
            text, indices = "", ()
        pages.append(PageText(size, indices))
        # a page ends a line
        parts.append(text + "\f")
        size += len(text) + 1
        if size > MAX_CHARS:
            break
    return "".join(parts), pages


def _open_text(document: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfTextPage:
    page = document[number]
    if page.get_rotation():
        # as the reader does: PDFium shuffles lines that run otherwise than the page
        page.set_rotation(0)
    return page.get_textpage()


def _split_at_pages(
    starts: Sequence[int], length: int, pieces: Sequence[Piece]
) -> Iterator[tuple[int, int, int]]:
    """Yield the page of each piece, with its start and end in the text of that page."""
    ends = [*starts[1:], length]
    for piece in pieces:
        for number in range(bisect_right(starts, piece.start) - 1, len(starts)):
            if starts[number] >= piece.end:
                break
            start, end = max(piece.start, starts[number]), min(piece.end, ends[number] - 1)
            yield number, start - starts[number], end - starts[number]


def _read_lines(document: pypdfium2.PdfDocument, number: int, indices: Sequence[int]) -> list[Box]:
    """Return the boxes of the lines that the characters stand in."""
    text_page = _open_text(document, number)
    lines: list[Box] = []
    for left, top, right, bottom in read_boxes(text_page, indices):
        box = Box(left, bottom, right, top)
        if box.right <= box.left or box.top <= box.bottom:
            continue  # a space or a line break
        if lines and _is_beside(lines[-1], box):
            last = lines[-1]
            lines[-1] = Box(
                min(last.left, box.left),
                min(last.bottom, box.bottom),
                max(last.right, box.right),
                max(last.top, box.top),
            )
        else:
            lines.append(box)
    return lines


def _is_beside(line: Box, box: Box) -> bool:
    """Return whether a character stands right of a line, within twice its height."""
    height = min(line.top - line.bottom, box.top - box.bottom)
    overlap = min(line.top, box.top) - max(line.bottom, box.bottom)
    return overlap > 0.5 * height and -height < box.left - line.right < 2 * height


# -- annotations -----------------------------------------------------------------------------------


def _add_highlight(page: pypdfium2.PdfPage, boxes: Sequence[Box], note: str) -> None:
    annotation = pdfium.FPDFPage_CreateAnnot(page, pdfium.FPDF_ANNOT_HIGHLIGHT)
    for box in boxes:
        corners = (box.left, box.top, box.right, box.top, box.left, box.bottom, box.right, box.bottom)
        pdfium.FPDFAnnot_AppendAttachmentPoints(annotation, pdfium.FS_QUADPOINTSF(*corners))
    around = Box(
        min(box.left for box in boxes),
        min(box.bottom for box in boxes),
        max(box.right for box in boxes),
        max(box.top for box in boxes),
    )
    _finish(annotation, around, note)


def _add_note(page: pypdfium2.PdfPage, note: str) -> None:
    """Add a note in the upper left corner of a page."""
    left, _, _, top = page.get_bbox()
    annotation = pdfium.FPDFPage_CreateAnnot(page, pdfium.FPDF_ANNOT_TEXT)
    _finish(annotation, Box(left + CORNER, top - CORNER - ICON, left + CORNER + ICON, top - CORNER), note)


def _finish(annotation: pdfium.FPDF_ANNOTATION, box: Box, note: str) -> None:
    pdfium.FPDFAnnot_SetRect(annotation, pdfium.FS_RECTF(box.left, box.top, box.right, box.bottom))
    pdfium.FPDFAnnot_SetColor(annotation, pdfium.FPDFANNOT_COLORTYPE_Color, *COLOUR, 255)
    pdfium.FPDFAnnot_SetFlags(annotation, PRINTED)
    for key, value in ((b"T", AUTHOR), (b"Contents", note)):
        encoded = ctypes.create_string_buffer(value.encode("utf-16-le", "replace") + b"\0\0")
        pdfium.FPDFAnnot_SetStringValue(annotation, key, ctypes.cast(encoded, pdfium.FPDF_WIDESTRING))
    pdfium.FPDFPage_CloseAnnot(annotation)
