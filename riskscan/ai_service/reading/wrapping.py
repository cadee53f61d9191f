"""Wrapped lines: which lines of a text are one paragraph."""

import re
from itertools import groupby, pairwise

from ..khmer import KHMER
from .marks import BULLET, CLAUSE_NUMBER, DASH, HORIZONTAL_RULE, split_row

SENTENCE_END = re.compile(r"[.!?;:។៕៖…][\"'”’)\]]*$")
WRAPPED_HYPHEN = re.compile(r"(?<=[^\W\d_])-\ (?=[^\W\d_])")
# a line that ends with one of these continues on the next line
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the a an of to in and or for by with from that which is are was be on at as not",
    )
)
# as in "Owner: Ana", which starts a line of its own
LABEL = re.compile(r"[A-Z][\w'/-]{0,20}(?: [\w'/&-]{1,20}){0,2}:(?:\s|$)")
# lines are not wrapped at less than this many characters
MIN_WRAP_WIDTH = 34
MAX_WRAP_WIDTH = 130
# a line of this length that ends no sentence goes on, even where it is shorter than its neighbours
MIN_UNFINISHED = 45
# letters have different widths: a line with this share of the longest is full
FULL_LINE = 0.85
# a number below one of these words is no number of an item
NUMBERED_REFERENCE = frozenset(
    re.findall(r"\w+", "in of to with by from per under see the Section Article Clause")
)


def is_continuation(before: str, line: str, width: int) -> bool:
    """Return whether a line is more of the paragraph above it, and neither an item, a row nor a heading."""
    if BULLET.match(line) or HORIZONTAL_RULE.match(line) or split_row(line):
        return False
    if DASH.match(line) and DASH.match(before):
        return False
    if CLAUSE_NUMBER.match(line) and not _is_number_in_sentence(before, line, width):
        return False
    is_heading = line.startswith("**") or (SENTENCE_END.search(before) and is_upper(line))
    return not is_heading and continues(before, line, width)


def _is_number_in_sentence(before: str, line: str, width: int) -> bool:
    """Return whether the number at the start of a line is not an item's, as "(10)" below "within ten"."""
    last = before.rsplit(maxsplit=1)[-1]
    if last in NUMBERED_REFERENCE:
        return True
    is_open = last not in ("and", "or") and not before.endswith(",") and not SENTENCE_END.search(before)
    return is_open and line[0] == "(" and width >= MIN_WRAP_WIDTH and _is_full(before, line, width)


def continues(before: str, line: str, width: int) -> bool:
    """Return whether a line continues the sentence of the line before it, in text wrapped at this width."""
    if not before:
        return False
    if (
        line[:1].islower()
        or (line[0] == "(" and line[1:2].islower())
        or before.endswith((",", "-", "(", "&"))
    ):
        return True
    if KHMER.search(line):
        return not before.endswith(("។", "៕")) and len(before) >= 30
    if not SENTENCE_END.search(before):
        if len(before) >= MIN_UNFINISHED and width <= MAX_WRAP_WIDTH:
            return not LABEL.match(line)
        if before.rsplit(maxsplit=1)[-1].lower() in FUNCTION_WORDS:
            return True
    return width >= MIN_WRAP_WIDTH and _is_full(before, line, width) and not LABEL.match(line)


def _is_full(before: str, line: str, width: int) -> bool:
    """Return whether the first word of a line had no room on the line before it."""
    return len(before) + 1 + len(line.split(maxsplit=1)[0]) > FULL_LINE * width


def goes_on(before: str, next_text: str) -> bool:
    """Return whether a sentence goes on below empty lines, such as those of a page break."""
    return (
        len(before) >= MIN_UNFINISHED
        and (next_text[:1].islower() or before.endswith((" the", " of", " a", " an")))
        and not SENTENCE_END.search(before)
        and not (BULLET.match(next_text) or CLAUSE_NUMBER.match(next_text))
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
