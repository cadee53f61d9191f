"""Optical character recognition with Tesseract, if it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UnreadableDocument
from .geometry import Word
from .line_numbers import drop_line_numbers
from .pages import name_pages

if TYPE_CHECKING:  # most documents need no image library
    from PIL.Image import Image

MAX_PIXELS = 40_000_000
MAX_SIDE_PIXELS = 4000
# from when the reading of the document starts; the reader has 52 seconds
OCR_SECONDS = 42
# for one page
PAGE_SECONDS = 30
# pages that are recognized at the same time, on as many cores
MAX_WORKERS = 8
# on top of the reader's own: it takes seconds a page, and documents without images need no more than one
OCR_NICENESS = 10
# Tesseract was trained on text of about this resolution
DOTS_PER_INCH = 300
# below this mean confidence (of 100) the page is read again in other ways
GOOD_CONFIDENCE = 75
# below this one people are told
DOUBTFUL_CONFIDENCE = 60
# page segmentation modes of Tesseract
ORIENTATION, AUTOMATIC, SINGLE_COLUMN = 0, 3, 4
MIN_ORIENTATION_CONFIDENCE = 1.0
ROTATE = re.compile(r"Rotate: (\d+)\n.*Orientation confidence: ([\d.]+)", re.S)
WHAT_TO_INSTALL = (
    "needs Tesseract, which is not installed on the server; install the packages tesseract-ocr and"
    " tesseract-ocr-khm"
)
NOT_INSTALLED = f"Reading images and scanned pages {WHAT_TO_INSTALL}, or send the document as text."

NO_TIME = "Reading the scanned pages took too long; send fewer pages at a time."


class Recognized(NamedTuple):
    """The words of an image, in pixels from its lower left corner, and their mean confidence of 100."""

    confidence: float
    words: list[Word]
    height: float


def is_installed() -> bool:
    """Return whether Tesseract is on the PATH."""
    return shutil.which("tesseract") is not None


def require_tesseract() -> None:
    """Raise UnreadableDocument unless Tesseract is installed."""
    if not is_installed():
        raise UnreadableDocument(NOT_INSTALLED)


def recognize_pages(images: Iterable[Image | None], started: float) -> Iterator[Recognized | None]:
    """Recognize images on the cores there are; ends when there is no time left.

    Yields None for an image that takes too long or is missing. Few more images are taken than are
    recognized at a time. `started` is when the reading of the document started, by time.monotonic().
    """
    deadline = started + OCR_SECONDS
    workers = min(MAX_WORKERS, _count_cores())
    running: deque[Future[Recognized | None]] = deque()
    left = iter(images)
    with ThreadPoolExecutor(workers) as pool:
        while True:
            while len(running) <= workers and time.monotonic() < deadline:
                try:
                    image = next(left)
                except StopIteration:
                    break
                running.append(pool.submit(_recognize, image, deadline))
            if not running:
                return
            yield running.popleft().result()


def _count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def note_unread(
    recognized: Mapping[int, Recognized], scanned: Iterable[int], count: int, notes: list[str]
) -> None:
    """Say in `notes` which of the scanned pages, by number, were not read, or badly; `count` is of all."""
    unread = [number for number in scanned if number not in recognized]
    doubtful = [
        number for number, page in recognized.items() if page.words and page.confidence < DOUBTFUL_CONFIDENCE
    ]
    if unread:
        notes.append(
            f"{name_pages(unread, count)} not read: there was no time left."
            " Send the rest as another document."
        )
    if doubtful:
        notes.append(f"{name_pages(doubtful, count)} hard to read; what was recognized there may be wrong.")


def _recognize(image: Image | None, deadline: float) -> Recognized | None:
    """Recognize an image in the ways that scans need; None if there was no time for any."""
    if image is None:
        return None
    from .enhance import enhance

    deadline = min(deadline, time.monotonic() + PAGE_SECONDS)
    enhanced = enhance(image)
    best = _run(enhanced, _languages()[0], SINGLE_COLUMN, deadline)
    attempts = _attempts(enhanced, image, deadline)
    while best and best.confidence < GOOD_CONFIDENCE and time.monotonic() < deadline:
        attempt = next(attempts, None)
        if attempt is None:
            break
        other = _run(*attempt, deadline)
        if other and other.confidence > best.confidence:
            best = other
    return best


def _attempts(image: Image, original: Image, deadline: float) -> Iterator[tuple[Image, str, int]]:
    """Return what to try on an image that is hard to read: as it was, to turn it, and other languages."""
    if image is not original:
        yield original, _languages()[0], SINGLE_COLUMN
    turn = _find_turn(image, deadline)
    upright = image.rotate(-turn, expand=True) if turn else image
    if turn:
        yield upright, _languages()[0], SINGLE_COLUMN
    for language in _languages()[1:]:
        yield upright, language, SINGLE_COLUMN
    yield upright, _languages()[-1], AUTOMATIC


def _find_turn(image: Image, deadline: float) -> int:
    """Return the degrees, clockwise, by which an image has to be turned; 0 if it is not certain."""
    output = _tesseract(image, ["-l", "osd", "--psm", str(ORIENTATION)], deadline)
    found = ROTATE.search(output or "")
    return int(found[1]) if found and float(found[2]) >= MIN_ORIENTATION_CONFIDENCE else 0


@cache
def _languages() -> list[str]:
    """Return the languages to try, one after the other: two at once take twice as long."""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)  # noqa: S607
    return ["eng", "eng+khm"] if "khm" in listed.stdout.split() else ["eng"]


def _run(image: Image, languages: str, segmentation: int, deadline: float) -> Recognized | None:
    options = ["-l", languages, "--psm", str(segmentation), "--dpi", str(DOTS_PER_INCH), "tsv"]
    table = _tesseract(image, options, deadline)
    return None if table is None else _parse_table(table, image.height)


def _tesseract(image: Image, options: list[str], deadline: float) -> str | None:
    """Return the output of Tesseract, empty if it fails; None if there was no time left."""
    with tempfile.TemporaryFile() as file:
        image.save(file, "PPM")
        file.seek(0)
        try:
            completed = subprocess.run(  # noqa: S603
                ["nice", "-n", str(OCR_NICENESS), "tesseract", "stdin", "stdout", *options],  # noqa: S607
                stdin=file,
                capture_output=True,
                timeout=max(0.0, deadline - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
    return completed.stdout.decode("utf-8", "replace")


def _parse_table(table: str, image_height: int) -> Recognized:
    """Return the words of Tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, …"""
    words, confidences = list[Word](), list[float]()
    line = (0, 0)
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) != 12:
            continue
        top, height = int(cells[7]), int(cells[9])
        if cells[0] == "4":
            line = (image_height - top - height, image_height - top)
        elif cells[0] == "5" and cells[11].strip():
            left = int(cells[6])
            words.append(Word(cells[11].strip(), left, left + int(cells[8]), *line))
            confidences.append(float(cells[10]))
    confidence = sum(confidences) / len(confidences) if confidences else 0.0
    return Recognized(confidence, drop_line_numbers(_equalize_heights(words)), image_height)


def _equalize_heights(words: list[Word]) -> list[Word]:
    """Give the words of ordinary lines the same height: it depends on letters such as p and l."""
    usual = median(word.top - word.bottom for word in words) if words else 0.0
    equalized = []
    for word in words:
        height = word.top - word.bottom
        middle = (word.top + word.bottom) / 2
        half = usual / 2 if 0.5 * usual < height < 1.6 * usual else height / 2
        equalized.append(word._replace(bottom=middle - half, top=middle + half))
    return equalized
