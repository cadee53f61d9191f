"""Images: PNG, JPEG, BMP, and TIFF with one or more pages."""

import io
from collections.abc import Iterator
from itertools import islice

from PIL import Image, ImageOps, ImageSequence

from ...file_types import FILE_TYPES
from ..errors import UnreadableDocument
from . import ocr
from .blocks import Block
from .geometry import find_lines
from .pages import Page, to_blocks

# file_types.py names them as Pillow does
PILLOW_FORMATS = [known.name for known in FILE_TYPES if known.reader == "image"]
MAX_PAGES = 2_000
# smaller images are enlarged, to SMALL_SIDE_PIXELS at most threefold
MIN_SIDE_PIXELS = 1600
SMALL_SIDE_PIXELS = 2400


def read_blocks(data: bytes, notes: list[str], started: float) -> Iterator[Block]:
    """Read the text of the pages by OCR, in the time that is left since `started`."""
    ocr.require_tesseract()
    Image.MAX_IMAGE_PIXELS = None  # the size is checked below, with a message for people
    try:
        image = Image.open(io.BytesIO(data), formats=PILLOW_FORMATS)
        if image.width * image.height > ocr.MAX_PIXELS:
            raise UnreadableDocument(
                f"The image has {image.width} × {image.height} pixels; at most 40 million can be read."
            )
        count = min(getattr(image, "n_frames", 1), MAX_PAGES)
        frames = islice(ImageSequence.Iterator(image), count)
        results = list(ocr.recognize_pages(map(_prepare, frames), started))
    except (OSError, ValueError, SyntaxError, EOFError):
        raise UnreadableDocument("The image is damaged and could not be read.") from None
    if not results:
        raise UnreadableDocument(ocr.NO_TIME)
    read = {number: recognized for number, recognized in enumerate(results, 1) if recognized}
    if not any(recognized.words for recognized in read.values()):
        raise UnreadableDocument("No text was found in the image." if len(read) == count else ocr.NO_TIME)
    ocr.note_unread(read, range(1, count + 1), count, notes)
    yield from to_blocks(
        [
            Page(number, find_lines(recognized.words), 0.0, recognized.height)
            for number, recognized in read.items()
        ]
    )


def _prepare(image: Image.Image) -> Image.Image:
    """Return the image upright, on white, in grey, and of a size that Tesseract reads well."""
    # phones store photographs as the sensor saw them, with an EXIF tag that says how to turn them
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "P"):
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image.convert("RGBA"))
    gray = image.convert("L")
    longest = max(gray.size)
    if longest < MIN_SIDE_PIXELS:
        factor = min(3.0, SMALL_SIDE_PIXELS / longest)
    else:
        factor = min(1.0, ocr.MAX_SIDE_PIXELS / longest)
    if factor == 1.0:
        return gray
    return gray.resize(
        (max(1, round(gray.width * factor)), max(1, round(gray.height * factor))), Image.Resampling.LANCZOS
    )
