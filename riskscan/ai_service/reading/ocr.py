"""Optical character recognition with Tesseract, if it is installed."""

import io
import shutil
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageOps, ImageSequence

from ..errors import UnreadableDocument

MAX_PIXELS = 40_000_000
MAX_PAGES = 10
OCR_SECONDS = 40
# Tesseract was trained on text of about this resolution
DOTS_PER_INCH = 300
# below this mean confidence (of 100) the page is read again with automatic segmentation
GOOD_CONFIDENCE = 60
# page segmentation modes of Tesseract
AUTOMATIC, SINGLE_COLUMN = 3, 4
NOT_INSTALLED = (
    "Reading images and scanned pages needs Tesseract, which is not installed on the server; install the"
    " packages tesseract-ocr and tesseract-ocr-khm, or send the document as text."
)


def read_image(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Read an image, or the pages of a TIFF."""
    _require_tesseract()
    Image.MAX_IMAGE_PIXELS = None  # the size is checked below, with a message for people
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "TIFF"))
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableDocument(
                f"The image has {image.width} × {image.height} pixels; at most 40 million can be read."
            )
        deadline = time.monotonic() + OCR_SECONDS
        texts = [
            _recognize(_prepare(frame), deadline)
            for frame, _ in zip(ImageSequence.Iterator(image), range(MAX_PAGES), strict=False)
        ]
    except (OSError, ValueError, SyntaxError, EOFError):
        raise UnreadableDocument("The image is damaged and could not be read.") from None
    if not any(text.strip() for text in texts):
        raise UnreadableDocument("No text was found in the image.")
    yield "text", ["\n\n".join(texts)]


def read_pages(document: Any, numbers: list[int]) -> Iterator[str]:
    """Read pages of an open PDF, at most MAX_PAGES of them and for about OCR_SECONDS."""
    _require_tesseract()
    deadline = time.monotonic() + OCR_SECONDS
    for number in numbers[:MAX_PAGES]:
        page = document[number]
        width, height = page.get_size()
        scale = min(
            DOTS_PER_INCH / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5, 4000 / max(width, height, 1.0)
        )
        yield _recognize(page.render(scale=scale, grayscale=True).to_pil(), deadline)
        if time.monotonic() > deadline:
            return


def _require_tesseract() -> None:
    if shutil.which("tesseract") is None:
        raise UnreadableDocument(NOT_INSTALLED)


def _prepare(image: Image.Image) -> Image.Image:
    """Return the image upright, on white, in grey, and of a size that Tesseract reads well."""
    # phones store photographs as the sensor saw them, with an EXIF tag that says how to turn them
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "P"):
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image.convert("RGBA"))
    gray = image.convert("L")
    longest = max(gray.size)
    factor = min(3.0, 2400 / longest) if longest < 1600 else min(1.0, 4000 / longest)
    if factor == 1.0:
        return gray
    return gray.resize(
        (max(1, round(gray.width * factor)), max(1, round(gray.height * factor))), Image.Resampling.LANCZOS
    )


def _recognize(image: Image.Image, deadline: float) -> str:
    confidence, text = _run_tesseract(image, SINGLE_COLUMN, deadline)
    if confidence < GOOD_CONFIDENCE and time.monotonic() < deadline:
        second_confidence, second_text = _run_tesseract(image, AUTOMATIC, deadline)
        if second_confidence > confidence:
            return second_text
    return text


def _run_tesseract(image: Image.Image, segmentation: int, deadline: float) -> tuple[float, str]:
    """Return the mean confidence, and the text with its lines and paragraphs."""
    import pytesseract

    languages = "eng+khm" if "khm" in pytesseract.get_languages() else "eng"
    try:
        table = pytesseract.image_to_data(
            image,
            lang=languages,
            config=f"--psm {segmentation} --dpi {DOTS_PER_INCH}",
            nice=0,
            timeout=max(1.0, deadline - time.monotonic()),
            output_type=pytesseract.Output.DICT,
        )
    except RuntimeError:  # a time-out or an error of Tesseract
        return 0.0, ""
    return _join_words(table)


def _join_words(table: dict[str, list[Any]]) -> tuple[float, str]:
    lines: list[str] = []
    last: tuple[int, int, int] | None = None
    confidences = []
    for number, word in enumerate(table["text"]):
        if not word.strip():
            continue
        line = (table["block_num"][number], table["par_num"][number], table["line_num"][number])
        confidences.append(float(table["conf"][number]))
        if line == last:
            lines[-1] += " " + word
        else:
            if last is not None and line[:2] != last[:2]:
                lines.append("")
            lines.append(word)
        last = line
    return (sum(confidences) / len(confidences) if confidences else 0.0), "\n".join(lines)
