"""A table as text, a few rows at a time: CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..schemas import RegisterRow
from .columns import Cell, Column

# what a spreadsheet may take for a formula, blanks and invisible characters before it included
# (OWASP, CSV Injection; the wide signs count in East Asian Excel)
BLANK = r"[\s\x00-\x1f\x7f-\xa0\xad\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]"
FORMULA = re.compile(rf"{BLANK}*[=+\-@\t\r\n＝＋－＠]")
# a word joiner, which nobody sees, keeps a text from becoming a mention, a reference or a link
JOINER = "\u2060"
WWW = re.compile(r"www(?=\.)", re.IGNORECASE)
# every sign that GitHub or Jira reads as markup within a line
MARKDOWN_ESCAPES = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\`*_{}[]<>|~$&^"} | {sign: sign + JOINER for sign in "@#"}
)

encoder = msgspec.json.Encoder()


class Table(Protocol):
    """A format whose text is made in pieces: the head, any number of times some rows, the tail."""

    def __init__(self, columns: Sequence[Column]) -> None: ...

    def head(self) -> str: ...

    def lines(self, rows: Sequence[RegisterRow]) -> str: ...

    def tail(self) -> str: ...


def cell_text(cell: Cell) -> str:
    if isinstance(cell, datetime.datetime):
        return f"{cell:%Y-%m-%dT%H:%M:%SZ}"
    return cell or ""


class Csv:
    """RFC 4180, after the byte order mark by which Excel knows UTF-8."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def head(self) -> str:
        return "\ufeff" + self._written([[column.title for column in self._columns]])

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        return self._written(
            [[escape_formula(column.value(row)) for column in self._columns] for row in rows]
        )

    def tail(self) -> str:
        return ""

    def _written(self, cells: list[list[str]]) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, "excel").writerows(cells)
        return text.getvalue()


def escape_formula(cell: Cell) -> str:
    """Return what a spreadsheet shows as text: an apostrophe comes before what it may take for a formula."""
    text = cell_text(cell)
    return f"'{text}" if FORMULA.match(text) else text


class Markdown:
    """A table of GitHub Flavored Markdown (section 4.10), which Jira's editor takes too."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def head(self) -> str:
        titles = [escape_markdown(column.title) for column in self._columns]
        return markdown_row(titles) + markdown_row(["---"] * len(titles))

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        return "".join(markdown_row([self._cell(column, row) for column in self._columns]) for row in rows)

    def tail(self) -> str:
        return ""

    def _cell(self, column: Column, row: RegisterRow) -> str:
        value = column.value(row)
        # our own address is the one link of a row
        return row.link if value == row.link else escape_markdown(cell_text(value))


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def escape_markdown(text: str) -> str:
    """Return a text in one line, as Markdown that shows it and does nothing else."""
    marked = " ".join(text.split()).translate(MARKDOWN_ESCAPES).replace("://", f":{JOINER}//")
    return WWW.sub(rf"\g<0>{JOINER}", marked)


class Json:
    """A list of objects whose names are the columns'."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._separator = "\n"

    def head(self) -> str:
        return "["

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        found = []
        for row in rows:
            item = {column.key: column.value(row) for column in self._columns}
            found.append(self._separator + encoder.encode(item).decode())
            self._separator = ",\n"
        return "".join(found)

    def tail(self) -> str:
        return "\n]\n"
