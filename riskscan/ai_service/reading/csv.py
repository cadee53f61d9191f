"""Comma-separated values, with any common delimiter."""

import csv
import io
from collections.abc import Iterator

from ..errors import UnreadableDocument
from .blocks import Block
from .encodings import decode

DELIMITERS = ",;\t|"


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the rows that are not empty; the delimiter is the most frequent one."""
    text = decode(data)
    delimiter = max(DELIMITERS, key=text[:20_000].count)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                yield Block("row", row)
    except csv.Error:
        raise UnreadableDocument("The table has a cell that is too long.") from None
