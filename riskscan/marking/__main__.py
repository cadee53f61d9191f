"""The process that marks one document: `python -m riskscan.marking`, started by processes.py.

Standard input: the name and the marks as JSON, and the document, each after its length, as for reader.py.
It writes the marked document to the file `marked` in TMPDIR, and to standard output one line of JSON:
{"suffix", "placed"}, {"detail"} of a refusal, or after a bug {"trace"}.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..ai_service.errors import ServiceError, format_trace
from ..ai_service.reader import exit_with_parent, limit_resources, receive
from ..ai_service.reading.documents import PARSER_ERRORS, detect_type
from ..ai_service.sandbox import enter_sandbox
from ..file_types import PDF, WORD
from .placing import Mark
from .text import mark_text

WORD_SUFFIXES = (".docx", ".docm", ".dotx", ".dotm")


class Marked(NamedTuple):
    """A marked document, the suffix of its name, and the numbers of the findings that are marked in it."""

    content: bytes
    suffix: str
    placed: list[int]


def mark_document(filename: str, data: bytes, marks: Sequence[Mark]) -> Marked:
    """Mark a document by its type; raises ServiceError."""
    kind = detect_type(filename, data) if filename else None
    if kind is WORD:
        from .word import mark_word

        suffix = next((suffix for suffix in WORD_SUFFIXES if filename.lower().endswith(suffix)), ".docx")
        content, placed = mark_word(data, marks)
        return Marked(content, suffix, placed)
    if kind is PDF:
        from .pdf import mark_pdf

        content, placed = mark_pdf(data, marks)
        if placed:
            return Marked(content, ".pdf", placed)
        # the pages are pictures: what OCR reads in them is shown
    content, placed = mark_text(filename, data, marks)
    return Marked(content, ".html", placed)


def respond(head: dict[str, Any], data: bytes) -> str:
    """Mark the document, write it to its file, and return the line to write."""
    try:
        marked = mark_document(head["filename"], data, [Mark(*mark) for mark in head["marks"]])
        Path(os.environ["TMPDIR"], "marked").write_bytes(marked.content)
        return json.dumps({"suffix": marked.suffix, "placed": marked.placed})
    except ServiceError as error:
        return json.dumps({"detail": error.detail})
    except (MemoryError, RecursionError, *PARSER_ERRORS):
        return json.dumps({"detail": "The document is damaged, or needs too much memory to be marked."})
    except Exception as error:
        return json.dumps({"trace": format_trace(error)})


def main() -> None:
    """Mark the document, write the response and exit."""
    limit_resources()
    enter_sandbox()
    head, data = json.loads(receive()), receive()
    exit_with_parent()
    line = respond(head, data).encode() + b"\n"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    os._exit(0)  # the thread may still be reading


if __name__ == "__main__":
    main()
