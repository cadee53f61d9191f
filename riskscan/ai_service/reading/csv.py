"""Comma-separated values, with any common delimiter."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from .blocks import Block, Place
from .cell_markup import clean_cell
from .columns import classify_name, is_plain_name
from .encodings import decode
from .tables import is_head

DELIMITERS = ",;\t|"
SAMPLE_ROWS = 200
# a longer cell begins with a quotation mark that nobody closed
MAX_CELL_LINES = 40
MAX_BROKEN_ROWS = 100
# Excel reads the delimiter from such a line
DELIMITER_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*$", re.I)
# text rather than a table, if fewer of its lines have as many cells as most
MIN_EQUAL_ROWS = 0.5


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the rows that are not empty; a text that is no table is read as text."""
    lines = list(io.StringIO(decode(data), newline=""))
    named = DELIMITER_LINE.match(lines[0]) if lines else None
    if named:
        del lines[0]
    elif _are_quoted_whole(lines[:SAMPLE_ROWS]):
        lines = [line.strip()[1:-1].replace('""', '"') + "\n" for line in lines]
    delimiter, width = (named[1], 0) if named else find_delimiter(lines)
    if not delimiter and not _is_column(lines):
        yield Block("text", ["".join(lines)])
        return
    for number, row in enumerate(_read_rows(lines, delimiter or "\t"), 1):
        if any(cell.strip() for cell in row):
            cells = list(map(clean_cell, _join_cells(row, delimiter, width)))
            yield Block("row", cells, place=Place(row=number))


def find_delimiter(lines: list[str]) -> tuple[str, int]:
    """Return the delimiter that makes a head, or most rows equally long, and that length; "" if none does."""
    best = (False, 0, 0, "")
    for delimiter in DELIMITERS:
        rows = [row for row in islice(_read_rows(lines, delimiter), SAMPLE_ROWS) if any(map(str.strip, row))]
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        has_head = any(is_head([cell.strip() for cell in row]) for row in rows)
        if has_head or (count >= len(rows) * MIN_EQUAL_ROWS and not _is_prose(rows)):
            best = max(best, (has_head, count, width, delimiter))
    return best[3], best[2]


def _is_prose(rows: list[list[str]]) -> bool:
    """Return whether a space follows most delimiters, as in a sentence."""
    cells = [cell for row in rows for cell in row[1:]]
    return 2 * sum(cell.startswith(" ") for cell in cells) > len(cells)


def _are_quoted_whole(lines: list[str]) -> bool:
    """Return whether each line is one quoted cell that holds a row."""
    return bool(lines) and all(
        line[0] == line.rstrip()[-1] == '"'
        and any(mark in line for mark in DELIMITERS)
        and len(next(csv.reader([line]))) == 1
        for line in lines
        if line.strip()
    )


def _is_column(lines: list[str]) -> bool:
    """Return whether the first line names a single column of risks."""
    first = next(filter(None, (line.strip().strip('"') for line in lines)), "")
    return len(lines) > 1 and classify_name(first) in ("risk", "description") and is_plain_name(first)


def _read_rows(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    start = broken = 0
    while start < len(lines):
        # where quotation marks are often broken, each line is a row
        height = MAX_CELL_LINES if broken < MAX_BROKEN_ROWS else 1
        row, height = _read_row(lines[start : start + height], delimiter)
        if not height:
            row, height = [cell.strip('"') for cell in lines[start].rstrip("\r\n").split(delimiter)], 1
            broken += 1
        yield row
        start += height


def _read_row(lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """Return the first row and the number of its lines, 0 where its quotation marks are broken."""
    parser = csv.reader(lines, delimiter=delimiter)
    try:
        row = next(parser)
    except csv.Error:  # a cell that is too long
        return [], 0
    height = parser.line_num
    is_odd = sum(line.count('"') for line in lines[:height]) % 2 == 1
    return row, 0 if is_odd and (height > 1 or height == len(lines)) else height


def _join_cells(row: list[str], delimiter: str, width: int) -> list[str]:
    """Return a row that is too long without the delimiters that a space follows, if it fits then."""
    if not width or len(row) <= width:
        return row
    joined = row[:1]
    for cell in row[1:]:
        if cell.startswith(" "):
            joined[-1] += delimiter + cell
        else:
            joined.append(cell)
    return joined if len(joined) == width else row
