"""Tables of PDF pages by the rules that are drawn around their cells."""

import ctypes
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from .geometry import Line, Word, find_lines, usual_distance
from .hyphens import join_lines, join_narrow_lines
from .layout import BULLET, CLAUSE_NUMBER, DASH, SENTENCE_END

# a page of drawings is not searched for tables
MAX_OBJECTS = 20_000
MAX_SEGMENTS = 10_000
# rules that are left once those in one line are joined
MAX_RULES = 200
# in points: rules this near are one, so are the two edges of a thin rectangle
SNAP = 3.0
MIN_LENGTH = 5.0
# a larger distance than this share of the usual one starts a paragraph of a cell
PARAGRAPH_GAP = 1.3
# lines of so few words may be cut inside a word
NARROW_WORDS = 3
Point = tuple[float, float]


class Rule(NamedTuple):
    """A straight line along an axis: where it lies on the other axis, and its ends."""

    place: float
    start: float
    end: float


class Table(NamedTuple):
    """The texts of a table's cells by row, and the edges of its columns.

    A cell that was merged with others has its text where it begins. `position` is the number of the page's
    lines that are drawn before the table.
    """

    columns: Sequence[float]
    bottom: float
    top: float
    rows: list[list[str]]
    position: int


class Grid(NamedTuple):
    """The edges of a table's rows, from the bottom, and columns, and for each cell the number of its area."""

    edges_x: list[float]
    edges_y: list[float]
    areas: list[list[int]]

    def find(self, word: Word) -> int | None:
        """Return the area in which the middle of a word lies, None outside."""
        column = bisect_right(self.edges_x, (word.left + word.right) / 2) - 1
        row = bisect_right(self.edges_y, (word.bottom + word.top) / 2) - 1
        if 0 <= row < len(self.areas) and 0 <= column < len(self.areas[0]):
            return self.areas[row][column]
        return None


# -- what is drawn ---------------------------------------------------------------------------------


def read_edges(page: pypdfium2.PdfPage) -> list[Word]:
    """Return the straight edges along the axes that a page draws, as the boxes of words without text."""
    edges: list[Word] = []
    count = pdfium.FPDFPage_CountObjects(page)
    segments = 0
    for number in range(count if count <= MAX_OBJECTS else 0):
        found = pdfium.FPDFPage_GetObject(page, number)
        if pdfium.FPDFPageObj_GetType(found) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        size = pdfium.FPDFPath_CountSegments(found)
        segments += size
        if segments > MAX_SEGMENTS:
            return []
        for (x1, y1), (x2, y2) in _read_path(found, size):
            width, height = abs(x1 - x2), abs(y1 - y2)
            if max(width, height) >= MIN_LENGTH and min(width, height) < SNAP / 2:
                edges.append(Word("", min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)))
    return edges


def _read_path(path: pdfium.FPDF_PAGEOBJECT, size: int) -> Iterator[tuple[Point, Point]]:
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for number in range(size):
        segment = pdfium.FPDFPath_GetPathSegment(path, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_LINETO:
            yield last, point
        elif kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield last, start
            last = start


# -- cells -----------------------------------------------------------------------------------------


def find_grids(edges: Iterable[Word]) -> list[Grid]:
    """Return the tables that have rules between their cells."""
    level, upright = list[Rule](), list[Rule]()
    for _, left, right, bottom, top in edges:
        if right - left > top - bottom:
            level.append(Rule((bottom + top) / 2, left, right))
        else:
            upright.append(Rule((left + right) / 2, bottom, top))
    level, upright = _join(level), _join(upright)
    if len(level) + len(upright) > MAX_RULES:
        return []
    return [grid for group in _group(level, upright) if (grid := _make_grid(*group))]


def _join(rules: list[Rule]) -> list[Rule]:
    """Join rules that lie in one line and touch each other."""
    joined: list[Rule] = []
    for cluster in _cluster(rules):
        place = sum(rule.place for rule in cluster) / len(cluster)
        rules_of_line = sorted(cluster, key=lambda rule: rule.start)
        start, end = rules_of_line[0].start, rules_of_line[0].end
        for rule in rules_of_line:
            if rule.start > end + SNAP:
                joined.append(Rule(place, start, end))
                start, end = rule.start, rule.end
            start, end = min(start, rule.start), max(end, rule.end)
        joined.append(Rule(place, start, end))
    return joined


def _cluster(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Return the rules that lie in one line each, in the order of their places."""
    clusters: list[list[Rule]] = []
    for rule in sorted(rules):
        if (
            clusters
            and rule.place - clusters[-1][-1].place <= SNAP
            and rule.place - clusters[-1][0].place <= 2 * SNAP
        ):
            clusters[-1].append(rule)
        else:
            clusters.append([rule])
    return clusters


def _group(level: list[Rule], upright: list[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Return the rules that cross or touch each other, directly or by others."""
    rest_level, rest_upright = level, upright
    while rest_level:
        group_level, group_upright = [rest_level[0]], list[Rule]()
        rest_level = rest_level[1:]
        new_level = group_level
        while new_level:
            new_upright = [rule for rule in rest_upright if any(_touch(one, rule) for one in new_level)]
            rest_upright = [rule for rule in rest_upright if rule not in new_upright]
            new_level = [rule for rule in rest_level if any(_touch(rule, one) for one in new_upright)]
            rest_level = [rule for rule in rest_level if rule not in new_level]
            group_level, group_upright = group_level + new_level, group_upright + new_upright
        yield group_level, group_upright


def _touch(level: Rule, upright: Rule) -> bool:
    return (
        level.start - SNAP <= upright.place <= level.end + SNAP
        and upright.start - SNAP <= level.place <= upright.end + SNAP
    )


def _make_grid(level: list[Rule], upright: list[Rule]) -> Grid | None:
    """Return the cells between rules, those without a rule between them as one; None without two columns."""
    columns, rows = _cluster(upright), _cluster(level)
    if not columns:
        return None
    columns, rows = _add_outer_edges(columns, level), _add_outer_edges(rows, upright)
    edges_x, edges_y = [rules[0].place for rules in columns], [rules[0].place for rules in rows]
    width, height = len(edges_x) - 1, len(edges_y) - 1
    if width < 2 or height < 1:
        return None
    middles_x = [(one + other) / 2 for one, other in pairwise(edges_x)]
    middles_y = [(one + other) / 2 for one, other in pairwise(edges_y)]
    areas = list(range(width * height))

    def find_first(area: int) -> int:
        while areas[area] != area:
            areas[area] = area = areas[areas[area]]
        return area

    for row in range(height):
        for column in range(width):
            cell = row * width + column
            if column and not _covers(columns[column], middles_y[row]):
                areas[find_first(cell)] = find_first(cell - 1)
            if row and not _covers(rows[row], middles_x[column]):
                areas[find_first(cell)] = find_first(cell - width)
    found = [find_first(area) for area in areas]
    return Grid(edges_x, edges_y, [found[start : start + width] for start in range(0, len(found), width)])


def _add_outer_edges(clusters: list[list[Rule]], across: list[Rule]) -> list[list[Rule]]:
    """Add the edges of a table without rules around it: where two rules across go on beyond the last rule."""
    first, last = clusters[0][0].place, clusters[-1][0].place
    starts = [rule.start for rule in across if rule.start < first - 2 * SNAP]
    ends = [rule.end for rule in across if rule.end > last + 2 * SNAP]
    before = [[Rule(min(starts), 0.0, 0.0)]] if len(starts) > 1 else []
    after = [[Rule(max(ends), 0.0, 0.0)]] if len(ends) > 1 else []
    return before + clusters + after


def _covers(rules: list[Rule], place: float) -> bool:
    return any(rule.start <= place <= rule.end for rule in rules)


# -- words in cells ----------------------------------------------------------------------------------


def split_tables(
    words: list[Word], grids: list[Grid], before: Table | None
) -> tuple[list[Line], list[Table]]:
    """Return the lines outside the tables, and the tables.

    A grid in which fewer than two rows have two texts is no table but a box, a form or a chart, unless it has
    the columns of the table before it, on the last page.
    """
    found = list[tuple[Grid, dict[int, list[int]]]]()
    taken = set[int]()
    # of tables inside each other the inner one has the words
    for grid in sorted(grids, key=_size):
        if inside := _place_words(words, grid, before, taken):
            found.append((grid, inside))
            taken.update(number for numbers in inside.values() for number in numbers)
    lines: list[Line] = []
    tables: list[Table] = []
    known = {word.text.lower() for word in words} if found else set[str]()
    start = 0
    for first, grid, inside in sorted(
        ((min(min(area) for area in inside.values()), grid, inside) for grid, inside in found),
        key=lambda each: each[0],
    ):
        lines += find_lines(words[number] for number in range(start, first) if number not in taken)
        texts = {
            area: _read_cell([words[number] for number in numbers], known) for area, numbers in inside.items()
        }
        bottom, *_, top = grid.edges_y
        tables.append(Table(grid.edges_x, bottom, top, _read_rows(grid, texts), len(lines)))
        start = first
    lines += find_lines(words[number] for number in range(start, len(words)) if number not in taken)
    return lines, tables


def _size(grid: Grid) -> float:
    return (grid.edges_x[-1] - grid.edges_x[0]) * (grid.edges_y[-1] - grid.edges_y[0])


def _place_words(
    words: list[Word], grid: Grid, before: Table | None, taken: set[int]
) -> dict[int, list[int]]:
    """Return the numbers of the words in each area of a table but those taken; nothing if it is none."""
    inside: dict[int, list[int]] = {}
    for number, word in enumerate(words):
        area = grid.find(word)
        if area is not None and number not in taken:
            inside.setdefault(area, []).append(number)
    if not inside.keys() <= _find_rectangles(grid):
        return {}
    rows = sum(len({area for area in row if area in inside}) > 1 for row in grid.areas)
    return inside if rows > 1 or (before and has_columns(before, grid.edges_x)) else {}


def _find_rectangles(grid: Grid) -> set[int]:
    """Return the areas that are rectangles; where lines are missing, others may have any shape."""
    cells: dict[int, list[tuple[int, int]]] = {}
    for y, row in enumerate(grid.areas):
        for x, area in enumerate(row):
            cells.setdefault(area, []).append((y, x))
    return {area for area, places in cells.items() if _fill_rectangle(places)}


def _fill_rectangle(places: list[tuple[int, int]]) -> bool:
    rows, columns = {y for y, _ in places}, {x for _, x in places}
    return len(places) == (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)


def has_columns(table: Table, edges: Sequence[float]) -> bool:
    """Return whether the columns of a table have these edges."""
    return len(table.columns) == len(edges) and all(
        abs(one - other) <= SNAP for one, other in zip(table.columns, edges, strict=True)
    )


def _read_cell(words: list[Word], known: set[str]) -> str:
    """Return the text of a cell, in which a list item and what follows a gap start a new line.

    `known` are the words of the page in lower case.
    """
    lines = find_lines(words)
    if any(line.bottom > before.top for before, line in pairwise(lines)):
        lines.sort(key=lambda line: (-line.bottom, line.left))
    is_list = CLAUSE_NUMBER.match(lines[0].text)
    distance = usual_distance(lines)
    text = lines[0].text
    for before, line in pairwise(lines):
        height = max(before.height, line.height)
        is_apart = before.bottom - line.bottom > PARAGRAPH_GAP * distance * height
        is_item = BULLET.match(line.text) or DASH.match(line.text)
        # a number may also stand at the start of a wrapped line
        is_clause = CLAUSE_NUMBER.match(line.text) and (is_list or SENTENCE_END.search(before.text))
        if is_apart or is_item or is_clause:
            text += "\n" + line.text
        else:
            join = join_narrow_lines if before.words <= NARROW_WORDS else join_lines
            text = join(text, line.text, known)
    return text


def _read_rows(grid: Grid, texts: dict[int, str]) -> list[list[str]]:
    """Return the texts of each row, from the top."""
    rows: list[list[str]] = []
    for areas in reversed(grid.areas):
        rows.append([texts.pop(area, "") for area in areas])
    return [row for row in rows if any(row)]
