"""What people see in a terminal: the findings, the progress, and what went wrong."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import textwrap
from typing import Any, TextIO

from ..export.columns import REASON_NAMES, STATE_NAMES
from ..schemas import CONTROL, Finding
from .analysis import Result

BOLD, DIM, YELLOW, RESET = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"
CLEAR_LINE = "\r\x1b[K"
MAX_WIDTH = 100
# a document must not move the cursor, change the title of the window or the direction of text
UNPRINTABLE = re.compile(f"[{CONTROL}]")
UNPRINTABLE_IN_LINES = re.compile(f"(?![\\n\\r\\t])[{CONTROL}]")


def to_printable(text: str) -> str:
    """Return a text in one line, without the characters that control a terminal."""
    return UNPRINTABLE.sub("\ufffd", " ".join(text.split())).encode("utf-8", "replace").decode()


def to_printable_lines(data: bytes) -> bytes:
    """Return lines in UTF-8 without the characters that control a terminal."""
    return UNPRINTABLE_IN_LINES.sub("\ufffd", data.decode("utf-8", "replace")).encode()


class Terminal(io.RawIOBase):
    """Standard output where people see it: lines lose what controls a terminal."""

    def write(self, data: Any, /) -> int:
        sys.stdout.buffer.write(to_printable_lines(data))
        return len(data)

    def flush(self) -> None:
        sys.stdout.buffer.flush()


def uses_colours(stream: TextIO) -> bool:
    """Return whether to colour what is written to a stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """Standard error: a line of progress in a terminal if there are many documents, and complaints."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()
        self._shown = False

    def show_progress(self, done: int, total: int) -> None:
        if self._moves and total > 1 and done < total:
            sys.stderr.write(f"{CLEAR_LINE}{done} of {total} documents scanned")
            sys.stderr.flush()
            self._shown = True

    def clear_progress(self) -> None:
        if self._shown:
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()
            self._shown = False

    def complain(self, name: str, sentence: str) -> None:
        self.clear_progress()
        print(f"riskscan: {to_printable(name)}: {to_printable(sentence)}", file=sys.stderr)


class TextReport:
    """The findings as text for people: wrapped at `width` unless that is 0."""

    def __init__(self, is_coloured: bool, width: int) -> None:
        self._is_coloured, self._width = is_coloured, width
        self._documents = self._risks = 0

    def render(self, result: Result) -> str:
        """Return the text of a document that was read."""
        assert result.scan
        gap = "\n" if self._documents else ""
        self._documents += 1
        self._risks += len(result.findings)
        name = to_printable(result.document.name)
        heading = gap + self.emphasize(f"{name}: {count_risks(len(result.findings))}")
        address = [f"  {result.server}/scans/{result.scan.scan_id}"] if result.server else []
        notes = [self._wrap(f"Note: {to_printable(note)}", "  ") for note in result.scan.notes]
        pairs = zip(result.findings, result.lines, strict=True)
        return "\n".join([heading, *address, *notes, *(self.describe(*pair) for pair in pairs)]) + "\n"

    def render_total(self) -> str:
        """Return the last line, which counts the risks of several documents."""
        if self._documents < 2:
            return ""
        return self.emphasize(f"\n{self._documents} documents: {count_risks(self._risks)}") + "\n"

    def emphasize(self, text: str) -> str:
        return self._style(BOLD, text)

    def describe(self, finding: Finding, line: int | None = None) -> str:
        """Return the text of a finding; one without a number, which is 0, has a dot in its place."""
        title, quote = to_printable(finding.risk), to_printable(finding.context)
        facts = [f"line {line}" if line else "", to_printable(finding.place or ""), describe_review(finding)]
        place = " · ".join(filter(None, facts))
        number = f"{finding.number:>3}. " if finding.number else "  • "
        head = f"{self._style(YELLOW, finding.category)}{self._style(DIM, f' · {place}') if place else ''}"
        # most titles are the beginning of the sentence
        texts = [f"“{quote}”"] if title.strip("…") in quote else [title, f"“{quote}”"]
        return "\n".join([number + head, *(self._wrap(text, " " * len(number)) for text in texts)])

    def _wrap(self, text: str, indent: str) -> str:
        if not self._width:
            return indent + text
        return textwrap.fill(
            text, self._width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )

    def _style(self, style: str, text: str) -> str:
        return f"{style}{text}{RESET}" if self._is_coloured else text


def describe_review(finding: Finding) -> str:
    """Return what was decided of a finding, such as "Dismissed: Not a risk"; nothing while it is open."""
    if finding.review is None:
        return ""
    reason = REASON_NAMES.get(finding.review.reason or "", "")
    return ": ".join(filter(None, [STATE_NAMES[finding.review.state], reason]))


def make_text_report(stream: TextIO | None) -> TextReport:
    """Return the report for a stream, or for a file if that is None."""
    if stream is None or not stream.isatty():
        return TextReport(is_coloured=False, width=0)
    return TextReport(uses_colours(stream), min(shutil.get_terminal_size().columns, MAX_WIDTH))


def count_risks(number: int) -> str:
    return "1 risk" if number == 1 else f"{number:,} risks" if number else "no risks found"
