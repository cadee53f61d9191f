"""The file formats of exports, and those that are text: CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from ..schemas import RegisterRow
from .columns import Cell, Column

# a text that a spreadsheet may read as a formula, spaces and invisible characters before it included
# (OWASP, CSV Injection; East Asian Excel also reads the full-width signs)
BLANK = r"[\s\x00-\x1f\x7f-\xa0\xad\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]"
FORMULA = re.compile(rf"{BLANK}*[=+\-@\t\r\n＝＋－＠]")
APOSTROPHES_BEFORE_FORMULA = re.compile(f"'*{FORMULA.pattern}")
# an invisible word joiner, so that a text does not become a mention, a reference or a link
JOINER = "\u2060"
WWW = re.compile(r"www(?=\.)", re.IGNORECASE)
# every character that GitHub or Jira reads as inline markup
MARKDOWN_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]<>|~$&^"}
    | {character: character + JOINER for character in "@#"}
)

encoder = msgspec.json.Encoder()


class Table(Protocol):
    """A file in a text format, written in pieces: the head, rows in any number of batches, the tail."""

    def __init__(self, columns: Sequence[Column]) -> None: ...

    def head(self) -> str: ...

    def lines(self, rows: Sequence[RegisterRow]) -> str: ...

    def tail(self) -> str: ...


def cell_text(cell: Cell) -> str:
    if isinstance(cell, datetime.datetime):
        return f"{cell:%Y-%m-%dT%H:%M:%SZ}"
    return "" if cell is None else str(cell)


class Csv:
    """RFC 4180, after a byte order mark by which Excel recognises UTF-8."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def head(self) -> str:
        return "\ufeff" + self._format([[column.title for column in self._columns]])

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        return self._format([[escape_formula(column.value(row)) for column in self._columns] for row in rows])

    def tail(self) -> str:
        return ""

    def _format(self, cells: list[list[str]]) -> str:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, "excel").writerows(cells)
        return buffer.getvalue()


def escape_formula(cell: Cell) -> str:
    """Return the text of a cell, after an apostrophe if a spreadsheet may read it as a formula.

    One that begins with apostrophes before a formula gets another, so that `unescape_formula` is the inverse.
    """
    text = cell_text(cell)
    return f"'{text}" if APOSTROPHES_BEFORE_FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    return text[1:] if text.startswith("'") and APOSTROPHES_BEFORE_FORMULA.match(text) else text


class Markdown:
    """A table in GitHub Flavored Markdown (section 4.10), which Jira's editor also reads."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def head(self) -> str:
        titles = [escape_markdown(column.title) for column in self._columns]
        return markdown_row(titles) + markdown_row(["---"] * len(titles))

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        return "".join(
            markdown_row([self._cell(column, line) for column in self._columns])
            for row in rows
            for line in ([row] if not row.notes else note_rows(row))
        )

    def tail(self) -> str:
        return ""

    def _cell(self, column: Column, row: RegisterRow) -> str:
        value = column.label(row)
        # only the link to the scan's page stays a link
        return row.link if value == row.link else escape_markdown(cell_text(value))


def note_rows(row: RegisterRow) -> list[RegisterRow]:
    """Return a row for each note of a scan."""
    return [msgspec.structs.replace(row, risk="Note", context=note) for note in row.notes]


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def escape_markdown(text: str) -> str:
    """Return a text as one line of Markdown without any markup."""
    escaped = " ".join(text.split()).translate(MARKDOWN_ESCAPES).replace("://", f":{JOINER}//")
    return WWW.sub(rf"\g<0>{JOINER}", escaped)


class Json:
    """A list of objects with a field for each column."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._separator = "\n"

    def head(self) -> str:
        return "["

    def lines(self, rows: Sequence[RegisterRow]) -> str:
        items = []
        for row in rows:
            item: dict[str, Any] = {column.key: column.value(row) for column in self._columns}
            if row.notes:
                item["notes"] = row.notes
            items.append(self._separator + encoder.encode(item).decode())
            self._separator = ",\n"
        return "".join(items)

    def tail(self) -> str:
        return "\n]\n"


class FileFormat(NamedTuple):
    """A file format; `label` is its entry in the export menu, `table` is None for a workbook (xlsx.py).

    `notes` says whether it has rows for the notes of scans.
    """

    media_type: str
    label: str
    table: Callable[[Sequence[Column]], Table] | None
    notes: bool = False


FORMATS = {
    "csv": FileFormat("text/csv; charset=utf-8", "CSV", Csv),
    "xlsx": FileFormat("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel", None),
    "md": FileFormat("text/markdown; charset=utf-8", "Markdown (GitHub, Jira)", Markdown, notes=True),
    "json": FileFormat("application/json; charset=utf-8", "JSON", Json, notes=True),
}
