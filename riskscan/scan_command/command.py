"""The run of `riskscan scan`: from its arguments to its exit status."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ..client.api import ServerError
from ..client.arguments import SCAN_FORMATS
from ..client.login import Login, UsageError, find_login
from .analysis import Result, scan_documents
from .documents import (
    Document,
    ResultFile,
    TooManyDocuments,
    describe_os_error,
    describe_unexpected,
    list_documents,
)
from .output import Output, is_result, make_output
from .remote import scan_on_server
from .terminal import Screen, Terminal, make_text_report, to_printable

NO_RISKS, RISKS, ERROR, INTERRUPTED = 0, 1, 2, 130
FORMATS_BY_EXTENSION = {f".{name}": name for name in SCAN_FORMATS if name != "text"}


class Run:
    """What a run has found so far: the risks that count, and the documents that could not be read."""

    def __init__(self, fail_on: Sequence[str], total: int, output: Output, screen: Screen) -> None:
        self._fail_on, self._total, self._output, self._screen = fail_on, total, output, screen
        self.done = 0
        self.has_errors = self.has_risks = False

    def handle(self, result: Result | None) -> None:
        """Write the result of a document, if it was not left out, and count it."""
        self._screen.clear_progress()
        if result:
            self._write(result)
        self.done += 1
        self._screen.show_progress(self.done, self._total)

    def _write(self, result: Result) -> None:
        self._output.write(result)
        if result.scan is None:
            self.has_errors = True
            self._screen.complain(result.document.name, result.error)
        elif not self._output.shows_notes:
            for note in result.scan.notes:
                self._screen.complain(result.document.name, note)
        categories = {
            finding.category.lower()
            for finding in result.findings
            if not (finding.review and finding.review.state == "dismissed")
        }
        self.has_risks |= bool(
            categories if "any" in self._fail_on else categories.intersection(self._fail_on)
        )


def run(arguments: argparse.Namespace) -> int:
    """Scan what the arguments name and write the result; return the exit status."""
    screen = Screen()
    try:
        if arguments.new and arguments.server is None:
            raise UsageError("--new needs --server.")
        login = find_login(arguments.server, os.environ) if arguments.server is not None else None
        documents = list_documents(arguments.files, screen.complain, find_result(arguments.output))
        return scan(arguments, documents, login, screen)
    except (TooManyDocuments, UsageError, ServerError) as exc:
        print(f"riskscan: {to_printable(str(exc))}", file=sys.stderr)
    except BrokenPipeError:
        raise  # the reader of the output has left
    except OSError as exc:
        screen.complain(arguments.output or "standard output", describe_os_error(exc))
    except KeyboardInterrupt:
        screen.clear_progress()
        return INTERRUPTED
    except Exception as exc:  # Python's own status would be that of risks
        screen.complain("scan", describe_unexpected(exc))
    return ERROR


def scan(
    arguments: argparse.Namespace, documents: Sequence[Document], login: Login | None, screen: Screen
) -> int:
    """Scan the documents and write the result; return the exit status.

    Raises OSError of the output, and ServerError if a server cannot be used at all.
    """
    extension = Path(arguments.output or "").suffix.lower()
    file_format = arguments.format or FORMATS_BY_EXTENSION.get(extension, "text")
    if file_format == "xlsx" and not arguments.output and sys.stdout.isatty():
        screen.complain("xlsx", "A workbook cannot be shown in a terminal: add --output FILE.")
        return ERROR
    failure: ServerError | None = None
    with open_output(arguments.output) as stream:
        report = make_text_report(None if arguments.output else sys.stdout)
        if file_format != "text" and not arguments.output and sys.stdout.isatty():
            stream = cast(BinaryIO, Terminal())
        output = make_output(file_format, stream, report)
        result = Run(arguments.fail_on, len(documents), output, screen)
        try:
            screen.show_progress(0, len(documents))
            if login:
                asyncio.run(scan_on_server(documents, login, result.handle, only_new=arguments.new))
            else:
                asyncio.run(scan_documents(documents, result.handle))
        except ServerError as exc:
            if not result.done:
                raise
            failure = exc  # what the server has scanned until then is written
        finally:
            screen.clear_progress()
        output.close()
    if failure:
        raise failure
    return ERROR if result.has_errors else RISKS if result.has_risks else NO_RISKS


def find_result(name: str | None) -> ResultFile | None:
    """Return the file that the result goes to, None if there is none yet, or no file."""
    try:
        status = os.stat(name) if name else os.fstat(sys.stdout.fileno())
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return ResultFile(status, has_document=name is not None and not is_result(Path(name)))


@contextlib.contextmanager
def open_output(name: str | None) -> Iterator[BinaryIO]:
    """Yield the file of this name, which is replaced at the end, or standard output."""
    file = Path(name or os.devnull).resolve()
    if name and (file.is_file() or not file.exists()):
        with replace_file(file) as stream:
            yield stream
    elif name:  # a device or a pipe
        with file.open("wb") as stream:
            yield stream
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def replace_file(file: Path) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place and the mode of this one unless an exception is raised."""
    temporary = file.with_name(f".riskscan-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as stream:
            yield stream
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(file.stat().st_mode))
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
