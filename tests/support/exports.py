"""Render rows as files, and read exported files back with other libraries."""

from __future__ import annotations

import csv
import datetime
import html
import io
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cmarkgfm
import msgspec
import openpyxl

from riskscan.export.columns import LAYOUTS, REASON_NAMES, STATE_NAMES
from riskscan.export.text import FORMATS
from riskscan.export.xlsx import Workbook
from riskscan.schemas import RegisterRow

SCAN_TITLES = ["Ref", "Scan date", "File", "Risk", "Category", "Context", "Source", "Link"]
RATING_TITLES = ["Owner", "Likelihood", "Impact", "Response", "Due"]
TITLES = [*SCAN_TITLES, "Place", "State", "Reason", "Comment", *RATING_TITLES, "Reviewed at"]
REGISTER = [*SCAN_TITLES, *RATING_TITLES, "Place", "State", "Reason", "Comment", "Reviewed at"]
OPEN = ["", "open", *[""] * 8]  # of a finding without a review, after the columns of its scan
KHMER = "ថវិកាមិនគ្រប់គ្រាន់\u200bសម្រាប់ដំណាក់កាលទីពីរ"
ROW = RegisterRow(
    ref="R-1",
    scan_date=datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC),
    file=None,
    risk="risk",
    category="category",
    context="context",
    source="model",
    link="http://x/scans/1",
    state="open",
)


def label_states(kind: str, rows: list[list[str]]) -> list[list[str]]:
    """Return rows with the words that files for people have for the values of a review."""
    if kind not in ("xlsx", "md"):
        return rows
    names: dict[str, str] = {**STATE_NAMES, **REASON_NAMES}
    return [[names.get(cell, cell) for cell in row] for row in rows]


def make_row(text: str | None = None, **fields: Any) -> RegisterRow:
    """Return a row; `text` is its risk, category and context, if it is given."""
    texts = {} if text is None else {"risk": text, "category": text, "context": text}
    return msgspec.structs.replace(ROW, **{**texts, **fields})


def render(kind: str, rows: Sequence[RegisterRow], layout: str = "") -> bytes:
    """Return rows as a file of a format, written in two batches."""
    columns, table = LAYOUTS[layout].columns, FORMATS[kind].table
    if table is not None:
        writer = table(columns)
        return (writer.head() + writer.lines(rows[:1]) + writer.lines(rows[1:]) + writer.tail()).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.xlsx"
        book = Workbook(path, columns)
        book.write(rows[:1])
        book.write(rows[1:])
        book.close()
        return path.read_bytes()


def csv_rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), "excel", strict=True))


def load_sheet(body: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(body)).active


def xlsx_rows(body: bytes) -> list[list[str]]:
    def shown(value: Any) -> str:
        if isinstance(value, datetime.datetime):
            is_date = value.time() == datetime.time()
            return f"{value:%Y-%m-%d}" if is_date else f"{value:%Y-%m-%dT%H:%M:%SZ}"
        return value or ""

    return [[shown(value) for value in row] for row in load_sheet(body).iter_rows(values_only=True)]


def md_rows(body: bytes) -> list[list[str]]:
    """Return the rows of a table as parsed by GitHub's Markdown parser."""
    page = cmarkgfm.github_flavored_markdown_to_html(body.decode())
    return [
        [
            html.unescape(re.sub("<[^>]*>", "", cell)).replace("\u2060", "")
            for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in re.findall("<tr>(.*?)</tr>", page, re.DOTALL)
    ]


def json_rows(body: bytes) -> list[list[str]]:
    items = json.loads(body)
    titles = list(items[0]) if items else []
    assert all(list(item) == titles for item in items)
    return [titles, *([str(value) if value else "" for value in item.values()] for item in items)]


READERS: dict[str, Callable[[bytes], list[list[str]]]] = {
    "csv": csv_rows,
    "xlsx": xlsx_rows,
    "md": md_rows,
    "json": json_rows,
}


def read_rows(kind: str, body: bytes) -> list[list[str]]:
    """Return the cells of an exported file, the titles first."""
    assert kind in READERS, f"write a function that reads {kind} files back, and add it to READERS"
    return READERS[kind](body)
