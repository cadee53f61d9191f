"""An Excel workbook, written row by row to a file: its memory does not grow with its rows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..schemas import RegisterRow
from .columns import Cell, Column
from .text import FORMULA

# what a sheet and a cell hold (Microsoft, Excel specifications and limits)
SHEET_ROWS = 1_048_576
CELL_UNITS = 32_767  # of UTF-16
TRUNCATED = " … [cut here: Excel holds no more in a cell]"
FIRST_DAY = datetime.date(2000, 1, 1)  # that a due date may have


class Workbook:
    """The risks in sheets with a frozen header and filters; a sheet that is full is followed by another.

    The calls block. `close` must be called, also where the file is not wanted any more.
    """

    def __init__(self, path: Path, columns: Sequence[Column], sheet_rows: int = SHEET_ROWS) -> None:
        import xlsxwriter  # here, because only a workbook needs it and it is slow to load

        self._columns = columns
        self._sheet_rows = sheet_rows
        # what has to wait on disk goes beside the file
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        style = {"text_wrap": True, "valign": "top"}
        self._text = self._book.add_format(style)
        # text for ever, though it be edited: Excel's own apostrophe, which is no part of the value
        self._formula = self._book.add_format({**style, "quote_prefix": True})
        self._time = self._book.add_format({**style, "num_format": "yyyy-mm-dd hh:mm:ss"})
        self._date = self._book.add_format({**style, "num_format": "yyyy-mm-dd"})
        self._header = self._book.add_format({**style, "bold": True, "bg_color": "#E4F0F2", "bottom": 1})
        self._add_sheet()

    def write(self, rows: Sequence[RegisterRow]) -> None:
        for row in rows:
            if self._next == self._sheet_rows:
                self._finish_sheet()
                self._add_sheet()
            for number, column in enumerate(self._columns):
                self._write_cell(number, column.value(row))
            self._next += 1

    def close(self) -> None:
        """Put the file together."""
        self._finish_sheet()
        self._book.close()

    def _add_sheet(self) -> None:
        number = len(self._book.worksheets()) + 1
        sheet: Any = self._book.add_worksheet("Risks" if number == 1 else f"Risks {number}")
        self._sheet, self._next = sheet, 1
        sheet.freeze_panes(1, 0)
        for number, column in enumerate(self._columns):
            form = self._date if column.takes_date else self._text
            sheet.set_column(number, number, column.width, form)
            sheet.write_string(0, number, column.title, self._header)

    def _finish_sheet(self) -> None:
        last = max(self._next - 1, 1)
        self._sheet.autofilter(0, 0, last, len(self._columns) - 1)
        for number, column in enumerate(self._columns):
            if column.choices:
                rule: dict[str, Any] = {"validate": "list", "source": list(column.choices)}
            elif column.takes_date:
                rule = {
                    "validate": "date",
                    "criteria": ">=",
                    "value": FIRST_DAY,
                    "error_title": "Due",
                    "error_message": "This takes a date.",
                }
            else:
                continue
            self._sheet.data_validation(1, number, last, number, rule)

    def _write_cell(self, number: int, value: Cell) -> None:
        if isinstance(value, datetime.datetime):
            # Excel knows no time zones: UTC, as everywhere
            self._sheet.write_datetime(self._next, number, value.replace(tzinfo=None), self._time)
        elif value:
            form = self._formula if FORMULA.match(value) else self._text
            self._sheet.write_string(self._next, number, truncate_to_cell(value), form)


def truncate_to_cell(text: str) -> str:
    """Return a text as a cell takes it; where it is too long it is cut, and says so."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > CELL_UNITS // 2 and len(units := text.encode("utf-16-le")) > 2 * CELL_UNITS:
        text = units[: 2 * (CELL_UNITS - len(TRUNCATED))].decode("utf-16-le", "ignore") + TRUNCATED
    # XlsxWriter would take this for XML of its own
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
