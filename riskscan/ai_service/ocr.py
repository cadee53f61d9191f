"""Text out of pictures through Tesseract, where it is installed."""

import io
import shutil
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageOps, ImageSequence

from riskscan.ai_service.errors import unreadable

MAX_PIXELS = 40_000_000
MAX_PAGES = 10
SECONDS = 40
# Tesseract was trained on about this height of an A4 page
DOTS_PER_INCH = 300
# below this mean confidence (of 100) the page is tried as one column of uneven text
CONFIDENT = 60
MISSING = (
    "Reading pictures and scanned pages needs Tesseract, which is not installed on the server; install the"
    " packages tesseract-ocr and tesseract-ocr-khm, or send the document with its text."
)


def image(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Read a picture, or the pages of a TIFF."""
    _require_tesseract()
    Image.MAX_IMAGE_PIXELS = None  # the size is checked below, in words
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "TIFF"))
        if picture.width * picture.height > MAX_PIXELS:
            raise unreadable(
                f"The picture has {picture.width} × {picture.height} pixels; at most 40 million can be read."
            )
        deadline = time.monotonic() + SECONDS
        texts = [
            _recognise(_readable(frame), deadline)
            for frame, _ in zip(ImageSequence.Iterator(picture), range(MAX_PAGES), strict=False)
        ]
    except (OSError, ValueError, SyntaxError, EOFError):
        raise unreadable("The picture is damaged and could not be read.") from None
    if not any(text.strip() for text in texts):
        raise unreadable("No text was found in the picture.")
    yield "text", ["\n\n".join(texts)]


def pages(document: Any, numbers: list[int]) -> Iterator[str]:
    """Read pages of an open PDF, at most MAX_PAGES of them and for SECONDS."""
    _require_tesseract()
    deadline = time.monotonic() + SECONDS
    for number in numbers[:MAX_PAGES]:
        page = document[number]
        width, height = page.get_size()
        scale = min(
            DOTS_PER_INCH / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5, 4000 / max(width, height, 1.0)
        )
        yield _recognise(page.render(scale=scale, grayscale=True).to_pil(), deadline)
        if time.monotonic() > deadline:
            return


def _require_tesseract() -> None:
    if shutil.which("tesseract") is None:
        raise unreadable(MISSING)


def _readable(picture: Image.Image) -> Image.Image:
    # phones store a photograph as the sensor saw it, with a note on how to turn it
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("RGBA", "LA", "P"):
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    gray = picture.convert("L")
    longest = max(gray.size)
    factor = min(3.0, 2400 / longest) if longest < 1600 else min(1.0, 4000 / longest)
    if factor == 1.0:
        return gray
    return gray.resize(
        (max(1, round(gray.width * factor)), max(1, round(gray.height * factor))), Image.Resampling.LANCZOS
    )


def _recognise(picture: Image.Image, deadline: float) -> str:
    confidence, text = _tesseract(picture, 4, deadline)
    if confidence < CONFIDENT and time.monotonic() < deadline:
        second, other = _tesseract(picture, 3, deadline)
        if second > confidence:
            return other
    return text


def _tesseract(picture: Image.Image, mode: int, deadline: float) -> tuple[float, str]:
    """Return the mean confidence and the text with its lines and paragraphs."""
    import pytesseract

    languages = "eng+khm" if "khm" in pytesseract.get_languages() else "eng"
    try:
        table = pytesseract.image_to_data(
            picture,
            lang=languages,
            config=f"--psm {mode} --dpi {DOTS_PER_INCH}",
            nice=0,
            timeout=max(1.0, deadline - time.monotonic()),
            output_type=pytesseract.Output.DICT,
        )
    except RuntimeError:  # its timeout
        return 0.0, ""
    except pytesseract.TesseractError as error:
        raise unreadable(f"Tesseract could not read the picture (status {error.status}).") from None
    lines: list[str] = []
    last: tuple[int, int, int] | None = None
    confidences = []
    for number, word in enumerate(table["text"]):
        if not word.strip():
            continue
        place = (table["block_num"][number], table["par_num"][number], table["line_num"][number])
        confidences.append(float(table["conf"][number]))
        if last is not None and place == last:
            lines[-1] += " " + word
        else:
            if last is not None and place[:2] != last[:2]:
                lines.append("")
            lines.append(word)
        last = place
    return (sum(confidences) / len(confidences) if confidences else 0.0), "\n".join(lines)
