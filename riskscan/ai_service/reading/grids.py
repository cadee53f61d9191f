"""Grids of PDF pages: the cells of tables that have rules between them."""

import ctypes
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from .geometry import Word

# a page of drawings is not searched for tables
MAX_OBJECTS = 20_000
MAX_SEGMENTS = 10_000
# rules that are left once those in one line are joined
MAX_RULES = 200
# in points: rules this near are one, so are the two edges of a thin rectangle
SNAP = 3.0
MIN_LENGTH = 5.0
Point = tuple[float, float]
MATRIX, X, Y = pdfium.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
X_REFERENCE, Y_REFERENCE = ctypes.byref(X), ctypes.byref(Y)
GET_OBJECT, GET_TYPE = pdfium.FPDFPage_GetObject, pdfium.FPDFPageObj_GetType
COUNT_SEGMENTS, GET_SEGMENT = pdfium.FPDFPath_CountSegments, pdfium.FPDFPath_GetPathSegment
GET_SEGMENT_TYPE, GET_CLOSE = pdfium.FPDFPathSegment_GetType, pdfium.FPDFPathSegment_GetClose
GET_POINT = pdfium.FPDFPathSegment_GetPoint
for _get in (GET_OBJECT, GET_TYPE, COUNT_SEGMENTS, GET_SEGMENT, GET_SEGMENT_TYPE, GET_CLOSE, GET_POINT):
    # ctypes then passes the arguments on unchecked, as where boxes are read; 0.4 of 3.1 s for 260 pages
    _get.argtypes = None


class Rule(NamedTuple):
    """A straight line along an axis: where it lies on the other axis, and its ends."""

    place: float
    start: float
    end: float


class Grid(NamedTuple):
    """The edges of a table's rows, from the bottom, and columns, and for each cell the number of its area.

    `is_ruled` says whether rules part its columns.
    """

    edges_x: list[float]
    edges_y: list[float]
    areas: list[list[int]]
    is_ruled: bool = True

    def find(self, word: Word) -> int | None:
        """Return the area in which the middle of a word lies, None outside."""
        column = bisect_right(self.edges_x, (word.left + word.right) / 2) - 1
        row = bisect_right(self.edges_y, (word.bottom + word.top) / 2) - 1
        if 0 <= row < len(self.areas) and 0 <= column < len(self.areas[0]):
            return self.areas[row][column]
        return None


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
    is_ruled: bool


# -- what is drawn ---------------------------------------------------------------------------------


def read_edges(page: pypdfium2.PdfPage) -> list[Word]:
    """Return the straight edges along the axes that a page draws, as the boxes of words without text."""
    count = pdfium.FPDFPage_CountObjects(page)
    objects = (GET_OBJECT(page.raw, number) for number in range(count if count <= MAX_OBJECTS else 0))
    paths = [found for found in objects if GET_TYPE(found) == pdfium.FPDF_PAGEOBJ_PATH]
    sizes = list(map(COUNT_SEGMENTS, paths))
    if sum(sizes) > MAX_SEGMENTS:
        return []
    edges: list[Word] = []
    for path, size in zip(paths, sizes, strict=True):
        for (x1, y1), (x2, y2) in _read_path(path, size):
            width, height = abs(x1 - x2), abs(y1 - y2)
            if (width >= MIN_LENGTH and height < SNAP / 2) or (height >= MIN_LENGTH and width < SNAP / 2):
                edges.append(Word("", min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)))
    return edges


def _read_path(path: pdfium.FPDF_PAGEOBJECT, size: int) -> Iterator[tuple[Point, Point]]:
    pdfium.FPDFPageObj_GetMatrix(path, MATRIX)
    a, b, c, d, e, f = MATRIX.a, MATRIX.b, MATRIX.c, MATRIX.d, MATRIX.e, MATRIX.f
    start = last = (0.0, 0.0)
    for number in range(size):
        segment = GET_SEGMENT(path, number)
        GET_POINT(segment, X_REFERENCE, Y_REFERENCE)
        x, y = X.value, Y.value
        point = (a * x + c * y + e, b * x + d * y + f)
        kind = GET_SEGMENT_TYPE(segment)
        if kind == pdfium.FPDF_SEGMENT_LINETO:
            yield last, point
        elif kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        last = point
        if GET_CLOSE(segment):
            yield last, start
            last = start


# -- cells -----------------------------------------------------------------------------------------


class Rules(NamedTuple):
    """The rules of a page, each whole."""

    level: list[Rule]
    upright: list[Rule]


def find_rules(edges: Iterable[Word]) -> Rules:
    """Return the rules that edges are pieces of, none of a page that has too many."""
    level, upright = list[Rule](), list[Rule]()
    for _, left, right, bottom, top in edges:
        if right - left > top - bottom:
            level.append(Rule((bottom + top) / 2, left, right))
        else:
            upright.append(Rule((left + right) / 2, bottom, top))
    rules = Rules(_join(level), _join(upright))
    return rules if len(rules.level) + len(rules.upright) <= MAX_RULES else Rules([], [])


def find_grids(rules: Rules) -> list[Grid]:
    """Return the tables that have rules between their cells."""
    return [grid for group in _group(*rules) if (grid := _make_grid(*group))]


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
