"""`riskscan export`: the risks of scans as a file."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO

from ..client.api import scan_path
from ..client.login import UsageError
from ..export.columns import LAYOUTS
from ..export.text import FORMATS
from ..scan_command.command import open_output
from ..scan_command.terminal import Terminal
from .scans import open_api, read_id

MEMORY = 1024**2  # of the file, before it is kept on disk


async def export_scans(arguments: argparse.Namespace) -> None:
    """Write the file once it has arrived whole."""
    file_format = choose_format(arguments)
    if file_format == "xlsx" and not arguments.output and sys.stdout.isatty():
        raise UsageError("A workbook cannot be shown in a terminal: add --output FILE.")
    names = ("layout", "state", "category", "q", "source", "from", "to")
    query: dict[str, str | list[str]] = {name: value for name in names if (value := getattr(arguments, name))}
    query["format"] = file_format
    with tempfile.SpooledTemporaryFile(MEMORY) as file:
        async with open_api(arguments) as api:
            scans = [read_id(text, api.server) for text in arguments.scans]
            if len(scans) > 1:
                query["scan"] = scans
            path = f"{scan_path(scans[0])}/export" if len(scans) == 1 else "/api/scans/export"
            await api.download(path, query, file)
        write(file, arguments.output)


def write(file: IO[bytes], name: str | None) -> None:
    """Replace the file of this name by another one, or copy that to standard output."""
    file.seek(0)
    with open_output(name) as output:
        if name or not sys.stdout.isatty():
            shutil.copyfileobj(file, output)
        else:
            Terminal().write(file.read())  # whole: a part may end inside a letter


def choose_format(arguments: argparse.Namespace) -> str:
    """Return the format that is asked for, or that of the file name, or of the layout; or else CSV."""
    extension = Path(arguments.output or "").suffix[1:].lower()
    layout = LAYOUTS[arguments.layout] if arguments.layout else None
    fallback = layout.format if layout else "csv"
    return str(arguments.format or (extension if extension in FORMATS else fallback))
