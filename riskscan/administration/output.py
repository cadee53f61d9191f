"""Lists as a table for people, or as JSON for programs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec


def print_list(rows: Sequence[msgspec.Struct], output_format: str, hidden: Sequence[str] = ()) -> None:
    """Print rows of one type as JSON, or as a table without the `hidden` columns."""
    if output_format == "json":
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    columns = [name for name in (rows[0].__struct_fields__ if rows else ()) if name not in hidden]
    cells = [[format_cell(getattr(row, name)) for name in columns] for row in rows]
    table = [[name.removesuffix("_at").replace("_", " ").upper() for name in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table if rows else ():
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def format_cell(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value in (None, "") else str(value)
