"""Wrapped lines: which lines of a text are one paragraph."""

import re
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from ..khmer import KHMER
from .marks import (
    BULLET,
    CLAUSE_NUMBER,
    DASH,
    FIRST_MARKS,
    HORIZONTAL_RULE,
    neighbour_marks,
    split_row,
    strip_marks,
)

SENTENCE_END = re.compile(r"[.!?;:។៕៖…][\"'”’)\]]*$")
# a line that ends with one of these continues on the next line
OPEN_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the a an of to in and or for by with from that which is are was be on at as not",
    )
)
# one to three words, as in "Owner: Ana" or "Owner:", which begin a line of their own
SHORT_LABEL = re.compile(r"[A-Z][\w'/-]{0,20}(?: [\w'/&-]{1,20}){0,2}:(?:\s|$)")
# in code, and at the end of a remark such as "[introduced in 2.8]"
NO_PROSE = re.compile(r"[_=<>\\{}|#@]|^--?[a-z]|^[^\[]*\]$")
# lines are not wrapped at less than this many characters
MIN_WRAP_WIDTH = 34
MAX_WRAP_WIDTH = 130
# a line of this length that ends no sentence goes on, even where it is shorter than its neighbours, and so
# does one that ends with one of OPEN_ENDS
MIN_UNFINISHED = 45
OPEN_ENDS = (",", "-", "(", "&")
# letters have different widths: a line with this share of the longest is full
FULL_LINE = 0.85
# a number below one of these words is no number of an item
NUMBERED_REFERENCE = frozenset(
    re.findall(r"\w+", "in of to with by from per under see the Section Article Clause")
)


def is_continuation(before: str, line: str, width: int, is_wrapped: bool = False) -> bool:
    """Return whether a line is more of the paragraph above it, and neither an item, a row nor a heading.

    `is_wrapped` is what find_wrapped() says of the line, `width` what wrap_width() says of its paragraph.
    """
    if HORIZONTAL_RULE.match(line) or split_row(line):
        return False
    if is_wrapped:
        return True
    if BULLET.match(line) or (DASH.match(line) and DASH.match(before)):
        return False
    mark = CLAUSE_NUMBER.match(line)
    if mark and not _is_number_in_sentence(before, line, mark.group().strip(), width):
        return False
    is_heading = line.startswith("**") or (SENTENCE_END.search(before) and is_upper(line))
    return not is_heading and continues(before, line, width)


def _is_number_in_sentence(before: str, line: str, mark: str, width: int) -> bool:
    """Return whether the number at the start of a line is not an item's, as "(10)" below "within ten"."""
    last = before.rsplit(maxsplit=1)[-1]
    if last in NUMBERED_REFERENCE:
        return True
    if width < MIN_WRAP_WIDTH or not _is_full(before, line, width):
        return False
    others = [f" {other} " for other in neighbour_marks(mark)]
    if any(f" {before}".startswith(other) for other in others):
        return False
    # as in "(i) completeness, (ii) qualification"
    if not before.endswith((".", "!", "?")) and any(other in f"{strip_marks(before)} " for other in others):
        return True
    return (
        line[0] == "(" and last not in ("and", "or") and last[-1] != "," and not SENTENCE_END.search(before)
    )


def continues(before: str, line: str, width: int) -> bool:
    """Return whether a line continues the sentence of the line before it, in text wrapped at this width."""
    if not before:
        return False
    if line[:1].islower() or (line[0] == "(" and line[1:2].islower()) or before.endswith(OPEN_ENDS):
        return True
    if KHMER.search(line):
        return not before.endswith(("។", "៕")) and len(before) >= 30
    if not SENTENCE_END.search(before):
        if len(before) >= MIN_UNFINISHED and width <= MAX_WRAP_WIDTH:
            return not SHORT_LABEL.match(line)
        if before.rsplit(maxsplit=1)[-1].lower() in OPEN_WORDS:
            return True
    return width >= MIN_WRAP_WIDTH and _is_full(before, line, width) and not SHORT_LABEL.match(line)


def _is_full(before: str, line: str, width: int) -> bool:
    """Return whether the first word of a line had no room on the line before it."""
    return len(before) + 1 + len(line.split(maxsplit=1)[0]) > FULL_LINE * width


def goes_on_below_gap(paragraph: list[str], next_text: str) -> bool:
    """Return whether a sentence goes on below empty lines, such as those of a page break."""
    before = paragraph[-1]
    around = (*before.split()[-1:], *next_text.split()[:2])
    return (
        max(len(before), sum(map(len, paragraph))) >= MIN_UNFINISHED
        and (next_text[:1].islower() or before.endswith((" the", " of", " a", " an")))
        and not SENTENCE_END.search(before)
        and not (BULLET.match(next_text) or CLAUSE_NUMBER.match(next_text))
        and not any(map(NO_PROSE.search, around))
    )


def join_wrapped_lines(text: str) -> str:
    """Join the lines of a cell that continue the line above them."""
    if "\n" not in text:
        return text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    width = wrap_width(lines)
    joined = lines[:1]
    for before, line in pairwise(lines):
        if is_continuation(before, line, width):
            joined[-1] += " " + line
        else:
            joined.append(line)
    return "\n".join(joined)


def wrap_width(lines: list[str]) -> int:
    """Return the length of the longest of these lines of a paragraph, but for one that stands out."""
    lengths = sorted(map(len, lines))
    if len(lengths) > 2 and lengths[-1] > 1.4 * lengths[-2]:
        return lengths[-2]
    return lengths[-1] if lengths else 0


def wrap_widths(lines: list[str]) -> list[int]:
    """Return for each line the width at which its paragraph is wrapped."""
    widths: list[int] = []
    for is_text, group in groupby(lines, bool):
        paragraph = list(group)
        widths += [wrap_width(paragraph) if is_text else 0] * len(paragraph)
    return widths


def is_upper(text: str) -> bool:
    return text.isupper() and sum(map(str.isalpha, text)) > 3


# -- text that a program wrapped -------------------------------------------------------------------

# of the lines that surely go on with the sentence above them, the share that begin where no room was left
MIN_FILLED = 0.8
# a longer word has no room below many lines
MAX_WORD_CHARS = 20
# how far from the mark of an item the next one is looked for
MAX_LINES_APART = 20
# blanks between the cells of a row
GAP = re.compile(r"[^\s.):*•-][ \xa0]{3,}\S")


def find_wrapped(lines: list[str], ends: list[int]) -> list[bool]:
    """Return for each line whether it begins only because the line above it had no room for its first word.

    `ends` are the columns at which the lines, here without indentation, end in their file. Of a text whose
    lines weren't filled one by one up to the same column nothing is known: all are False.
    """
    sure = [number > 0 and _surely_goes_on(lines[number - 1], line) for number, line in enumerate(lines)]
    text_width = _find_width(lines, ends, sure)
    wrapped = [False] * len(lines)
    start = 0
    for is_text, group in groupby(lines, bool):
        end = start + len(list(group))
        if is_text and end - start > 1:
            width = _find_group_width(lines, ends, sure, start, end, text_width)
            group_lines = lines[start:end]
            full = [
                start < number
                and _reaches(lines[number][:MAX_WORD_CHARS], ends[number - 1], width)
                and not HORIZONTAL_RULE.match(lines[number])
                and not GAP.search(lines[number])
                and not _is_labelled(group_lines, number - start)
                for number in range(start, end)
            ]
            if any(full):
                wrapped[start:end] = [
                    is_full and not _begins_item(group_lines, full, number)
                    for number, is_full in enumerate(full)
                ]
        start = end
    return wrapped


def _is_labelled(lines: list[str], number: int) -> bool:
    """Return whether a line begins with a label, as a neighbour does: "Status: open" above "Owner: Ana"."""
    neighbours = lines[max(0, number - 1) : number] + lines[number + 1 : number + 2]
    return bool(SHORT_LABEL.match(lines[number])) and any(SHORT_LABEL.match(line) for line in neighbours)


def _surely_goes_on(before: str, line: str) -> bool:
    return (
        line[:1].islower()
        and before != ""
        and not SENTENCE_END.search(before)
        and not CLAUSE_NUMBER.match(line)
        and not BULLET.match(line)
    )


def _reaches(line: str, end: int, width: int) -> bool:
    """Return whether the first word of a line, behind a line that ends at `end`, passes the width."""
    return end <= width <= end + len(line.split(maxsplit=1)[0])


def _find_width(lines: list[str], ends: list[int], sure: list[bool]) -> int:
    """Return the width at which most lines that surely go on are wrapped; 0 without such a width."""
    changes = [0] * (MAX_WRAP_WIDTH + 2)
    total = 0
    for number, is_sure in enumerate(sure):
        end = ends[number - 1]
        if is_sure and MIN_WRAP_WIDTH <= end <= MAX_WRAP_WIDTH:
            total += 1
            changes[end] += 1
            changes[min(end + 1 + len(lines[number].split(maxsplit=1)[0]), MAX_WRAP_WIDTH + 1)] -= 1
    if not total:
        return 0
    counts = list(accumulate(changes))
    best = max(counts)
    if best < MIN_FILLED * total:
        return 0
    # the longest line that was wrapped at this width
    return max(end for end in ends if end <= MAX_WRAP_WIDTH and counts[end] == best)


def _find_group_width(
    lines: list[str], ends: list[int], sure: list[bool], start: int, end: int, text_width: int
) -> int:
    """Return the width of the lines of a paragraph: that of the text or, if they say so, their own."""
    own = max((ends[number] for number in range(start, end) if " " in lines[number]), default=0)
    sure_ones = [number for number in range(start, end) if sure[number]]
    for width in (text_width, own if len(sure_ones) > 1 and own <= MAX_WRAP_WIDTH else 0):
        filled = sum(_reaches(lines[number], ends[number - 1], width) for number in sure_ones)
        if width >= own and filled >= MIN_FILLED * len(sure_ones):
            return width
    return 0


class ListMarks(NamedTuple):
    """Where other marks of a list stand: the lines that begin with one, and whether one is inside a line."""

    beginnings: list[int]
    is_inline: bool


def _begins_item(lines: list[str], full: list[bool], number: int) -> bool:
    """Return whether a line of a paragraph whose first word had no room above begins an item all the same.

    It does where another mark of its list begins a line that wasn't wrapped, and not where that one stands
    in a sentence.
    """
    line, before = lines[number], lines[number - 1]
    if bullet := BULLET.match(line):
        others = _find_marks(lines, number, {bullet.group().strip()})
    elif mark := CLAUSE_NUMBER.match(line):
        others = _find_marks(lines, number, neighbour_marks(mark.group().strip()))
    else:
        return False
    if any(other > 0 and not full[other] for other in others.beginnings):
        return True
    is_dash, ends_clause = line[0] in "-–—", SENTENCE_END.search(before) is not None
    if 0 in others.beginnings:
        return is_dash or (not others.is_inline and (ends_clause or before.endswith((",", " and", " or"))))
    if others.is_inline:
        return False
    if bullet:
        return ends_clause or not is_dash or bool(others.beginnings)
    # of a number below a colon, such as "(408)" of a telephone, no list begins
    may_be_first = before[-1] != ":" or line.strip("(")[:1].lower() in FIRST_MARKS
    return ends_clause and (may_be_first or bool(others.beginnings))


def _find_marks(lines: list[str], number: int, marks: set[str]) -> ListMarks:
    """Find the marks in the lines around one, and in it behind its own mark."""
    around = range(max(0, number - MAX_LINES_APART), min(number + MAX_LINES_APART, len(lines)))
    # -1 for a mark that isn't in the line, 0 for one that begins it
    positions = {
        other: {f" {lines[other]} ".find(f" {mark} ", other == number) for mark in marks} for other in around
    }
    return ListMarks(
        [other for other, found in positions.items() if 0 in found],
        any(max(found, default=-1) > 0 for found in positions.values()),
    )
