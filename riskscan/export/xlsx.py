"""An Excel workbook, written row by row to a file: memory does not grow with the number of rows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..schemas import RegisterRow
from .columns import REVIEW_KEYS, Column
from .text import FORMULA

# Microsoft, Excel specifications and limits
MAX_SHEET_ROWS = 1_048_576
MAX_CELL_UNITS = 32_767  # of UTF-16
TRUNCATED = " … [cut here: Excel holds no more in a cell]"
MIN_DATE = datetime.date(2000, 1, 1)  # of a due date
NAME_PREFIX = "riskscan_"  # of the defined name of a column, by which its head may be translated


class Workbook:
    """Sheets with a frozen header row and filters; after a full sheet comes another.

    The methods block. `close` must be called even if the file is discarded.
    """

    def __init__(self, path: Path, columns: Sequence[Column], sheet_rows: int = MAX_SHEET_ROWS) -> None:
        import xlsxwriter  # slow to import, and only needed here
        from xlsxwriter.utility import xl_rowcol_to_cell

        self._to_cell = xl_rowcol_to_cell

        self._columns = columns
        self._sheet_rows = sheet_rows
        # constant_memory: rows are written to a temporary file beside the workbook
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        style = {"text_wrap": True, "valign": "top"}
        self._text = self._book.add_format(style)
        # Excel's own apostrophe, which is not part of the value: the cell stays text when it is edited
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
                self._write_cell(number, column, row)
            self._next += 1

    def close(self) -> None:
        """Write the file."""
        self._finish_sheet()
        self._book.close()

    def _add_sheet(self) -> None:
        number = len(self._book.worksheets()) + 1
        sheet: Any = self._book.add_worksheet("Risks" if number == 1 else f"Risks {number}")
        self._sheet, self._next = sheet, 1
        sheet.freeze_panes(1, 0)
        for number, column in enumerate(self._columns):
            cell_format = self._date if column.dates_only else self._text
            sheet.set_column(number, number, column.width, cell_format)
            sheet.write_string(0, number, column.title, self._header)
            if column.key in REVIEW_KEYS:
                cell = self._to_cell(0, number, row_abs=True, col_abs=True)
                self._book.define_name(f"'{sheet.name}'!{NAME_PREFIX}{column.key}", f"='{sheet.name}'!{cell}")

    def _finish_sheet(self) -> None:
        last = max(self._next - 1, 1)
        self._sheet.autofilter(0, 0, last, len(self._columns) - 1)
        for number, column in enumerate(self._columns):
            if column.names:
                rule: dict[str, Any] = {"validate": "list", "source": list(column.names.values())}
            elif column.dates_only:
                rule = {
                    "validate": "date",
                    "criteria": ">=",
                    "value": MIN_DATE,
                    "error_title": "Due",
                    "error_message": "Must be a date.",
                }
            else:
                continue
            self._sheet.data_validation(1, number, last, number, rule)

    def _write_cell(self, number: int, column: Column, row: RegisterRow) -> None:
        value = column.label(row)
        if isinstance(value, datetime.datetime):
            # Excel has no time zones: all times are UTC; it would round a fraction of a second up
            time = value.replace(tzinfo=None, microsecond=0)
            self._sheet.write_datetime(self._next, number, time, self._time)
        elif value and column.dates_only and (date := datetime.date.fromisoformat(str(value))) >= MIN_DATE:
            self._sheet.write_datetime(self._next, number, date, self._date)
        elif value:
            text = str(value)
            cell_format = self._formula if FORMULA.match(text) else self._text
            self._sheet.write_string(self._next, number, truncate_to_cell(text), cell_format)


def truncate_to_cell(text: str) -> str:
    """Return a text that fits into a cell; a longer one is cut and ends with a note."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_CELL_UNITS // 2 and len(units := text.encode("utf-16-le")) > 2 * MAX_CELL_UNITS:
        text = units[: 2 * (MAX_CELL_UNITS - len(TRUNCATED))].decode("utf-16-le", "ignore") + TRUNCATED
    # XlsxWriter would read this as its own XML for rich text
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
