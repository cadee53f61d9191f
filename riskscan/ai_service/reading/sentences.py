"""Blocks of a document into units: the sentences, items and cells that are scored, each with its section."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal, NamedTuple

from .blocks import Block, Place
from .layout import parse_blocks
from .marks import add_number, strip_marks
from .outline import Outline, classify_heading

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


# a longer sentence is cut into pieces of at least MIN_PIECE_CHARS, at the first of CUTS that it has; these
# patterns, and others that few documents need, are compiled when they are used first (each up to 3 ms)
MAX_UNIT_CHARS = 600
MIN_PIECE_CHARS = 80
CUTS = (
    r"(?:[;:]|[.]\))\s(?=(?:and |or |and/or )?\(?[a-zA-Z0-9]{1,4}[.)]\s)",
    r"[;៖]\s|\s[—–]\s",
    r"[:,]\s(?=(?:and|but|or|so|which|who|provided|unless|if|where|when|because|although|while|including)\s)",
    r"[,、，]\s?",
    r"\s",
)
RISK_ID = re.compile(r"^(?:R|RISK|Risk|I)[- ]?\d{1,3}\s*[:.\-–]\s*")
# these end no sentence
LAST_WORD = re.compile(r"\b(e\.g|i\.e|Ph\.D|z\.B|d\.h|\w+)\.$")
ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        "Mr Mrs Ms Dr Prof St No Nos Art Arts Fig Figs Sec Secs Sect Ch Eq Ref Tab App Cl cl para paras "
        "approx vs v cf ca viz Bros Jr Sr Sra Rev Gen Col Capt Hon Messrs Lt Sgt Gov Sen Rep Dept Univ Mt "
        "Ave Blvd pp p vol ed eds resp incl excl min max est tel ext Jan Feb Mar Apr Jun Jul Aug Sept Sep "
        "Oct Nov Dec e.g i.e eg ie Ph.D z.B bzw d.h M Mme al",
    )
)
# these may, before a word that begins a sentence: companies, times, countries, initials
AMBIGUOUS = re.compile(
    r"(?:\b(?:Inc|Ltd|Co|Corp|LLC|Pty|Pte|Plc|plc|a\.m|p\.m|U\.S|U\.K|U\.N|E\.U|D\.C|S\.A|N\.V|B\.V)|\b[A-Z])\.$"
)
STARTERS = frozenset(
    re.findall(
        r"\w+",
        "The This That These Those It We They He She You If When While There In On At For All Each Any No "
        "Our Its Their But And However Please As After Before Because Until Unless Under With Without "
        "Neither Nobody Some Every Both",
    )
)
# a number or letter in front of the text that it counts
ENUMERATOR = re.compile(r"\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[ivxIVX]{1,5})\.$")
# a clause without a line of its own, as in "… late. 4.2 The Supplier shall …"
OWN_NUMBER = re.compile(r"(\d{1,3}(?:\.\d{1,3})*)(?:\.|(?<=\.\d)|(?<=\.\d\d))\s+(?=[\"“]?[A-Z])")
LIST_LETTER = re.compile(r"(?:[a-z]|[ivx]{2,4})[.)]\s")
SENTENCE_GAP = re.compile(
    r"[.!?…؟۔។៕।॥。！？](?:"
    r"(?<=[.!?…؟۔])(?:\[\d{1,3}\]){0,3}[\"'”’)\]»]{0,4}\s+(?=[^a-zß-öø-ÿ]|[a-z]{1,3}[A-Z]|[a-z]{1,4}[.)]\s)"
    # without a space, as in "late.The"
    r"|(?<=[a-zA-Z)][.!?])(?=(?:The|This|These|It|We|If|In|They|He|She|There|Each|All|A|An|No)\s)"
    r"|(?<=[។៕])(?!ល។)\s*|(?<=[।॥])\s*|(?<=[。！？])[」』”’）]{0,3}\s*)"
)
OPENING_MARKS = "\"'“‘«„(["
# scripts without spaces between words
UNSPACED = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
# characters that nobody sees; in these scripts they separate words
ZERO_WIDTH = "\u200b\u2060\ufeff"
SEPARATED_LETTER = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
ZERO_WIDTH_ELSEWHERE = rf"(?<!{SEPARATED_LETTER})[{ZERO_WIDTH}]+(?!{SEPARATED_LETTER})"
WORD = re.compile(r"[^\W\d_]{2,}")


class NumberedUnit(NamedTuple):
    """A unit with its position in the document and the text of the one before."""

    position: int
    unit: Unit
    before: str


def number_units(units: Iterable[Unit], first: int = 0, before: str = "") -> Iterator[NumberedUnit]:
    """Number the units; `first` is the position of the first, `before` the text of the one before it."""
    for position, unit in enumerate(units, first):
        yield NumberedUnit(position, unit, before)
        before = unit.text


def split_into_units(blocks: Iterable[Block]) -> Iterator[Unit]:
    """Return the units of the blocks, each with its place; no unit crosses a block."""
    outline = Outline()
    clause = ""
    for number, block in enumerate(_name_cells(parse_blocks(blocks)), 1):
        if block.kind == "heading":
            clause = block.place.number
            outline.enter(block.texts[0], block.level, clause)
            continue
        clause = add_number(clause, block.place.number)
        place = block.place._replace(headings=outline.headings + block.place.headings, number=clause)
        if block.kind == "row":
            yield from _split_row(block, outline.section, place)
        else:
            outline.enter_text(block.kind == "item")
            kind: Kind = "item" if block.kind == "item" else "sentence"
            place = place._replace(paragraph=number)
            yield from _to_units(RISK_ID.sub("", block.texts[0]), kind, outline.section, place)


def _name_cells(blocks: Iterable[Block]) -> Iterator[Block]:
    """Give the rows of tables the names of their columns."""
    for is_row, group in groupby(blocks, lambda block: block.kind == "row"):
        if is_row:
            from .tables import name_cells  # 4 ms, and most documents have no table

            yield from name_cells(group)
        else:
            yield from group


def _split_row(row: Block, section: str, place: Place) -> Iterator[Unit]:
    from .columns import read_cells

    for title in row.place.headings:
        section = classify_heading(title) or section
    is_alone = sum(map(bool, row.texts)) == 1
    for cell, cell_section in read_cells(row.names, row.texts, section):
        # a register may name a risk in one word; alone in its row it names a group
        if cell_section == "risks" and not is_alone and len(cell) >= 4 and cell.isalpha():
            yield Unit(cell, "cell", cell_section, place)
            continue
        for line in cell.splitlines():
            yield from _to_units(RISK_ID.sub("", strip_marks(line)), "cell", cell_section, place)


def _to_units(text: str, kind: Kind, section: str, place: Place) -> Iterator[Unit]:
    for sentence in split_sentences(text):
        if own := OWN_NUMBER.match(sentence):
            place = place._replace(number=own[1])
        if _is_scorable(sentence):
            yield Unit(sentence, kind, section, place)


def split_sentences(text: str) -> Iterator[str]:
    """Split a paragraph into sentences, with whitespace collapsed."""
    if not text.isascii():
        if any(map(text.__contains__, ZERO_WIDTH)):
            text = re.sub(ZERO_WIDTH_ELSEWHERE, "", text)
        text = text.replace("\xad", "")
    text = " ".join(text.split())
    start = 0
    for gap in SENTENCE_GAP.finditer(text):
        if not _is_sentence_end(text, start, gap):
            continue
        yield from _split_long_sentence(text[start : gap.end()].strip())
        start = gap.end()
    yield from _split_long_sentence(text[start:].strip())


def _is_sentence_end(text: str, start: int, gap: re.Match[str]) -> bool:
    """Return whether the sentence from `start` ends at the gap, and not an abbreviation or a number."""
    stop = gap.start() + 1
    before = text[max(start, stop - 12) : stop]
    after = text[gap.end() : gap.end() + 20].lstrip(OPENING_MARKS)
    if not after or not before.endswith("."):
        return not after[:1].islower() or before[-1] not in ".…"
    word = LAST_WORD.search(before)
    if (word and word[1] in ABBREVIATIONS) or (before.endswith(" no.") and after[0].isdigit()):
        return False
    if AMBIGUOUS.search(before) and not (
        before[-3:-2] not in ("", " ") and after.split(maxsplit=1)[0] in STARTERS
    ):
        return False
    if stop - start == len(before) and ENUMERATOR.fullmatch(before.lstrip()):
        return False
    # of words in lower case, names such as iPhone and the letters of a list begin a sentence
    return not after[0].islower() or any(map(str.isupper, after[1:4])) or bool(LIST_LETTER.match(after))


def _split_long_sentence(sentence: str) -> Iterator[str]:
    """Cut a sentence of more than MAX_UNIT_CHARS where a clause ends."""
    start = 0
    while len(sentence) - start > MAX_UNIT_CHARS:
        first = start + MIN_PIECE_CHARS
        last = min(start + MAX_UNIT_CHARS, len(sentence) - MIN_PIECE_CHARS)
        cuts = (list(re.compile(cut).finditer(sentence, first, last)) for cut in CUTS)
        found = next((matches[-1].end() for matches in cuts if matches), start + MAX_UNIT_CHARS)
        yield sentence[start:found].strip()
        start = found
    if rest := sentence[start:].strip():
        yield rest


def _is_scorable(sentence: str) -> bool:
    first = WORD.search(sentence)
    if len(sentence) >= 8 and first and WORD.search(sentence, first.end()):
        return True
    return len(sentence) >= 6 and not sentence.isascii() and re.search(UNSPACED, sentence) is not None
