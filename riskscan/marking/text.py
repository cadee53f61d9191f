"""The text of a document as an HTML page with its findings marked.

Text, Markdown and CSV are shown as they are; of other formats, what their readers extract.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..ai_service.reading.blocks import Block
from ..ai_service.reading.documents import read_blocks
from ..ai_service.reading.encodings import decode
from .placing import PARAGRAPH_END, Mark, MarkPlaces, Piece, place_marks, split_at_cuts

# shown character by character
SOURCES = (".txt", ".md", ".csv")
# in Markdown: targets of links, tags and comments; bounded, so that nothing is read twice
NOT_SHOWN = re.compile(
    r"\]\((?:[^()\s]|\([^()\s]{0,200}\)){0,2000}(?: \"[^\"\n]{0,200}\")?\)|</?[a-zA-Z][^<>\n]{0,500}>"
)
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.55 system-ui,sans-serif;max-width:50rem;margin:0 auto;padding:1rem}"
    "body{overflow-wrap:anywhere}pre{font:inherit;white-space:pre-wrap;margin:0}"
    "table{border-collapse:collapse}td{border:1px solid #8888;padding:.25rem .5rem;vertical-align:top}"
    "mark{background:#ffe58a;color:#1a1a1a}mark a{color:#5b2c00}"
    "li:target,mark:target{outline:2px solid}li{margin:.4rem 0;white-space:pre-line}hr{margin:1.5rem 0}"
)
# in a page that is saved too, nothing is loaded and nothing runs
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)


class Passage(NamedTuple):
    """A passage of the page: the tag of its element, and the passages of the text that are its cells."""

    tag: str
    cells: list[Piece]


def mark_text(filename: str, data: bytes, marks: Sequence[Mark]) -> tuple[bytes, list[int]]:
    """Return the page, and the numbers of the findings that are marked in it.

    Raises ServiceError for a document that cannot be read.
    """
    name = filename.lower()
    if not name or name.endswith(SOURCES):
        text = decode(data) if name else data.decode("utf-8", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        passages = [Passage("pre", [Piece(0, len(text))])]
        places = _place_in_markdown(text, marks) if name.endswith(".md") else place_marks(text, marks)
    else:
        text, passages = _lay_out(list(read_blocks(filename, data, [])))
        headings = {passage.cells[0].start for passage in passages if passage.tag.startswith("h")}
        places = place_marks(text, marks, is_heading=headings.__contains__)
    page = "".join(_render(filename, text, passages, marks, places))
    return page.encode("utf-8", "replace"), [
        mark.number for mark, pieces in zip(marks, places, strict=True) if pieces
    ]


def _place_in_markdown(text: str, marks: Sequence[Mark]) -> MarkPlaces:
    # blanks in their place, so that positions stay
    shown = NOT_SHOWN.sub(lambda match: " " * len(match[0]), text)
    return place_marks(shown, marks, is_heading=lambda index: text[text.rfind("\n", 0, index) + 1] == "#")


def _lay_out(blocks: Sequence[Block]) -> tuple[str, list[Passage]]:
    """Return the text of the blocks and of their cells, each with its end, and its passages."""
    parts: list[str] = []
    passages: list[Passage] = []
    size = 0
    for block in blocks:
        cells = []
        for cell in block.texts:
            parts.append(cell + PARAGRAPH_END)
            cells.append(Piece(size, size + len(cell)))
            size += len(cell) + 1
        tag = {"heading": f"h{min(6, block.level + 1)}", "row": "tr", "item": "li"}.get(block.kind, "pre")
        passages.append(Passage(tag, cells))
    return "".join(parts), passages


def _render(
    filename: str, text: str, passages: Sequence[Passage], marks: Sequence[Mark], places: MarkPlaces
) -> Iterator[str]:
    title = html.escape(filename or "Pasted text")
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{title} · marked by RiskScan</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )
    yield f'<header>\n<h1 dir="auto">{title}</h1>\n'
    yield from _render_notes("Findings", marks, places, is_placed=True)
    yield from _render_notes("Not found in the text", marks, places, is_placed=False)
    yield '</header>\n<hr>\n<main dir="auto">\n'
    yield from _render_passages(text, passages, marks, places)
    yield "</main>\n</body>\n</html>\n"


def _render_notes(title: str, marks: Sequence[Mark], places: MarkPlaces, *, is_placed: bool) -> Iterator[str]:
    chosen = [mark for mark, pieces in zip(marks, places, strict=True) if bool(pieces) is is_placed]
    if not chosen:
        return
    yield f"<h2>{title}: {len(chosen)}</h2>\n<ul>\n"
    for mark in chosen:
        note = html.escape(f"{mark.note}\n“{mark.sentence}”")
        number = f'<a href="#mark-{mark.number}">{mark.number}</a>' if is_placed else str(mark.number)
        yield f'<li id="finding-{mark.number}" dir="auto">{number} · {note}</li>\n'
    yield "</ul>\n"


def _render_passages(
    text: str, passages: Sequence[Passage], marks: Sequence[Mark], places: MarkPlaces
) -> Iterator[str]:
    cuts = list(split_at_cuts(len(text), places))
    seen: set[int] = set()
    position = 0
    is_table = False
    for passage in passages:
        if is_table != (passage.tag == "tr"):
            is_table = not is_table
            yield "<table>\n" if is_table else "</table>\n"
        yield f"<{passage.tag}>"
        for cell in passage.cells:
            while position < len(cuts) and cuts[position][0].end <= cell.start:
                position += 1
            inner = "".join(_render_cell(text, cell, cuts, position, marks, seen))
            yield f"<td>{inner}</td>" if is_table else inner
        yield f"</{passage.tag}>\n"
    if is_table:
        yield "</table>\n"


def _render_cell(
    text: str,
    cell: Piece,
    cuts: Sequence[tuple[Piece, list[int]]],
    position: int,
    marks: Sequence[Mark],
    seen: set[int],
) -> Iterator[str]:
    """Yield the HTML of a passage, from the cut at `position` on; `seen` has the marks that have begun."""
    for piece, active in cuts[position:]:
        if piece.start >= cell.end:
            return
        shown = html.escape(text[max(piece.start, cell.start) : min(piece.end, cell.end)])
        if not active:
            yield shown
            continue
        fresh = [marks[index].number for index in active if index not in seen]
        seen.update(active)
        links = ", ".join(f'<a href="#finding-{number}">{number}</a>' for number in fresh)
        anchors = f' id="mark-{fresh[0]}"' if fresh else ""
        others = "".join(f'<span id="mark-{number}"></span>' for number in fresh[1:])
        yield f"<mark{anchors}>{shown}{others}{f'<sup>[{links}]</sup>' if links else ''}</mark>"
