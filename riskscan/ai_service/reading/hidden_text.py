"""Text of a PDF page that nobody sees: white or invisible, where the page is white."""

import ctypes
from collections.abc import Callable, Sequence

import pypdfium2
import pypdfium2.raw as pdfium

# of 255, of red, green and blue
WHITE = 250
# on a page with more such words nothing is taken for hidden
MAX_WORDS = 5_000
# the copy of a page that is looked at has at most this many pixels a side
SIDE_PIXELS = 1_000
Span = tuple[int, int]


def drop_hidden(
    page: pypdfium2.PdfPage,
    text_page: pypdfium2.PdfTextPage,
    text: str,
    spans: list[Span],
    indices: Sequence[int],
) -> list[Span]:
    """Return where the words in the text of a page start and end, without hidden ones.

    The first word of each line is looked at, and the others if one of these is hidden.
    """

    def find(is_hidden: Callable[[pypdfium2.PdfTextPage, int], bool], of: list[Span]) -> set[Span]:
        return {span for span in of if is_hidden(text_page, indices[span[0]])}

    firsts = [span for span in spans if span[0] == 0 or text[span[0] - 1] == "\n"]
    invisible = find(_is_invisible, firsts) and find(_is_invisible, spans)
    if 2 * len(invisible) > len(spans):
        # what OCR has read in a picture
        invisible = set()
    white = find(_is_white, firsts)
    hidden = _find_on_white(page, text_page, invisible | white, indices)
    if not white.isdisjoint(hidden):
        hidden |= _find_on_white(page, text_page, find(_is_white, spans), indices)
    return [span for span in spans if span not in hidden]


def _is_invisible(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    found = pdfium.FPDFText_GetTextObject(text_page, index)
    mode: int = pdfium.FPDFTextObj_GetTextRenderMode(found) if found else 0
    return bool(mode == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _is_white(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    is_read = pdfium.FPDFText_GetFillColor(text_page, index, red, green, blue, alpha)
    return bool(is_read) and min(red.value, green.value, blue.value) >= WHITE


def _find_on_white(
    page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage, spans: set[Span], indices: Sequence[int]
) -> set[Span]:
    """Return the words that stand where a picture of the page is white, by the middle of their height."""
    if not 0 < len(spans) <= MAX_WORDS:
        return set()
    left, bottom, right, top = page.get_bbox()
    scale = min(1.0, SIDE_PIXELS / max(1.0, right - left, top - bottom))
    image = page.render(scale=scale, grayscale=True, may_draw_forms=False).to_pil()
    found = set[Span]()
    for start, end in spans:
        first, last = (_read_box(text_page, indices[place]) for place in (start, end - 1))
        low, high = min(first.bottom, last.bottom), max(first.top, last.top)
        quarter = (high - low) / 4
        area = (
            int(scale * (min(first.left, last.left) - left)),
            int(scale * (top - high + quarter)),
            int(scale * (max(first.right, last.right) - left)) + 1,
            int(scale * (top - low - quarter)) + 1,
        )
        # what is outside the picture is none of its colours
        inside = (max(0, area[0]), max(0, area[1]), min(image.width, area[2]), min(image.height, area[3]))
        if inside[0] < inside[2] and inside[1] < inside[3] and image.crop(inside).getextrema()[0] >= WHITE:
            found.add((start, end))
    return found


def _read_box(text_page: pypdfium2.PdfTextPage, index: int) -> pdfium.FS_RECTF:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box))
    return box
