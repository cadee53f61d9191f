# ruff: noqa: E501
"""PDFs that tests build: pages of positioned text, forms, comments, and scans."""

import io
import zlib
from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from tests.ai_service.documents import pdf

WIDTH, HEIGHT = 595, 842
FONT = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>>"


def at(x: float, y: float, text: str, size: float = 11, turn: str = "1 0 0 1") -> bytes:
    """Draw a line of text; `turn` is the matrix of its direction."""
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252")
    return b"BT /F %g Tf %s %g %g Tm (%s) Tj ET\n" % (size, turn.encode(), x, y, escaped)


def column(x: float, y: float, lines: Iterable[str], step: float = 14, size: float = 11) -> list[bytes]:
    """Draw lines below each other."""
    return [at(x, y - step * number, line, size) for number, line in enumerate(lines)]


def paged(
    *pages: bytes | list[bytes], page: bytes = b"", extra: Iterable[bytes] = (), catalog: bytes = b""
) -> bytes:
    """A PDF of these pages; `page` are more entries of each, `extra` objects behind them, from 4 + 2 per page."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<</Type /Catalog /Pages 2 0 R %s>>" % catalog,
        b"<</Type /Pages /Kids [%s] /Count %d>>" % (kids, len(pages)),
        FONT,
    ]
    for number, drawn in enumerate(pages):
        content = drawn if isinstance(drawn, bytes) else b"".join(drawn)
        objects += [
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R"
            b" /Resources <</Font <</F 3 0 R>>>> %s>>" % (WIDTH, HEIGHT, 5 + 2 * number, page),
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        ]
    return pdf([*objects, *extra])


def draw(lines: Iterable[str], step: int = 34, size: int = 24, left: int = 100) -> Image.Image:
    """A page of text as a scanner sees it, at 144 dots per inch."""
    image = Image.new("L", (2 * WIDTH, 2 * HEIGHT), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        pen.text((left, 150 + step * number), line, "black", font)
    return image


def scanned(*images: Image.Image, over: bytes = b"") -> bytes:
    """A PDF whose pages are pictures, with `over` drawn over each."""
    kids = b" ".join(b"%d 0 R" % (4 + 3 * number) for number in range(len(images)))
    content = b"q %d 0 0 %d 0 0 cm /I Do Q\n%s" % (WIDTH, HEIGHT, over)
    objects = [
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [%s] /Count %d>>" % (kids, len(images)),
        FONT,
    ]
    for number, image in enumerate(images):
        data = zlib.compress(image.tobytes())
        objects += [
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources"
            b" <</Font <</F 3 0 R>> /XObject <</I %d 0 R>>>>>>"
            % (WIDTH, HEIGHT, 5 + 3 * number, 6 + 3 * number),
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
            b"<</Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
            b" /Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream"
            % (image.width, image.height, len(data), data),
        ]
    return pdf(objects)


def tiff(*images: Image.Image) -> bytes:
    file = io.BytesIO()
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw")
    return file.getvalue()
