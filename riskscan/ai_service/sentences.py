# ruff: noqa: E501
"""Blocks of a document into units: the sentences, items and cells that are scored, each with its place."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Unit(NamedTuple):
    """A piece of the document's own text and what surrounds it.

    kind is sentence, item or cell; place is what the headings above make of it: risks, calm
    (progress, agenda, roles …), closed (over and done with), or "".
    """

    text: str
    kind: str
    place: str


MAX_UNIT = 600

# what a heading says of the lines below it
RISKS = re.compile(
    r"\b(risks?|concerns?|issues?|problems?|difficult(?:y|ies)|challenges?|block(?:er|ing|ed)s?|threats?|weakness(?:es)?"
    r"|worr(?:y|ies)|red flags?|obstacles?|impediments?|uncertaint(?:y|ies)|exposures?|warnings?|vulnerabilit(?:y|ies)"
    r"|what (?:could|may|might) go wrong|watch ?list|gaps|findings|limitations|known bugs|pain points|open points"
    r"|caveats|attention|non-?conformit(?:y|ies)|deviations|assumptions|dependencies|constraints|unresolved)\b"
    r"|ហានិភ័យ|បញ្ហា|ការព្រួយបារម្ភ|ឧបសគ្គ|ការលំបាក|បញ្ហាប្រឈម|ចំណុចខ្សោយ|ការគំរាមកំហែង",
    re.I,
)
CALM = re.compile(
    r"\b(agenda|attend(?:ees|ance)|present|apologies|glossary|definitions?|interpretation|references|contacts?"
    r"|achieve(?:d|ments?)|accomplish(?:ed|ments)|progress|planned|plan for|next (?:steps|week|month|period)|this week"
    r"|strengths|opportunit(?:y|ies)|went well|highlights|roles|responsibilit(?:y|ies)|mitigations?|mitigated|controls"
    r"|install(?:ation|ing)?|usage|quick ?start|getting started|configuration|license|contributing|table of contents"
    r"|contents|decisions|actions?|abbreviations|acknowledg\w+|distribution|governing law|notices|counterparts"
    r"|background|scope|deliverables|purpose|aims?|objectives?|lessons)\b"
    r"|សមិទ្ធផល|វឌ្ឍនភាព|លទ្ធផល|របៀបវារៈ|និយមន័យ|គោលបំណង|សមាសភាព|វត្តមាន|ផែនការ",
    re.I,
)
CLOSED = re.compile(
    r"\b(closed|done|completed?|resolved|solved|fixed|retired|no longer|finished|archived)\b|បានដោះស្រាយ|បានបិទ|បានបញ្ចប់",
    re.I,
)
# a register's column that names the risk, and columns that are about something else
RISK_COLUMN = re.compile(
    r"\b(risks?|issues?|threats?|concerns?|problems?|descriptions?|events?|findings?|weakness|observations?|comments?"
    r"|remarks?|details?|notes?|consequences?|causes?)\b|ហានិភ័យ|បញ្ហា|ការពិពណ៌នា|បរិយាយ",
    re.I,
)
CALM_COLUMN = re.compile(
    r"\b(mitigations?|responses?|actions?|controls?|owners?|status|state|likelihood|probability|impact|severity|score"
    r"|rating|priority|category|type|id|no|date|due|responsible|contingency plan|treatment|step|milestone|measures?)\b"
    r"|វិធានការ|អ្នកទទួលខុសត្រូវ|ស្ថានភាព|ដំណោះស្រាយ",
    re.I,
)
REGISTER_COLUMN = re.compile(r"\b(risks?|issues?|threats?|concerns?|problems?)\b|ហានិភ័យ", re.I)
STATUS_COLUMN = re.compile(r"\b(status|state)\b|ស្ថានភាព", re.I)
OVER = re.compile(
    r"^\W*(closed|done|completed?|resolved|solved|fixed|retired|expired|mitigated|cancelled|rejected|បានបិទ|បិទ|ចប់|បានដោះស្រាយ)",
    re.I,
)

BULLET = re.compile(r"^[-*+•‣▪◦●○■□–—·➢✓✔→>]\s+|^o\s+(?=[A-Z])|^\[[ xX]\]\s+")
NUMBER = re.compile(
    r"^(?:\(?\d{1,3}[.)](?=\s|[A-Z])|\d{1,3}(?:\.\d{1,3})+\.?(?=\s)|\(?[a-zA-Z]\)|[A-Z]\.(?=\s[A-Z])|\(?[ivxIVX]{1,5}[.)](?=\s)"
    r"|(?:Article|Section|Clause|§|Art\.|ប្រការ|មាត្រា)\s*[\d០-៩]+(?:\.\d+)*[.:)៖]?(?=\s)|[០-៩]{1,3}(?:[.,][០-៩]+)*\s?[.។)៖\-](?=\s))\s*"
)
RULE = re.compile(r"^[\s=\-_*~.|+:]{3,}$")
FENCE = re.compile(r"^(```|~~~)")
ENDS = re.compile(r"[.!?;:។៕៖…][\"'”’)\]]*$")
WORD = re.compile(r"[^\W\d_]")
KHMER = re.compile(r"[\u1780-\u17ff]")

ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Art|Arts|Fig|Figs|Sec|Cl|cl|para|paras|approx|vs|cf|ca|Inc|Ltd|Co|Corp|Bros|Jr|Sr"
    r"|Rev|Gen|Col|Capt|Hon|Messrs|pp|p|vol|ed|eds|resp|incl|excl|min|max|est|tel|ext|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep"
    r"|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|U\.S|U\.K|Ph\.D|z\.B)|\b[A-Z])\.$"
)
BREAK = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-ÖØ-Þ\u1780-\u17b3\u0400-\u042f\u0386-\u03ab])|(?<=[។៕])(?!ល។)\s*|(?<=[。！？])\s*"
)


def units(blocks: Iterable[tuple[str, list[str]]]) -> Iterator[Unit]:
    """Walk through the blocks, keep track of headings and table heads, and cut what is to be scored."""
    places = _Places()
    head: list[str] | None = None
    for kind, texts in _structured(blocks):
        if kind != "row":
            head = None
        if kind == "heading":
            places.enter(texts[0], int(texts[1]))
        elif kind == "row":
            if head is None:
                head = texts
                if not _is_head(texts):
                    yield from _row([], texts, places.now)
            else:
                yield from _row(head if _is_head(head) else [], texts, places.now)
        else:
            places.list_goes_on(kind == "item")
            text = _without_label(texts[0])
            for sentence in split(text):
                if _is_scorable(sentence):
                    yield Unit(sentence, "item" if kind == "item" else "sentence", places.now)


class _Places:
    """The headings that are open, and what they make of the text below them."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []
        self._in_list = False

    def list_goes_on(self, item: bool) -> None:
        # a line of plain text as heading ends with the list that it stands over
        if self._in_list and not item and self._open and self._open[-1][0] == PLAIN:
            self._open.pop()
        self._in_list = item

    def enter(self, heading: str, level: int) -> None:
        self._in_list = False
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, place_of(heading)))

    @property
    def now(self) -> str:
        return next((place for _, place in reversed(self._open) if place), "")


def place_of(heading: str) -> str:
    """Tell what a heading makes of the lines below it."""
    if len(heading) > 80:
        return ""
    if CLOSED.search(heading):
        return "closed"
    if CALM.search(heading):
        return "calm"
    return "risks" if RISKS.search(heading) else ""


PLAIN = 8


# -- tables ----------------------------------------------------------------------------------------


def _is_head(cells: list[str]) -> bool:
    texts = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(texts) > 1
        and all(len(text) <= 40 and not ENDS.search(text) for text in texts)
        and not any(text[0].isdigit() for text in texts)
        and any(RISK_COLUMN.search(text) or CALM_COLUMN.search(text) for text in texts)
    ) or (len(texts) > 1 and all(len(text.split()) <= 2 and text[0].isupper() for text in texts))


def _row(head: list[str], cells: list[str], place: str) -> Iterator[Unit]:
    names = [*head[: len(cells)], *[""] * (len(cells) - len(head))]
    if any(STATUS_COLUMN.search(name) and OVER.search(cell) for name, cell in zip(names, cells, strict=True)):
        return
    register = any(REGISTER_COLUMN.search(name) for name in head)
    for name, cell in zip(names, cells, strict=True):
        risky = RISK_COLUMN.search(name)
        if CALM_COLUMN.search(name) and not risky:
            continue
        here = place or ("risks" if risky and register else "")
        for line in cell.splitlines():
            for sentence in split(BULLET.sub("", line.strip())):
                if _is_scorable(sentence):
                    yield Unit(sentence, "cell", here)


# -- running text ----------------------------------------------------------------------------------


def _structured(blocks: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    for kind, texts in blocks:
        if kind == "text":
            yield from _paragraphs(texts[0])
        elif kind == "item":
            yield "item", [_cut(texts[0])]
        elif kind == "para":
            for line in texts[0].splitlines():
                cut = _cut(line)
                if cut:
                    yield ("para" if cut == line.strip() else "item"), [cut]
        elif kind == "heading":
            yield "heading", texts
        else:
            yield kind, [cell.strip() for cell in texts]


def _cut(line: str) -> str:
    """Take bullets and clause numbers off the front."""
    line = line.strip()
    for _ in range(3):
        shorter = NUMBER.sub("", BULLET.sub("", line, count=1), count=1)
        if not shorter or shorter == line:
            break
        line = shorter
    return line


def _paragraphs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Join wrapped lines into paragraphs and tell headings, items and table rows."""
    # pdfium's mark for a hyphen at a line's end
    text = re.sub(r"(?<=\w)[\ufffe\x02\xad]\r?\n?", "", text)
    lines = [line.strip() for line in text.splitlines()]
    following = _next_lines(lines)
    pending: list[str] = []
    pending_kind = "para"
    fenced = False

    def flush() -> Iterator[tuple[str, list[str]]]:
        nonlocal pending, pending_kind
        if pending:
            yield pending_kind, [" ".join(pending)]
        pending, pending_kind = [], "para"

    for number, line in enumerate(lines):
        if FENCE.match(line):
            fenced = not fenced
            continue
        if fenced:
            continue
        if not line or RULE.match(line):
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
            yield "heading", [_cut(line.lstrip("# ").rstrip("# :*").strip("*_")), str(level)]
            continue
        cut = _cut(line)
        if cut != line:
            yield from flush()
            pending, pending_kind = [cut], "item"
        elif pending and _continues(pending[-1], line):
            pending.append(line)
        else:
            yield from flush()
            pending = [line]
    yield from flush()


def _continues(before: str, line: str) -> bool:
    """Tell whether a line goes on with the one before it, or stands for itself."""
    first = line[0]
    if first.islower() or before.endswith((",", "-", "(", "&")):
        return True
    if KHMER.search(line):
        return not before.endswith(("។", "៕")) and len(before) >= 30
    if len(before) >= 45:
        return True
    return not ENDS.search(before) and before.split()[-1].lower() in (
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


def _next_lines(lines: list[str]) -> list[str]:
    """Return for each line the next one that is not empty."""
    result = [""] * len(lines)
    for number in range(len(lines) - 2, -1, -1):
        result[number] = lines[number + 1] or result[number + 1]
    return result


def _heading_level(lines: list[str], number: int, next_line: str, joined: bool) -> int:
    """Return the level of a heading (1 is the highest), or 0 for a line that is none."""
    line = lines[number]
    if line.startswith("#"):
        return min(len(line) - len(line.lstrip("#")), 6)
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if following and set(following) in ({"="}, {"-"}) and len(following) >= 3:
        return 1 if following[0] == "=" else 2
    bare = _cut(line.strip("*_"))
    words = bare.rstrip(":").split()
    if (
        not words
        or len(words) > 9
        or len(bare) > 80
        or re.search(r"[.!?;។៕,]$", bare)
        or not WORD.search(bare)
    ):
        return 0
    letters = [sign for sign in bare if sign.isalpha()]
    if len(letters) > 3 and all(sign.isupper() for sign in letters):
        return 7
    if BULLET.match(line) or ":" in bare[:-1] or "៖" in bare[:-1]:
        return 0
    if line.startswith("**") and line.rstrip(":").endswith("**"):
        return PLAIN
    if bare.endswith((":", "៖")):
        return PLAIN if len(words) <= 6 else 0
    before = lines[number - 1] if number else ""
    if joined or not next_line or (before and not NUMBER.match(line)):
        return 0
    own = NUMBER.match(line)
    if own:
        # a number of the same kind below makes it a list, one of the next kind a heading
        below = NUMBER.match(next_line)
        levels = (own.group().rstrip(". ").count("."), below.group().rstrip(". ").count(".") if below else -1)
        if len(words) > 7 or levels[0] == levels[1]:
            return 0
        return PLAIN if levels[1] > levels[0] or not following else 0
    if len(words) > 6 or not (bare[0].isupper() or KHMER.match(bare)):
        return 0
    if BULLET.match(next_line) or NUMBER.match(next_line) or "|" in next_line:
        return PLAIN
    # alone between empty lines, above a longer passage
    return PLAIN if not following and (len(next_line) > len(line)) else 0


def _without_label(text: str) -> str:
    return re.sub(r"^(?:R|RISK|Risk|I)[- ]?\d{1,3}\s*[:.\-–]\s*", "", text)


def split(text: str) -> Iterator[str]:
    """Cut a paragraph into sentences, white space collapsed."""
    text = " ".join(text.split())
    start = 0
    for gap in BREAK.finditer(text):
        before = text[max(start, gap.start() - 12) : gap.start()]
        if ABBREVIATION.search(before) or (
            before.endswith(" no.") and text[gap.end() : gap.end() + 1].isdigit()
        ):
            continue
        yield from _shortened(text[start : gap.end()].strip())
        start = gap.end()
    yield from _shortened(text[start:].strip())


def _shortened(sentence: str) -> Iterator[str]:
    start = 0
    while len(sentence) - start > MAX_UNIT:
        least, most = start + 80, start + MAX_UNIT
        cut = max(sentence.rfind(mark, least, most) for mark in ("; ", "៖ ", "— "))
        if cut < 0:
            cut = max(sentence.rfind(mark, least, most) for mark in (", ", " "))
        if cut < 0:
            cut = most - 1
        yield sentence[start : cut + 1].strip()
        start = cut + 1
    if rest := sentence[start:].strip():
        yield rest


def _is_scorable(sentence: str) -> bool:
    if KHMER.search(sentence):
        return len(sentence) >= 6
    return len(sentence) >= 8 and len(re.findall(r"[^\W\d_]{2,}", sentence)) >= 2
