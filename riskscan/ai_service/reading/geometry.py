"""The text of a page from the positions of its words: lines, columns and paragraphs.

Words come in the order in which the page draws them, or in which OCR found them; y grows upwards.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from ..khmer import KHMER
from .marks import BULLET, CLAUSE_NUMBER, DASH
from .wrapping import SENTENCE_END

# gaps, in heights of a line: between cells or columns, and at most behind the mark of an item
CELL_GAP = 1.0
MARK_GAP = 4.0
# letters with spaces between them, at least, and the step to the next word, in those from letter to letter
MIN_SPACED = 2
SPACED_GAP = 1.5
# a larger distance than this share of the usual one starts a paragraph
PARAGRAPH_GAP = 1.3
# how often the text has to jump across a gutter before it is one
MIN_ROWS = 3
# a line of prose has so many words on average, a cell of a table fewer
PROSE_WORDS = 3
MAX_CELLS = 30
# lines of columns have so many words, those of cells have fewer
COLUMN_WORDS = 4
# lines that are looked at for columns, many of them often; only a page with a thousand cells has more
MAX_LOOKS = 100_000
MARK = re.compile(r"^(?:[-*+•‣▪◦●○■□–—·➢✓✔→\uf0b7\uf0a7]|o|\(?[\w.]{1,5}[.)]|[\d.]{1,6})$")
# of the width of a column, the room that a Khmer word may need
KHMER_ROOM = 0.15
# as in "Owner: Ana"; of two such lines, the lower one does not continue the upper one
LABEL_WITH_VALUE = re.compile(r"^[A-Z][\w ]{0,24}:\s")
NUMBER_IN_PROSE = re.compile(r"^[\d.()]+\s+[a-z]")


class Word(NamedTuple):
    """A word and its box."""

    text: str
    left: float
    right: float
    bottom: float
    top: float


class Line(NamedTuple):
    """Words beside each other: their number, the width of the first, and their box."""

    text: str
    words: int
    first_width: float
    left: float
    right: float
    bottom: float
    top: float
    height: float


def make_line(words: list[Word]) -> Line:
    """Return the line of the words; its height is the usual one of its words."""
    if len(words) > MIN_SPACED and _is_spaced(words):
        words = _join_letters(words)
    texts, lefts, rights, bottoms, tops = zip(*words, strict=True)
    bottom, top = median(bottoms), median(tops)
    return Line(
        " ".join(texts), len(texts), rights[0] - lefts[0], lefts[0], max(rights), bottom, top,
        max(top - bottom, 0.1),
    )  # fmt: skip


def median(values: Sequence[float]) -> float:
    """Return the middle value, the upper one of two; statistics takes 7 ms to import."""
    return sorted(values)[len(values) // 2]


def find_lines(words: Iterable[Word]) -> list[Line]:
    """Join words into lines; a wide gap ends a line, because it may separate columns or cells."""
    lines: list[Line] = []
    line: list[Word] = []
    last_right = last_bottom = last_top = 0.0
    for word in words:
        _, left, right, bottom, top = word
        height, last_height, gap = top - bottom, last_top - last_bottom, left - last_right
        lower, higher = (last_height, height) if height > last_height else (height, last_height)
        # beside the last word, by half of the height, and near
        overlap = (top if top < last_top else last_top) - (bottom if bottom > last_bottom else last_bottom)
        if (
            not line
            or overlap <= 0.5 * lower
            or gap < -higher
            or (gap >= CELL_GAP * higher and (gap >= MARK_GAP * higher or not _allows_wide_gap(line, word)))
        ):
            if line:
                lines.append(make_line(line))
            line = []
        line.append(word)
        last_right, last_bottom, last_top = right, bottom, top
    return [*lines, make_line(line)] if line else lines


def _allows_wide_gap(line: list[Word], word: Word) -> bool:
    """Return whether the line is the mark of an item, or letters with wide spaces."""
    if len(line) == 1 and MARK.match(line[0].text):
        return True
    return len(word.text) == 1 and len(line) >= MIN_SPACED and _is_spaced(line)


def _is_spaced(words: list[Word]) -> bool:
    return all(len(word.text) == 1 for word in words)


def _join_letters(words: list[Word]) -> list[Word]:
    """Join letters with wide spaces into words, where the gaps are not much wider than usual."""
    usual = median([after.left - before.left for before, after in pairwise(words)])
    joined = [words[0]]
    for before, word in pairwise(words):
        if word.left - before.left < SPACED_GAP * usual:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + word.text, right=word.right)
        else:
            joined.append(word)
    return joined


# -- columns ---------------------------------------------------------------------------------------


def order_lines(lines: list[Line]) -> list[Line]:
    """Put columns that are drawn row by row behind each other, and lines that are drawn upwards in order."""
    steps = [before.bottom - line.bottom for before, line in pairwise(lines) if _overlap(before, line)]
    if 2 * sum(step < 0 for step in steps) > len(steps):
        lines = sorted(lines, key=lambda line: (-line.bottom, line.left))
    result: list[Line] = []
    # how many more words than prose needs the lines before each one have, and the most from each one on:
    # in tables of numbers no line is searched for columns
    surplus = list(accumulate((line.words - PROSE_WORDS for line in lines), initial=0))
    most = list(accumulate(reversed(surplus), max))[::-1]
    start = looks = 0
    while start < len(lines) and looks < MAX_LOOKS:
        end, gutter = _find_gutter(lines, start) if most[start + 1] >= surplus[start] else (start, 0.0)
        looks += end - start
        columns = _split_columns(lines[start:end], gutter) if surplus[end] >= surplus[start] else []
        if len(columns) > 1 and all(map(_is_prose, columns)):
            for column in columns:
                result += column
        else:
            end = start + 1
            result.append(lines[start])
        start = end
    return result + lines[start:]


def _find_gutter(lines: list[Line], start: int) -> tuple[int, float]:
    """Return where the lines from `start` on cease to stand left and right of a gutter, and its left edge.

    The first two lines have to stand beside each other, as more after them; else the end is `start`.
    """
    if start + 1 == len(lines) or not _is_beside(lines[start], lines[start + 1]):
        return start, 0.0
    low, high = lines[start].right, lines[start + 1].left
    gap = CELL_GAP * min(lines[start].height, lines[start + 1].height)
    jumps, end = 1, start + 2
    while end < len(lines):
        before, line = lines[end - 1], lines[end]
        if line.left - low > gap:
            high = min(high, line.left)
            jumps += before.right <= low
        elif high - line.right > gap:
            low = max(low, line.right)
        else:
            break
        end += 1
    return (end, low) if jumps >= MIN_ROWS else (start, 0.0)


def _is_beside(left: Line, right: Line) -> bool:
    """Return whether a line stands right of the other, on about the same height."""
    return right.left - left.right > CELL_GAP * min(left.height, right.height) and (
        abs(left.bottom - right.bottom) < left.height
    )


def _split_columns(lines: list[Line], gutter: float) -> list[list[Line]]:
    """Return the lines of each column, from the left."""
    columns = []
    while lines:
        columns.append([line for line in lines if line.right <= gutter])
        lines = [line for line in lines if line.right > gutter]
        beside = (number for number in range(len(lines) - 1) if _is_beside(*lines[number : number + 2]))
        start = next(beside, len(lines))
        end, gutter = _find_gutter(lines, start) if lines[start:] else (start, 0.0)
        if end < len(lines) or not gutter:
            return [*columns, lines] if lines else columns
    return columns


def _is_prose(lines: list[Line]) -> bool:
    """Return whether the lines are wrapped text rather than the cells of a table."""
    if len(lines) < MIN_ROWS:
        return False
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    full = sum(line.right - left > 0.7 * (right - left) for line in lines)
    words = sum(line.words for line in lines)
    going_on = sum(goes_on(line.text) for line in lines[1:])
    return full * 2 > len(lines) and words >= PROSE_WORDS * len(lines) and going_on * 3 >= len(lines) - 1


def goes_on(text: str) -> bool:
    """Return whether a line starts in the middle of a sentence, as far as its first letter says."""
    return text[0].islower() or bool(KHMER.match(text))


# -- paragraphs ------------------------------------------------------------------------------------


class Paragraph(NamedTuple):
    """Lines that belong together, or the cells of a row; `is_apart` if a gap or a jump is above them."""

    lines: list[Line]
    is_apart: bool
    is_row: bool = False


def find_paragraphs(lines: list[Line]) -> list[Paragraph]:
    """Join lines, in reading order, that were wrapped at the edge of their column; rows stay apart."""
    distance = usual_distance(lines)
    # for each line, whether it stands below the one before it
    below = [False, *(_is_below(before, line, distance) for before, line in pairwise(lines))]
    edges = _right_edges(lines, below)
    rows = _find_rows(lines)
    paragraphs: list[Paragraph] = []
    number = 0
    while number < len(lines):
        line, before = lines[number], lines[number - 1] if number else None
        if end := rows.get(number):
            paragraphs.append(Paragraph(lines[number:end], is_apart=True, is_row=True))
        elif (
            before
            and not paragraphs[-1].is_row
            and _is_wrapped(before, line, edges[number - 1], below[number])
        ):
            paragraphs[-1].lines.append(line)
        else:
            paragraphs.append(Paragraph([line], not below[number]))
        number = end or number + 1
    return paragraphs


def _find_rows(lines: list[Line]) -> dict[int, int]:
    """Return where each row of a table starts and ends, if its cells have one line each.

    A row has a neighbour whose cells start at the same places, and the next line starts below its first cell.
    """
    rows: dict[int, int] = {}
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and _is_beside(lines[end - 1], lines[end]):
            end += 1
        if end - start > 1 and (end == len(lines) or lines[end].left < lines[start].right):
            rows[start] = end
        start = end
    return {
        start: end
        for start, end in rows.items()
        if any(
            _is_aligned(lines[start:end], lines[other : rows[other]]) for other in _neighbours(rows, start)
        )
    }


def _neighbours(rows: dict[int, int], start: int) -> list[int]:
    before = [other for other in range(max(0, start - MAX_CELLS), start) if rows.get(other) == start]
    return before + ([rows[start]] if rows[start] in rows else [])


def _is_aligned(row: list[Line], other: list[Line]) -> bool:
    """Return whether the cells of two rows start below each other, but for two of them at most half."""
    near = sum(any(abs(cell.left - one.left) < one.height for one in other) for cell in row)
    return near > 1 and near * 2 >= len(row)


def usual_distance(lines: list[Line]) -> float:
    """Return the usual distance of lines below each other, in their heights."""
    distances = [
        (before.bottom - line.bottom) / line.height
        for before, line in pairwise(lines)
        if 0.5 * line.height < before.bottom - line.bottom < 4 * line.height and _overlap(before, line)
    ]
    return median(distances) if distances else 1.5


def _overlap(one: Line, other: Line) -> bool:
    return one.left < other.right and other.left < one.right


def _is_below(before: Line, line: Line, distance: float) -> bool:
    """Return whether a line follows at the usual distance, in the same column and size."""
    height = max(before.height, line.height)
    down = before.bottom - line.bottom
    return (
        _overlap(before, line)
        and 0.3 * height < down < PARAGRAPH_GAP * distance * height
        and min(before.height, line.height) > 0.8 * height
    )


def _right_edges(lines: list[Line], below: list[bool]) -> list[float]:
    """Return for each line the right edge of its column: of the lines that follow each other there."""
    edges: list[float] = []
    run: list[Line] = []
    for number, line in enumerate(lines):
        run.append(line)
        if number + 1 == len(lines) or not below[number + 1]:
            edges += [max(other.right for other in run)] * len(run)
            run = []
    return edges


def _is_wrapped(before: Line, line: Line, edge: float, is_below: bool) -> bool:
    """Return whether a line goes on where the line before it, in reading order, had no more room."""
    text, next_text = before.text, line.text
    if DASH.match(next_text) or (LABEL_WITH_VALUE.match(text) and LABEL_WITH_VALUE.match(next_text)):
        return False
    is_item = bool(BULLET.match(next_text) or CLAUSE_NUMBER.match(next_text))
    if is_item and not (NUMBER_IN_PROSE.match(next_text) and not SENTENCE_END.search(text)):
        return False
    if not is_below:
        # the next column, if it goes on with the sentence
        is_higher = line.bottom > before.top and line.left > before.right
        is_wide = min(before.words, line.words) >= COLUMN_WORDS
        return is_higher and is_wide and not SENTENCE_END.search(text) and goes_on(next_text)
    if not SENTENCE_END.search(text) and next_text[0].islower():
        return True
    needed = line.first_width + 0.5 * line.height
    if KHMER.search(next_text):
        # its words have no spaces between them
        needed = min(needed, KHMER_ROOM * (edge - before.left))
    is_full = edge - before.right < needed
    is_indented = abs(line.left - before.left) > 0.8 * line.height and SENTENCE_END.search(text)
    return is_full and not (is_indented and not BULLET.match(text))
