"""Pages of a PDF that have to be read by OCR: pictures, and text layers that are ciphers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium
from PIL.Image import Image

from ..errors import UnreadableDocument
from . import ocr
from .geometry import Line, find_lines
from .legibility import is_cipher
from .pages import Page, name_pages

POINTS_PER_INCH = 72
MAX_OBJECTS = 20_000
ILLEGIBLE = "the text layer can't be read, because it holds other letters than the page shows."
BY_OCR = f"Reading it by OCR {ocr.WHAT_TO_INSTALL}."


def read_scans(
    document: pypdfium2.PdfDocument, pages: list[Page], started: float, notes: list[str]
) -> list[Page]:
    """Return the pages, with those that need OCR as it reads them; says in `notes` which it does not.

    `started` is when reading the document started. Raises UnreadableDocument where nothing is legible.
    """
    if not ocr.is_installed():
        return _keep_legible_pages(pages, len(document), notes)
    scanned = {page.number: page for page in pages if page.needs_ocr}
    damaged = list[int]()

    def render() -> Iterator[Image | None]:
        for page in scanned.values():
            try:
                yield _render(document, page)
            except pypdfium2.PdfiumError:
                damaged.append(page.number)
                yield None

    results = zip(scanned, ocr.recognize_pages(render(), started), strict=False)
    recognized = {number: result for number, result in results if result}
    read = [
        _merge(page, recognized[page.number]) if page.number in recognized else _keep_legible(page)
        for page in pages
    ]
    ciphers = [page.number for page in read if page.needs_ocr == "cipher" and not page.lines]
    illegible = [number for number in ciphers if number in recognized]
    unread = [number for number in scanned if number not in recognized and number not in damaged]
    if not any(page.lines or page.beside for page in read):
        if illegible:
            raise UnreadableDocument(f"The PDF was not read: {ILLEGIBLE}")
        if unread:
            raise UnreadableDocument(ocr.NO_TIME)
    if damaged:
        notes.append(f"{name_pages(damaged, len(document))} not read, because the file is damaged there.")
    if illegible:
        notes.append(f"{name_pages(illegible, len(document))} not read: {ILLEGIBLE}")
    ocr.note_unread(recognized, [*recognized, *unread], len(document), notes)
    return read


def _keep_legible_pages(pages: list[Page], count: int, notes: list[str]) -> list[Page]:
    """Return the pages without OCR; raises UnreadableDocument where nothing is legible."""
    read = [_keep_legible(page) for page in pages]
    ciphers = [page.number for page in pages if page.needs_ocr == "cipher"]
    scans = [page.number for page in pages if page.needs_ocr in ("empty", "picture")]
    if not any(page.lines or page.beside for page in read):
        raise UnreadableDocument(
            f"The PDF was not read: {ILLEGIBLE} {BY_OCR}" if ciphers else ocr.NOT_INSTALLED
        )
    if ciphers:
        notes.append(f"{name_pages(ciphers, count)} not read: {ILLEGIBLE} {BY_OCR}")
    if scans:
        notes.append(f"{name_pages(scans, count)} not read: reading pictures of text {ocr.WHAT_TO_INSTALL}.")
    return read


def _keep_legible(page: Page) -> Page:
    return page._replace(lines=[], turned=()) if page.needs_ocr == "cipher" else page


def _merge(page: Page, recognized: ocr.Recognized) -> Page:
    """Return a page as OCR reads it, with the visible text that lies over its picture."""
    lines = find_lines(recognized.words)
    if page.needs_ocr == "cipher":
        by_layer, by_ocr = _words_of(page.lines), _words_of(lines)
        if len(by_layer & by_ocr) * 2 > len(by_layer):
            # codes, or a language with other pairs of letters: the layer says what the page shows
            return page
        if is_cipher(" ".join(line.text for line in lines)):
            return _keep_legible(page)
    elif page.needs_ocr == "picture" or not lines:
        lines += page.lines
    turned = page.turned if page.needs_ocr == "picture" else ()
    return page._replace(lines=lines, turned=turned, bottom=0.0, top=recognized.height)


def _words_of(lines: Iterable[Line]) -> set[str]:
    return {word for line in lines for word in line.text.lower().split()}


def _render(document: pypdfium2.PdfDocument, page: Page) -> Image:
    """Return a page as an image for OCR, without the text that lies over its picture."""
    loaded = document[page.number - 1]
    if page.needs_ocr == "picture":
        for found in islice(loaded.get_objects(max_depth=3), MAX_OBJECTS):
            if found.type == pdfium.FPDF_PAGEOBJ_TEXT:
                pdfium.FPDFTextObj_SetTextRenderMode(found, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)
    width, height = loaded.get_size()
    scale = min(
        ocr.DOTS_PER_INCH / POINTS_PER_INCH,
        (ocr.MAX_PIXELS / max(1.0, width * height)) ** 0.5,
        ocr.MAX_SIDE_PIXELS / max(width, height, 1.0),
    )
    image: Image = loaded.render(scale=scale, grayscale=True).to_pil()
    return image
