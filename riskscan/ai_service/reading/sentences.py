"""Blocks of a document into units: the sentences, items and cells that are scored, each with its section."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ..khmer import KHMER
from .blocks import Block, Place
from .layout import BULLET, parse_blocks
from .outline import Outline
from .tables import name_cells, parse_header, risk_cells

Kind = Literal["sentence", "item", "cell"]


class Unit(NamedTuple):
    """A piece of the document's own text.

    `section` is the kind of section it stands in: risks, neutral (progress, agenda, roles …), closed
    (resolved, completed …), or "" for anything else.
    """

    text: str
    kind: Kind
    section: str
    place: Place = Place()


# a longer sentence is cut into pieces of at least MIN_PIECE_CHARS
MAX_UNIT_CHARS = 600
MIN_PIECE_CHARS = 80
RISK_ID = re.compile(r"^(?:R|RISK|Risk|I)[- ]?\d{1,3}\s*[:.\-–]\s*")
ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Art|Arts|Fig|Figs|Sec|Cl|cl|para|paras|approx|vs|cf|ca|Inc|Ltd|Co|Corp|Bros|Jr|Sr"
    r"|Rev|Gen|Col|Capt|Hon|Messrs|pp|p|vol|ed|eds|resp|incl|excl|min|max|est|tel|ext|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep"
    r"|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|U\.S|U\.K|Ph\.D|z\.B)|\b[A-Z])\.$"
)
SENTENCE_GAP = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-ÖØ-Þ\u1780-\u17b3\u0400-\u042f\u0386-\u03ab])|(?<=[។៕])(?!ល។)\s*|(?<=[。！？])\s*"
)


def split_into_units(blocks: Iterable[Block]) -> Iterator[Unit]:
    """Return the units of the blocks, each with its place; no unit crosses a block."""
    outline = Outline()
    for number, block in enumerate(name_cells(parse_blocks(blocks)), 1):
        if block.kind == "heading":
            outline.enter(block.texts[0], block.level)
            continue
        place = block.place._replace(headings=outline.headings)
        if block.kind == "row":
            yield from _split_row(block, outline.section, place)
        else:
            outline.enter_text(block.kind == "item")
            kind: Kind = "item" if block.kind == "item" else "sentence"
            place = place._replace(paragraph=number)
            yield from _to_units(RISK_ID.sub("", block.texts[0]), kind, outline.section, place)


def _split_row(row: Block, section: str, place: Place) -> Iterator[Unit]:
    for cell, cell_section in risk_cells(parse_header(row.names), row.texts, section):
        for line in cell.splitlines():
            yield from _to_units(BULLET.sub("", line.strip()), "cell", cell_section, place)


def _to_units(text: str, kind: Kind, section: str, place: Place) -> Iterator[Unit]:
    for sentence in split_sentences(text):
        if _is_scorable(sentence):
            yield Unit(sentence, kind, section, place)


def split_sentences(text: str) -> Iterator[str]:
    """Split a paragraph into sentences, with whitespace collapsed."""
    text = " ".join(text.split())
    start = 0
    for gap in SENTENCE_GAP.finditer(text):
        before = text[max(start, gap.start() - 12) : gap.start()]
        if ABBREVIATION.search(before) or (
            before.endswith(" no.") and text[gap.end() : gap.end() + 1].isdigit()
        ):
            continue
        yield from _split_long_sentence(text[start : gap.end()].strip())
        start = gap.end()
    yield from _split_long_sentence(text[start:].strip())


def _split_long_sentence(sentence: str) -> Iterator[str]:
    start = 0
    while len(sentence) - start > MAX_UNIT_CHARS:
        first, last = start + MIN_PIECE_CHARS, start + MAX_UNIT_CHARS
        end = max(sentence.rfind(mark, first, last) for mark in ("; ", "៖ ", "— "))
        if end < 0:
            end = max(sentence.rfind(mark, first, last) for mark in (", ", " "))
        if end < 0:
            end = last - 1
        yield sentence[start : end + 1].strip()
        start = end + 1
    if rest := sentence[start:].strip():
        yield rest


def _is_scorable(sentence: str) -> bool:
    if KHMER.search(sentence):
        return len(sentence) >= 6
    return len(sentence) >= 8 and len(re.findall(r"[^\W\d_]{2,}", sentence)) >= 2
