"""Grids of tables without upright rules: columns by the white gaps below a head of known names.

A table is only found where all of it is certain; what is not stays text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeVar

from .geometry import MAX_CELLS, Line, Word, goes_on
from .grids import SNAP, Grid, Rule, Table
from .marks import BULLET, DASH
from .wrapping import SENTENCE_END

# in heights of a line: the gap between two names, the least one between two columns, the one before a column
# that has no name, the largest one between two lines, and how much farther apart rows are than their lines
NAME_GAP = 0.5
MIN_GUTTER = 0.3
INNER_GAP = 0.5
MAX_DISTANCE = 2.5
ROW_GAP = 0.3
# without rules two columns may be two texts beside each other
MIN_COLUMNS = 3
MIN_ROWS = 2
MAX_HEAD_LINES = 3
MAX_NAME_CHARS = 80
# lines of a row between rules or gaps that may be other rows by what they say
MAX_UNSURE = 2
# lines above the rest of a table of the last page: a header
MAX_SKIPPED = 2
# the outer columns end nowhere unless rules do
FAR = 1e5
ROW_NUMBER = re.compile(r"[A-Za-z]{0,5}[-. ]?\d{1,4}[.)]?")
Gap = tuple[float, float]
Box = TypeVar("Box", Word, Line)


class Cell(NamedTuple):
    """The words of one height in a column: their text, where they end, and the width of the first."""

    text: str
    right: float
    first_width: float


class Strip(NamedTuple):
    """The words of a table on one height: their middle, lower and upper edge, and their cells by column."""

    middle: float
    bottom: float
    top: float
    cells: dict[int, Cell]


def find_aligned_grids(
    words: Iterable[Word], lines: list[Line], rules: list[Rule], before: Table | None
) -> Iterator[Grid]:
    """Return the tables below a head of known names, and the rest of the one with which the last page ends.

    `lines` are those of the words, `rules` the level ones.
    """
    may_be_heads = any(map(_may_be_head, _group_by_height(lines)))
    is_begun = before is not None and not before.is_ruled and len(before.columns) > MIN_COLUMNS
    if not may_be_heads and not is_begun:
        return
    strips = _group_by_height(words)
    heads = list(_find_heads(strips)) if may_be_heads else []
    if (
        before
        and len(before.columns) > MIN_COLUMNS
        and (grid := _continue_grid(before, heads, strips, rules))
    ):
        yield grid
        heads = [head for head in heads if _middle(head[0][0]) < grid.edges_y[0]]
    ends = [*(_middle(head[0][0]) for head in heads[1:]), -FAR]
    for head, end in zip(heads, ends, strict=False):
        if grid := _find_grid(head, end, strips, rules):
            yield grid


def _middle(box: Word | Line) -> float:
    return (box.bottom + box.top) / 2


def _group_by_height(boxes: Iterable[Box]) -> list[list[Box]]:
    """Return the boxes on each height, from the top; those of a height from the left."""
    groups: list[list[Box]] = []
    for box in sorted(boxes, key=_middle, reverse=True):
        if groups and _middle(groups[-1][0]) - _middle(box) < 0.4 * (box.top - box.bottom):
            groups[-1].append(box)
        else:
            groups.append([box])
    return [sorted(group, key=lambda box: box.left) for group in groups]


# -- heads -------------------------------------------------------------------------------------------


def _may_be_head(lines: list[Line]) -> bool:
    return 2 <= len(lines) <= MAX_CELLS and not any(_may_be_cell(line.text) for line in lines)


def _may_be_cell(text: str) -> bool:
    """Return whether a text is no name of a column for certain."""
    # forms have labels with colons, the lines of cells start in lower case, and numbers may have units
    return len(text) > MAX_NAME_CHARS or text.endswith(":") or goes_on(text) or text[0].isdigit()


def _find_heads(strips: list[list[Word]]) -> Iterator[list[list[Word]]]:
    """Return the words of each name of a head; other names may have half a line more above and below it."""
    for number, strip in enumerate(strips):
        if _is_head(_split_names(strip)):
            near = [
                other for other in strips[max(0, number - 1) : number + 2] if _is_beside(strip[0], other[0])
            ]
            head = _split_names(
                sorted((word for words in near for word in words), key=lambda word: word.left)
            )
            if _is_head(head):
                yield head


def _join(words: list[Word]) -> str:
    return " ".join(word.text for word in sorted(words, key=_middle, reverse=True))


def _is_beside(one: Word, other: Word) -> bool:
    height = one.top - one.bottom
    return min(one.top, other.top) - max(one.bottom, other.bottom) > ROW_GAP * height


def _split_names(words: list[Word]) -> list[list[Word]]:
    names = [[words[0]]]
    right = words[0].right
    for word in words[1:]:
        if word.left - right > NAME_GAP * (word.top - word.bottom):
            names.append([])
        names[-1].append(word)
        right = max(right, word.right)
    return names


def _is_head(cells: list[list[Word]]) -> bool:
    if not 2 <= len(cells) <= MAX_CELLS:
        return False
    from .tables import is_head  # 4 ms, and most pages have no table

    names = list(map(_join, cells))
    return not any(map(_may_be_cell, names)) and is_head(names)


# -- tables ------------------------------------------------------------------------------------------


def _find_grid(
    head: list[list[Word]], end: float, strips: list[list[Word]], rules: list[Rule]
) -> Grid | None:
    """Return the table below a head and above `end`, None if it is not certain."""
    first = head[0][0]
    height, middle = first.top - first.bottom, _middle(first)
    gaps = [[(max(word.right for word in one), other[0].left)] for one, other in pairwise(head)]
    across = [rule for rule in rules if rule.start < gaps[0][0][0] and rule.end > gaps[-1][0][1]]
    near = [rule for rule in across if abs(rule.place - middle) < MAX_DISTANCE * height]
    edges = (
        min((rule.start for rule in near), default=-FAR) - SNAP,
        max((rule.end for rule in near), default=FAR) + SNAP,
    )
    # the upper lines of a head stand below the rule above it
    start = max(_middle(word) for name in head for word in name) + 0.4 * height
    top = max((rule.place for rule in near if rule.place > middle), default=start)
    below = [strip for strip in strips if _middle(strip[0]) <= top]
    found, gutters = _collect_strips(gaps, edges, end, below)
    places = [rule.place for rule in across if rule.place < middle]
    found, is_closed = _cut_below(found, places, gutters)
    if len(head) < MIN_COLUMNS and not is_closed:
        return None
    lowest = min(_middle(word) for name in head for word in name)
    size = sum(_middle(strip[0]) >= lowest for strip in found)
    grid = _make_grid(found, [edges[0], *gutters, edges[1]], places, size)
    if not grid:
        return None
    names = _split_columns(
        (word for strip in found for word in strip if _middle(word) > grid.edges_y[-2]), gutters
    )
    return grid if _is_head(names) and _are_names(names, head) else None


def _are_names(cells: list[list[Word]], head: list[list[Word]]) -> bool:
    """Return whether the cells of the first row are those of the head, or more lines of its names."""
    from .columns import is_plain_name

    return len(cells) == len(head) and all(
        len(cell) == len(name) or is_plain_name(_join(cell)) for cell, name in zip(cells, head, strict=True)
    )


def _continue_grid(
    before: Table, heads: list[list[list[Word]]], strips: list[list[Word]], rules: list[Rule]
) -> Grid | None:
    """Return the rest of a table of the last page, at the top of a page; its head may be repeated."""
    edges, gutters = list(before.columns), list(before.columns[1:-1])
    across = [rule.place for rule in rules if rule.start < gutters[0] and rule.end > gutters[-1]]
    ends = [_middle(head[0][0]) for head in heads]
    for skipped, strip in enumerate(strips[: MAX_SKIPPED + 1]):
        half = 0.5 * MIN_GUTTER * (strip[0].top - strip[0].bottom)
        gaps = [[(gutter - half, gutter + half)] for gutter in gutters]
        end = next((end for end in ends if end < _middle(strip[0])), -FAR)
        found, _ = _collect_strips(gaps, (edges[0], edges[-1]), end, strips[skipped:])
        if len(found) < MIN_ROWS:
            continue
        found, _ = _cut_below(found, across, gutters)
        if size := _head_size(found, gutters, before.rows[0]):
            across = [*across, (_middle(found[size - 1][0]) + _middle(found[size][0])) / 2]
        return _make_grid(found, edges, across, size)
    return None


def _head_size(found: list[list[Word]], gutters: list[float], head: list[str]) -> int:
    """Return the number of strips that repeat the head of a table, 0 if none do."""
    for size in range(1, min(MAX_HEAD_LINES, len(found) - 1) + 1):
        words = sorted((word for strip in found[:size] for word in strip), key=_middle, reverse=True)
        cells = _split_columns(words, gutters)
        if [" ".join(word.text for word in cell) for cell in cells] == head:
            return size
    return 0


def _cut_below(
    found: list[list[Word]], rules: list[float], gutters: list[float]
) -> tuple[list[list[Word]], bool]:
    """Return the strips of a table above the rule that ends it, and whether there is such a rule."""
    if not found:
        return found, False
    last = found[-1][0]
    ends = [place for place in rules if place > last.bottom - MAX_DISTANCE * (last.top - last.bottom)]
    if len(ends) < 2:
        return found, False
    above = [strip for strip in found if _middle(strip[0]) > min(ends)]
    below = found[len(above) :]
    # stripes end above a last row without colour
    goes_on = bool(below) and len(_split_columns(below[0], gutters)) > 1
    return found if goes_on else above, not goes_on


def _make_grid(
    found: list[list[Word]], edges_x: list[float], rules: list[float], head_size: int
) -> Grid | None:
    gutters = edges_x[1:-1]
    # names may be closer to each other than what stands below them
    if len(found) < MIN_ROWS or not all(
        _are_columns_whole(part, gutters) for part in (found, found[head_size:])
    ):
        return None
    table = [_to_strip(words, gutters) for words in found]
    starts = _find_rows(table, rules, len(edges_x) - 1, head_size)
    if not starts:
        return None
    edges_y = [
        min(strip.bottom for strip in table),
        *((table[start - 1].middle + table[start].middle) / 2 for start in reversed(starts[1:])),
        max(strip.top for strip in table),
    ]
    width = len(edges_x) - 1
    areas = [[row * width + x for x in range(width)] for row in range(len(starts))]
    return Grid(edges_x, edges_y, areas, is_ruled=False)


# -- columns -----------------------------------------------------------------------------------------


def _collect_strips(
    free: list[list[Gap]], edges: Gap, end: float, strips: list[list[Word]]
) -> tuple[list[list[Word]], list[float]]:
    """Return the words of a table by their height, as far down as its columns go, and what parts these.

    `free` are the gaps between the columns, `edges` the outer edges.
    """
    found: list[list[Word]] = []
    for strip in strips:
        words = [word for word in strip if edges[0] < word.left and word.right < edges[1]]
        if not words:
            continue
        height = words[0].top - words[0].bottom
        is_far = found and found[-1][0].bottom - words[0].top > MAX_DISTANCE * height
        narrowed = [_subtract(gaps, words) for gaps in free]
        widths = [max((right - left for left, right in gaps), default=0.0) for gaps in narrowed]
        if _middle(words[0]) <= end or is_far or min(widths) < MIN_GUTTER * height - 0.01:
            break
        free = narrowed
        found.append(words)
    widest = [max(gaps, key=lambda gap: gap[1] - gap[0]) for gaps in free]
    return found, [(left + right) / 2 for left, right in widest]


def _subtract(gaps: list[Gap], words: list[Word]) -> list[Gap]:
    """Return what is left of gaps where no word stands."""
    for word in words:
        before = [(left, min(right, word.left)) for left, right in gaps if left < word.left]
        gaps = before + [(max(left, word.right), right) for left, right in gaps if right > word.right]
    return gaps


def _split_columns(words: Iterable[Word], gutters: list[float]) -> list[list[Word]]:
    """Return the words of each column that has any."""
    columns: dict[int, list[Word]] = {}
    for word in words:
        columns.setdefault(bisect_right(gutters, word.left), []).append(word)
    return [columns[column] for column in sorted(columns)]


def _to_strip(words: list[Word], gutters: list[float]) -> Strip:
    cells = {
        bisect_right(gutters, cell[0].left): Cell(
            " ".join(word.text for word in cell), cell[-1].right, cell[0].right - cell[0].left
        )
        for cell in _split_columns(words, gutters)
    }
    bottom, top = min(word.bottom for word in words), max(word.top for word in words)
    return Strip(_middle(words[0]), bottom, top, cells)


def _are_columns_whole(strips: list[list[Word]], gutters: list[float]) -> bool:
    """Return whether there is a name above each column: none of them has a gap from top to bottom."""
    for column in _split_columns((word for words in strips for word in words), gutters):
        column.sort(key=lambda word: word.left)
        right = column[0].right
        for word in column:
            if word.left - right > INNER_GAP * (word.top - word.bottom):
                return False
            right = max(right, word.right)
    return True


# -- rows --------------------------------------------------------------------------------------------


def _find_rows(table: list[Strip], rules: list[float], width: int, head_size: int) -> list[int] | None:
    """Return the numbers of the strips with which rows start, None if that is unsure.

    Rows are parted by rules, else by larger distances, else by what stands in their cells.
    """
    rights = [
        max((strip.cells[column].right for strip in table if column in strip.cells), default=0.0)
        for column in range(width)
    ]
    new = [True, *(_starts_row(before, strip, rights) for before, strip in pairwise(table))]
    new[1:head_size] = [False] * (head_size - 1)
    ruled = [
        number
        for number, (before, strip) in enumerate(pairwise(table), 1)
        if any(strip.middle < place < before.middle for place in rules)
    ]
    for starts in ([0, *ruled], _find_distant(table, ruled)):
        # with one row below the head, the rules may be those around all rows
        if len(starts) > MIN_ROWS and _are_rows(table, starts, new, head_size):
            return starts
    if None in new or any(_overlap(before, strip) for before, strip in pairwise(table[head_size:])):
        return None
    starts = [number for number, is_new in enumerate(new) if is_new or number in ruled]
    return starts if _are_rows(table, starts, new, head_size) else None


def _find_distant(table: list[Strip], ruled: list[int]) -> list[int]:
    """Return the strips that are clearly farther from the one above than others, and those below a rule."""
    height = table[0].top - table[0].bottom
    distances = [before.bottom - strip.top for before, strip in pairwise(table)]
    ordered = sorted(distances)
    jump, lower = max(((high - low, low) for low, high in pairwise(ordered)), default=(0.0, 0.0))
    # of cells with their text in the middle, lines of some stand between those of others
    is_clear = lower >= -ROW_GAP * height or lower + jump >= ROW_GAP * height
    if jump < ROW_GAP * height or not is_clear:
        return []
    distant = [number for number, distance in enumerate(distances, 1) if distance > lower or number in ruled]
    return [0, *distant]


def _are_rows(table: list[Strip], starts: list[int], new: list[bool | None], head_size: int) -> bool:
    """Return whether each row is one, and has two cells unless it may be a title or the rest of another."""
    rows = [range(start, end) for start, end in pairwise([*starts, len(table)])]
    return len(rows) >= MIN_ROWS and all(
        (row.start <= head_size or len({column for number in row for column in table[number].cells}) > 1)
        and sum(new[number] is True for number in row) < 2
        and sum(new[number] is None for number in row[1:]) <= MAX_UNSURE
        for row in rows
    )


def _overlap(above: Strip, strip: Strip) -> bool:
    """Return whether strips stand as closely as lines of cells that have their text in the middle."""
    return strip.top - above.bottom > ROW_GAP * (strip.top - strip.bottom)


def _divides_sentence(above: Strip, strip: Strip) -> bool:
    return any(
        goes_on(cell.text)
        and " " in above.cells[column].text
        and not SENTENCE_END.search(above.cells[column].text)
        for column, cell in strip.cells.items()
        if column in above.cells
    )


def _starts_row(above: Strip, strip: Strip, rights: list[float]) -> bool | None:
    """Return whether a strip looks like the start of a row rather than more of its cells, None if unsure."""
    if _overlap(above, strip):
        return False
    height, count = strip.top - strip.bottom, len(strip.cells)
    lower = sum(goes_on(cell.text) for cell in strip.cells.values())
    # cells that may go on with what is above them
    more = sum(
        goes_on(cell.text)
        or above.cells[column].right + cell.first_width + ROW_GAP * height > rights[column]
        or bool(BULLET.match(cell.text) or DASH.match(cell.text))
        for column, cell in strip.cells.items()
        if column in above.cells
    )
    if count > 1 and 0 in strip.cells and ROW_NUMBER.fullmatch(strip.cells[0].text):
        return True
    if 2 * lower >= count:
        return False
    if 2 * count > max(2, len(rights)) and not _divides_sentence(above, strip):
        if count == len(rights) or more < count:
            return True
        return False if 0 not in strip.cells else None
    return False if more == count else None
