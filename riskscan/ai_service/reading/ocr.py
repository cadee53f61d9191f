"""Optical character recognition with Tesseract, if it is installed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import UnreadableDocument

if TYPE_CHECKING:  # most documents need no image library
    from PIL.Image import Image

MAX_PIXELS = 40_000_000
MAX_SIDE_PIXELS = 4000
MAX_OCR_PAGES = 10
OCR_SECONDS = 40
# on top of the reader's own: it takes seconds a page, and documents without images need no more than one
OCR_NICENESS = 10
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


def require_tesseract() -> None:
    """Raise UnreadableDocument unless Tesseract is installed."""
    if shutil.which("tesseract") is None:
        raise UnreadableDocument(NOT_INSTALLED)


def recognize_pages(images: Iterable[Image]) -> Iterator[str]:
    """Return the text of at most MAX_OCR_PAGES images; stops after about OCR_SECONDS."""
    os.nice(OCR_NICENESS)
    deadline = time.monotonic() + OCR_SECONDS
    for image in islice(images, MAX_OCR_PAGES):
        yield _recognize(image, deadline)
        if time.monotonic() > deadline:
            return


def _recognize(image: Image, deadline: float) -> str:
    confidence, text = _run_tesseract(image, SINGLE_COLUMN, deadline)
    if confidence < GOOD_CONFIDENCE and time.monotonic() < deadline:
        second_confidence, second_text = _run_tesseract(image, AUTOMATIC, deadline)
        if second_confidence > confidence:
            return second_text
    return text


def _run_tesseract(image: Image, segmentation: int, deadline: float) -> tuple[float, str]:
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
