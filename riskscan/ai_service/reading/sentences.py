# ruff: noqa: E501
"""Blocks of a document into units: the sentences, items and cells that are scored, each with its section."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..khmer import KHMER
from .blocks import Block


class Unit(NamedTuple):
    """A piece of the document's own text.

    kind is sentence, item or cell; section is what the headings above say of it: risks, neutral
    (progress, agenda, roles …), closed (resolved, completed …), or "" for anything else.
    """

    text: str
    kind: str
    section: str


# a longer sentence is cut into pieces of at least MIN_PIECE_CHARS
MAX_UNIT_CHARS = 600
MIN_PIECE_CHARS = 80

# headings, by the kind of section that they open
RISK_HEADING = re.compile(
    r"\b(risks?|concerns?|issues?|problems?|difficult(?:y|ies)|challenges?|block(?:er|ing|ed)s?|threats?|weakness(?:es)?"
    r"|worr(?:y|ies)|red flags?|obstacles?|impediments?|uncertaint(?:y|ies)|exposures?|warnings?|vulnerabilit(?:y|ies)"
    r"|what (?:could|may|might) go wrong|watch ?list|gaps|findings|limitations|known bugs|pain points|open points"
    r"|caveats|attention|non-?conformit(?:y|ies)|deviations|assumptions|dependencies|constraints|unresolved)\b"
    r"|ហានិភ័យ|បញ្ហា|ការព្រួយបារម្ភ|ឧបសគ្គ|ការលំបាក|បញ្ហាប្រឈម|ចំណុចខ្សោយ|ការគំរាមកំហែង",
    re.I,
)
NEUTRAL_HEADING = re.compile(
    r"\b(agenda|attend(?:ees|ance)|present|apologies|glossary|definitions?|interpretation|references|contacts?"
    r"|achieve(?:d|ments?)|accomplish(?:ed|ments)|progress|planned|plan for|next (?:steps|week|month|period)|this week"
    r"|strengths|opportunit(?:y|ies)|went well|highlights|roles|responsibilit(?:y|ies)|mitigations?|mitigated|controls"
    r"|install(?:ation|ing)?|usage|quick ?start|getting started|configuration|license|contributing|table of contents"
    r"|contents|decisions|actions?|abbreviations|acknowledg\w+|distribution|governing law|notices|counterparts"
    r"|background|scope|deliverables|purpose|aims?|objectives?|lessons)\b"
    r"|សមិទ្ធផល|វឌ្ឍនភាព|លទ្ធផល|របៀបវារៈ|និយមន័យ|គោលបំណង|សមាសភាព|វត្តមាន|ផែនការ",
    re.I,
)
CLOSED_HEADING = re.compile(
    r"\b(closed|done|completed?|resolved|solved|fixed|retired|no longer|finished|archived)\b|បានដោះស្រាយ|បានបិទ|បានបញ្ចប់",
    re.I,
)
# column heads of a risk register: the columns that describe the risk, and the others
RISK_COLUMN = re.compile(
    r"\b(risks?|issues?|threats?|concerns?|problems?|descriptions?|events?|findings?|weakness|observations?|comments?"
    r"|remarks?|details?|notes?|consequences?|causes?)\b|ហានិភ័យ|បញ្ហា|ការពិពណ៌នា|បរិយាយ",
    re.I,
)
OTHER_COLUMN = re.compile(
    r"\b(mitigations?|responses?|actions?|controls?|owners?|status|state|likelihood|probability|impact|severity|score"
    r"|rating|priority|category|type|id|no|date|due|responsible|contingency plan|treatment|step|milestone|measures?)\b"
    r"|វិធានការ|អ្នកទទួលខុសត្រូវ|ស្ថានភាព|ដំណោះស្រាយ",
    re.I,
)
REGISTER_COLUMN = re.compile(r"\b(risks?|issues?|threats?|concerns?|problems?)\b|ហានិភ័យ", re.I)
STATUS_COLUMN = re.compile(r"\b(status|state)\b|ស្ថានភាព", re.I)
CLOSED_STATUS = re.compile(
    r"^\W*(closed|done|completed?|resolved|solved|fixed|retired|expired|mitigated|cancelled|rejected|បានបិទ|បិទ|ចប់|បានដោះស្រាយ)",
    re.I,
)

BULLET = re.compile(r"^[-*+•‣▪◦●○■□–—·➢✓✔→>]\s+|^o\s+(?=[A-Z])|^\[[ xX]\]\s+")
CLAUSE_NUMBER = re.compile(
    r"^(?:\(?\d{1,3}[.)](?=\s|[A-Z])|\d{1,3}(?:\.\d{1,3})+\.?(?=\s)|\(?[a-zA-Z]\)|[A-Z]\.(?=\s[A-Z])|\(?[ivxIVX]{1,5}[.)](?=\s)"
    r"|(?:Article|Section|Clause|§|Art\.|ប្រការ|មាត្រា)\s*[\d០-៩]+(?:\.\d+)*[.:)៖]?(?=\s)|[០-៩]{1,3}(?:[.,][០-៩]+)*\s?[.។)៖\-](?=\s))\s*"
)
HORIZONTAL_RULE = re.compile(r"^[\s=\-_*~.|+:]{3,}$")
CODE_FENCE = re.compile(r"^(```|~~~)")
SENTENCE_END = re.compile(r"[.!?;:។៕៖…][\"'”’)\]]*$")
LETTER = re.compile(r"[^\W\d_]")

ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Art|Arts|Fig|Figs|Sec|Cl|cl|para|paras|approx|vs|cf|ca|Inc|Ltd|Co|Corp|Bros|Jr|Sr"
    r"|Rev|Gen|Col|Capt|Hon|Messrs|pp|p|vol|ed|eds|resp|incl|excl|min|max|est|tel|ext|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep"
    r"|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|U\.S|U\.K|Ph\.D|z\.B)|\b[A-Z])\.$"
)
SENTENCE_GAP = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-ÖØ-Þ\u1780-\u17b3\u0400-\u042f\u0386-\u03ab])|(?<=[។៕])(?!ល។)\s*|(?<=[。！？])\s*"
)


def split_into_units(blocks: Iterable[Block]) -> Iterator[Unit]:
    """Return the units of the blocks, tracking headings and the header rows of tables."""
    outline = Outline()
    header: list[str] | None = None
    for kind, texts in _parse_layout(blocks):
        if kind != "row":
            header = None
        if kind == "heading":
            outline.enter(texts[0], int(texts[1]))
        elif kind == "row":
            if header is None:
                header = texts
                if not _is_header_row(texts):
                    yield from _read_row([], texts, outline.section)
            else:
                yield from _read_row(header if _is_header_row(header) else [], texts, outline.section)
        else:
            outline.enter_text(kind == "item")
            for sentence in split_sentences(_strip_label(texts[0])):
                if _is_scorable(sentence):
                    yield Unit(sentence, "item" if kind == "item" else "sentence", outline.section)


class Outline:
    """The headings above the current line, and the kind of section that they make."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []
        self._in_list = False

    def enter(self, heading: str, level: int) -> None:
        """Enter the section of a heading; sections of the same or a lower level end."""
        self._in_list = False
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, classify_heading(heading)))

    def enter_text(self, is_item: bool) -> None:
        """Enter a list item or a paragraph."""
        # a plain line above a list is a heading of this list alone
        if self._in_list and not is_item and self._open and self._open[-1][0] == PLAIN_HEADING:
            self._open.pop()
        self._in_list = is_item

    @property
    def section(self) -> str:
        return next((section for _, section in reversed(self._open) if section), "")


def classify_heading(heading: str) -> str:
    """Return the kind of section that a heading opens, as in Unit.section."""
    if len(heading) > 80:
        return ""
    if CLOSED_HEADING.search(heading):
        return "closed"
    if NEUTRAL_HEADING.search(heading):
        return "neutral"
    return "risks" if RISK_HEADING.search(heading) else ""


# the level of a heading without a mark of its own: below Markdown's six and lines of capitals
PLAIN_HEADING = 8


# -- tables ----------------------------------------------------------------------------------------


def _is_header_row(cells: list[str]) -> bool:
    texts = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(texts) > 1
        and all(len(text) <= 40 and not SENTENCE_END.search(text) for text in texts)
        and not any(text[0].isdigit() for text in texts)
        and any(RISK_COLUMN.search(text) or OTHER_COLUMN.search(text) for text in texts)
    ) or (len(texts) > 1 and all(len(text.split()) <= 2 and text[0].isupper() for text in texts))


def _read_row(header: list[str], cells: list[str], section: str) -> Iterator[Unit]:
    """Return the units of the cells that describe a risk; none if the row's status is closed."""
    names = [*header[: len(cells)], *[""] * (len(cells) - len(header))]
    columns = list(zip(names, cells, strict=True))
    if any(STATUS_COLUMN.search(name) and CLOSED_STATUS.search(cell) for name, cell in columns):
        return
    is_register = any(REGISTER_COLUMN.search(name) for name in header)
    for name, cell in columns:
        is_risk_column = RISK_COLUMN.search(name)
        if OTHER_COLUMN.search(name) and not is_risk_column:
            continue
        cell_section = section or ("risks" if is_risk_column and is_register else "")
        for line in cell.splitlines():
            for sentence in split_sentences(BULLET.sub("", line.strip())):
                if _is_scorable(sentence):
                    yield Unit(sentence, "cell", cell_section)


# -- running text ----------------------------------------------------------------------------------


def _parse_layout(blocks: Iterable[Block]) -> Iterator[tuple[str, list[str]]]:
    """Resolve running text into headings, paragraphs, items and rows."""
    for kind, texts, level in blocks:
        if kind == "text":
            yield from _parse_lines(texts[0])
        elif kind == "item":
            yield "item", [_strip_markers(texts[0])]
        elif kind == "paragraph":
            for line in texts[0].splitlines():
                stripped = _strip_markers(line)
                if stripped:
                    yield ("para" if stripped == line.strip() else "item"), [stripped]
        elif kind == "heading":
            yield "heading", [texts[0], str(level)]
        else:
            yield kind, [cell.strip() for cell in texts]


def _strip_markers(line: str) -> str:
    """Remove bullets and clause numbers from the start of a line."""
    line = line.strip()
    for _ in range(3):
        shorter = CLAUSE_NUMBER.sub("", BULLET.sub("", line, count=1), count=1)
        if not shorter or shorter == line:
            break
        line = shorter
    return line


def _parse_lines(text: str) -> Iterator[tuple[str, list[str]]]:
    """Join wrapped lines into paragraphs and detect headings, items and table rows."""
    # words hyphenated at the end of a line, as PDFium marks them
    text = re.sub(r"(?<=\w)[\ufffe\x02\xad]\r?\n?", "", text)
    lines = [line.strip() for line in text.splitlines()]
    following = _next_nonempty_lines(lines)
    pending: list[str] = []
    pending_kind = "para"
    fenced = False

    def flush() -> Iterator[tuple[str, list[str]]]:
        nonlocal pending, pending_kind
        if pending:
            yield pending_kind, [" ".join(pending)]
        pending, pending_kind = [], "para"

    for number, line in enumerate(lines):
        if CODE_FENCE.match(line):
            fenced = not fenced
            continue
        if fenced:
            continue
        if not line or HORIZONTAL_RULE.match(line):
            yield from flush()
            continue
        if line.count("|") >= 2 or (line.startswith("|") and line.endswith("|")):
            yield from flush()
            yield "row", [cell.strip() for cell in line.strip("|").split("|")]
            continue
        if "\t" in line:
            cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
            if len(cells) > 2:
                yield from flush()
                yield "row", cells
                continue
        level = _heading_level(lines, number, following[number], bool(pending))
        if level:
            yield from flush()
            yield "heading", [_strip_markers(line.lstrip("# ").rstrip("# :*").strip("*_")), str(level)]
            continue
        stripped = _strip_markers(line)
        if stripped != line:
            yield from flush()
            pending, pending_kind = [stripped], "item"
        elif pending and _continues_line(pending[-1], line):
            pending.append(line)
        else:
            yield from flush()
            pending = [line]
    yield from flush()


def _continues_line(before: str, line: str) -> bool:
    """Return whether a line continues the sentence of the line before it."""
    first = line[0]
    if first.islower() or before.endswith((",", "-", "(", "&")):
        return True
    if KHMER.search(line):
        return not before.endswith(("។", "៕")) and len(before) >= 30
    if len(before) >= 45:
        return True
    return not SENTENCE_END.search(before) and before.split()[-1].lower() in (
        "the",
        "a",
        "an",
        "of",
        "to",
        "in",
        "and",
        "or",
        "for",
        "by",
    )


def _next_nonempty_lines(lines: list[str]) -> list[str]:
    """Return for each line the next one that is not empty, or \"\"."""
    result = [""] * len(lines)
    for number in range(len(lines) - 2, -1, -1):
        result[number] = lines[number + 1] or result[number + 1]
    return result


def _heading_level(lines: list[str], number: int, next_line: str, joined: bool) -> int:
    """Return the level of a heading (1 is the highest), or 0 if the line is not a heading."""
    line = lines[number]
    if line.startswith("#"):
        return min(len(line) - len(line.lstrip("#")), 6)
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if following and set(following) in ({"="}, {"-"}) and len(following) >= 3:
        return 1 if following[0] == "=" else 2
    bare = _strip_markers(line.strip("*_"))
    words = bare.rstrip(":").split()
    if (
        not words
        or len(words) > 9
        or len(bare) > 80
        or re.search(r"[.!?;។៕,]$", bare)
        or not LETTER.search(bare)
    ):
        return 0
    letters = [character for character in bare if character.isalpha()]
    if len(letters) > 3 and all(letter.isupper() for letter in letters):
        return 7
    if BULLET.match(line) or ":" in bare[:-1] or "៖" in bare[:-1]:
        return 0
    if line.startswith("**") and line.rstrip(":").endswith("**"):
        return PLAIN_HEADING
    if bare.endswith((":", "៖")):
        return PLAIN_HEADING if len(words) <= 6 else 0
    before = lines[number - 1] if number else ""
    if joined or not next_line or (before and not CLAUSE_NUMBER.match(line)):
        return 0
    own = CLAUSE_NUMBER.match(line)
    if own:
        # a number of the same depth below makes it a list item, a deeper one a heading
        below = CLAUSE_NUMBER.match(next_line)
        levels = (own.group().rstrip(". ").count("."), below.group().rstrip(". ").count(".") if below else -1)
        if len(words) > 7 or levels[0] == levels[1]:
            return 0
        return PLAIN_HEADING if levels[1] > levels[0] or not following else 0
    if len(words) > 6 or not (bare[0].isupper() or KHMER.match(bare)):
        return 0
    if BULLET.match(next_line) or CLAUSE_NUMBER.match(next_line) or "|" in next_line:
        return PLAIN_HEADING
    # alone between empty lines, above a longer passage
    return PLAIN_HEADING if not following and (len(next_line) > len(line)) else 0


def _strip_label(text: str) -> str:
    return re.sub(r"^(?:R|RISK|Risk|I)[- ]?\d{1,3}\s*[:.\-–]\s*", "", text)


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
