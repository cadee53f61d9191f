"""The output of a scan in each format, for a file or standard output."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from ..ai_service.categories import CATEGORIES
from ..export.columns import LAYOUTS, finding_row, notes_row
from ..export.sarif import Sarif
from ..export.text import FORMATS, Csv, Markdown, Table
from ..export.xlsx import NAME_PREFIX, Workbook
from ..schemas import RegisterRow
from .analysis import Result
from .terminal import TextReport

COLUMNS = LAYOUTS[""].columns
TABLE_HEADS = tuple(table(COLUMNS).head().encode() for table in (Csv, Markdown))
TEXT_RESULT = re.compile(rb"[^\n]*: (1 risk|[0-9,]+ risks|no risks found)\n")


class Output(Protocol):
    """Writes results to a stream; it is incomplete until it is closed.

    `shows_notes` says whether the notes of scans are part of it.
    """

    shows_notes: bool

    def write(self, result: Result) -> None: ...

    def close(self) -> None: ...


class TextOutput:
    """The report for people, document by document."""

    shows_notes = True

    def __init__(self, stream: BinaryIO, report: TextReport) -> None:
        self._stream, self._report = stream, report

    def write(self, result: Result) -> None:
        if result.scan:
            self._stream.write(self._report.render(result).encode())
            self._stream.flush()

    def close(self) -> None:
        self._stream.write(self._report.render_total().encode())


class TableOutput:
    """A table in a text format of the exports."""

    def __init__(self, stream: BinaryIO, file_format: str) -> None:
        make_table = FORMATS[file_format].table
        assert make_table
        self.shows_notes = FORMATS[file_format].notes
        self._stream = stream
        self._table: Table = make_table(COLUMNS)
        self._stream.write(self._table.head().encode())

    def write(self, result: Result) -> None:
        self._stream.write(self._table.lines(make_rows(result, self.shows_notes)).encode())
        self._stream.flush()

    def close(self) -> None:
        self._stream.write(self._table.tail().encode())


class WorkbookOutput:
    """The Excel workbook of the exports, written at the end."""

    shows_notes = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rows: list[RegisterRow] = []

    def write(self, result: Result) -> None:
        self._rows += make_rows(result, with_notes=False)

    def close(self) -> None:
        with tempfile.TemporaryDirectory(prefix="riskscan-") as folder:
            path = Path(folder) / "risks.xlsx"
            book = Workbook(path, COLUMNS)
            book.write(self._rows)
            book.close()
            self._stream.write(path.read_bytes())


class SarifOutput:
    """A SARIF log, written at the end."""

    shows_notes = True

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._log = stream, Sarif(CATEGORIES)

    def write(self, result: Result) -> None:
        path = result.document.path
        if result.scan is None:
            self._log.add_error(path, result.error)
            return
        for note in result.scan.notes:
            self._log.add_note(path, note)
        for finding, line in zip(result.findings, result.lines, strict=True):
            self._log.add_finding(path, finding, line)

    def close(self) -> None:
        self._stream.write(msgspec.json.format(msgspec.json.encode(self._log.build()), indent=2) + b"\n")


def make_rows(result: Result, with_notes: bool) -> Sequence[RegisterRow]:
    """Return the rows of a document as exports have them; without a server there are no links."""
    if result.scan is None:
        return []
    rows = [finding_row(result.scan, finding, result.server) for finding in result.findings]
    if with_notes and result.scan.notes:
        rows.insert(0, notes_row(result.scan, result.server))
    return rows if result.server else [msgspec.structs.replace(row, link="") for row in rows]


def make_output(file_format: str, stream: BinaryIO, report: TextReport) -> Output:
    """Return the output for a format; `report` is that of the format text."""
    if file_format == "text":
        return TextOutput(stream, report)
    if file_format == "xlsx":
        return WorkbookOutput(stream)
    if file_format == "sarif":
        return SarifOutput(stream)
    return TableOutput(stream, file_format)


def is_result(file: Path) -> bool:
    """Return whether a file is empty or what a run has written in a format that is also scanned."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as package:
                return NAME_PREFIX.encode() in package.read("xl/workbook.xml")
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError):  # the last of an encrypted one
        return False
    return not head or head.startswith(TABLE_HEADS) or TEXT_RESULT.match(head) is not None
