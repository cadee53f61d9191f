"""Text of a PDF page that nobody sees: white on white paper, or invisible without a picture above it."""

import ctypes
from collections.abc import Callable, Iterator, Sequence

import pypdfium2
import pypdfium2.raw as pdfium

# of 255, of red, green and blue
WHITE = 250
# on a page with more of other objects than text nothing is taken for hidden
MAX_OBJECTS = 500
Span = tuple[int, int]
Bounds = tuple[float, float, float, float]


def drop_hidden(
    page: pypdfium2.PdfPage,
    text_page: pypdfium2.PdfTextPage,
    text: str,
    spans: list[Span],
    indices: Sequence[int],
) -> list[Span]:
    """Return where the words in the text of a page start and end, without hidden ones.

    The first word of each line is looked at, and the others if one of these may be hidden.
    """

    def find(is_hidden: Callable[[pypdfium2.PdfTextPage, int], bool], of: list[Span]) -> set[Span]:
        return {span for span in of if is_hidden(text_page, indices[span[0]])}

    firsts = [span for span in spans if span[0] == 0 or text[span[0] - 1] == "\n"]
    invisible = find(_is_invisible, firsts) and find(_is_invisible, spans)
    white = find(_is_white, firsts) and find(_is_white, spans)
    if not invisible and not white:
        return spans
    others = list(_find_others(page))
    if len(others) > MAX_OBJECTS:
        return spans
    if 2 * len(invisible) > len(spans) or any(map(_may_be_picture, others)):
        # what OCR has read in a picture
        invisible = set()
    grounds = [_read_bounds(found) for found in others if not _has_white(found)]
    hidden = invisible | {span for span in white if not _is_on(text_page, indices[span[0]], grounds)}
    return [span for span in spans if span not in hidden]


def _is_invisible(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    found = pdfium.FPDFText_GetTextObject(text_page, index)
    mode: int = pdfium.FPDFTextObj_GetTextRenderMode(found) if found else 0
    return bool(mode == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _is_white(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    return _read_white(lambda *color: pdfium.FPDFText_GetFillColor(text_page, index, *color))


def _has_white(found: pdfium.FPDF_PAGEOBJECT) -> bool:
    return _read_white(lambda *color: pdfium.FPDFPageObj_GetFillColor(found, *color))


def _read_white(read: Callable[..., int]) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    return bool(read(red, green, blue, alpha)) and min(red.value, green.value, blue.value) >= WHITE


def _find_others(page: pypdfium2.PdfPage) -> Iterator[pdfium.FPDF_PAGEOBJECT]:
    """Return the objects of a page that are no text."""
    for number in range(pdfium.FPDFPage_CountObjects(page)):
        found = pdfium.FPDFPage_GetObject(page, number)
        if pdfium.FPDFPageObj_GetType(found) != pdfium.FPDF_PAGEOBJ_TEXT:
            yield found


def _may_be_picture(found: pdfium.FPDF_PAGEOBJECT) -> bool:
    return pdfium.FPDFPageObj_GetType(found) in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM)


def _read_bounds(found: pdfium.FPDF_PAGEOBJECT) -> Bounds:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(found, left, bottom, right, top)
    return left.value, bottom.value, right.value, top.value


def _is_on(text_page: pypdfium2.PdfTextPage, index: int, grounds: list[Bounds]) -> bool:
    """Return whether a character stands on one of these grounds."""
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box))
    x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    return any(left <= x <= right and bottom <= y <= top for left, bottom, right, top in grounds)
